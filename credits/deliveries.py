"""Send an e-mail that a row says is due: once, retried, with what became of it in the row.

Note [Announced once]
An e-mail cannot be taken back, and no transaction covers a mail server. That an e-mail is due is
written in the UPDATE that makes it so, so a worker killed afterwards loses nothing: the sweep
finds it. Whoever sends it connects to the server first, then claims it in one conditional UPDATE,
then hands it over; of two workers one claims. A server that cannot be reached or says no gives
the claim back, and the sweep tries again. Between the claim and the server's answer there is one
command's time in which a kill leaves open whether the e-mail was taken: it is then not sent
again, and the row's page says so. What the e-mail is about does not depend on any of this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db.models import Model, QuerySet

from credits import mails

# Tries at 0, 1, 3, 7, 15, 31, 63 minutes and then hourly: about seven hours.
ATTEMPTS_MAX = 12
FIRST_DELAY = timedelta(minutes=1)
DELAY_MAX = timedelta(hours=1)
NOT_TAKEN = "The mail server did not take it."
GIVEN_UP = "The mail server did not take it, twelve times."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Columns:
    """What a table calls the columns of its e-mail: instants, null where it did not happen yet,
    how often it was tried, and what is wrong with it in a sentence."""

    due_at: str
    handed_at: str
    sent_at: str
    attempts: str
    trouble: str


def deliver(
    row: Model, columns: Columns, *, what: str, clock: Callable[[], datetime], **message: Any
) -> bool:
    """Send the row's e-mail, ``message`` as ``mails.send`` takes it; tell whether this call did.

    ``row`` was read while the e-mail was due. False when another worker sends it or the mail
    server does not take it, which is never an error: the row says so, and is due again later, each
    time after twice as long, in the end no more. ``what`` names the e-mail in the log. Call it
    outside of any transaction. See Note [Announced once].
    """
    mine = _due(row, columns)

    def claim() -> bool:
        nonlocal mine
        claimed = _claimed(row, columns, clock())
        if claimed is not None:
            mine = claimed
        return claimed is not None

    try:
        is_sent = mails.send(claim=claim, **message)
    except mails.DeliveryUnknown as error:
        logger.warning("Whether %s was sent is not known: %s", what, error.__cause__)
        return False
    except OSError as error:
        logger.warning("%s is not sent yet: %s", what, error)
        _postpone(row, columns, mine, clock())
        return False
    if is_sent:
        mine.update(**{columns.sent_at: clock(), columns.trouble: ""})
    return is_sent


def give_up(row: Model, columns: Columns, *, reason: str) -> None:
    """Say that the e-mail will not be sent, and why; unless somebody sends it just now."""
    _due(row, columns).update(**{columns.due_at: None, columns.trouble: reason})


def _rows(row: Model) -> QuerySet[Any]:
    return type(row)._default_manager.filter(pk=row.pk)


def _due(row: Model, columns: Columns) -> QuerySet[Any]:
    """Return the row if nobody has claimed its e-mail, or put it off, since it was read."""
    return _rows(row).filter(**{columns.due_at: getattr(row, columns.due_at)})


def _claimed(row: Model, columns: Columns, now: datetime) -> QuerySet[Any] | None:
    """Say that the e-mail is about to be handed over, and return the row while it is.

    None when another worker was first.
    """
    if not _due(row, columns).update(**{columns.due_at: None, columns.handed_at: now}):
        return None
    return _rows(row).filter(**{columns.handed_at: now, columns.sent_at: None})


def _postpone(row: Model, columns: Columns, mine: QuerySet[Any], now: datetime) -> None:
    """Try again later; ``mine`` is the row while it is this worker's to say so."""
    attempts = getattr(row, columns.attempts) + 1
    is_over = attempts >= ATTEMPTS_MAX
    delay = min(FIRST_DELAY * 2 ** (attempts - 1), DELAY_MAX)
    mine.update(
        **{
            columns.due_at: None if is_over else now + delay,
            columns.handed_at: None,
            columns.attempts: attempts,
            columns.trouble: GIVEN_UP if is_over else NOT_TAKEN,
        }
    )
