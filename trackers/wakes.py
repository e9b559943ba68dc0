"""Wake a worker for work that is in the database; the broker is only a hint (DESIGN §4)."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

SCAN_TASK = "trackers.tasks.scan"
LIVE_QUEUE = "live"
BACKFILL_QUEUE = "backfill"

_is_withheld: ContextVar[bool] = ContextVar("wakes are withheld", default=False)


@contextmanager
def withheld() -> Iterator[None]:
    """Wake nobody for work that the block itself does before its transaction ends.

    What it leaves undone the sweep finds within a minute.
    """
    token = _is_withheld.set(True)
    try:
        yield
    finally:
        _is_withheld.reset(token)


def scan(*, version_id: UUID, backfill_id: UUID | None = None, times: int = 1) -> None:
    """Ask for batches of a version's work, of its live scans or of one backfill, after commit.

    A broker that cannot be reached loses nothing: the sweep asks again each minute.
    """
    if _is_withheld.get():
        return
    arguments = {
        "version_id": str(version_id),
        "backfill_id": None if backfill_id is None else str(backfill_id),
    }
    queue = LIVE_QUEUE if backfill_id is None else BACKFILL_QUEUE
    transaction.on_commit(lambda: _send(arguments, queue, times))


def _send(arguments: dict[str, str | None], queue: str, times: int) -> None:
    try:
        for _ in range(times):
            current_app.send_task(SCAN_TASK, kwargs=arguments, queue=queue)
    except OperationalError:
        logger.warning(
            "The broker did not take a wake for %s; the sweep will ask again.", arguments
        )
