"""Named points at which a process may die without harm; tests kill it exactly there.

Note [Fault points]
``reach`` names a place between two steps that must survive a power cut, and does nothing. No
setting and no environment variable changes that, so no configuration can stop or kill a process
in production: only code that calls ``watch`` hears of a point, and no product code does (a test
in tests/architecture holds that). The processes that tests start call it (tests/faults). A new
point needs a test that hits it: the run counts the points and fails for one that was not reached.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum


class Point(StrEnum):
    """Where a process may die; the value says it in words."""

    # Any act of the ledger.
    ANSWERED = "after the ledger has answered, before its caller acts on it"
    SETTLED = "in expiry, between two companies"
    # A batch of scans.
    CLAIMED = "after the claim"
    RESERVED = "after the reservation"
    READ = "after the analyser's reply"
    CAPTURED = "after the capture, before the commit"
    WRITTEN = "after the commit, before the acknowledgment"
    TAKEN_BACK = "in the sweep, after lost work is taken back, before its credits are free"
    SWEPT = "in the sweep, before anybody is woken"
    # Something asked of the analyzer: a question, a preview.
    HELD = "after the price of a question is held"
    CHARGED = "after a question is charged, before the commit"
    PERFORMED = "after a question's commit, before anybody is answered"
    # What comes in, and what was bought.
    INGESTED = "in an import, before a chunk's commit"
    TAKEN_IN = "in an import, between two chunks"
    ALLOCATED = "in allocation, after the grant, before the period's row"
    FULFILLED = "in fulfilment, after the grant, before the purchase's row"
    # An export, and its e-mail.
    LEASED = "after an export's lease"
    ROWS = "after an export's rows, before the file has its name"
    NAMED = "after an export's file has its name, before its row says so"
    READY = "after an export is ready, before the acknowledgment"
    MAILING = "after the file is ready, before the mail server is called"
    MAIL_CLAIM = "after the mail server has answered, before the claim"
    MAILED = "after the e-mail was taken, before that is written down"


_watcher: Callable[[Point], None] | None = None


def reach(point: Point) -> None:
    """Say that this process is at a point. See Note [Fault points]."""
    if _watcher is not None:
        _watcher(point)


def watch(watcher: Callable[[Point], None]) -> None:
    """Call ``watcher`` at every point this process reaches from now on. For tests only."""
    global _watcher
    _watcher = watcher
