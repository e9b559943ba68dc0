"""Periodic jobs are keyed by their period, so that two schedulers do each once (DESIGN §4)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from django.db import connection
from django.utils import timezone

from credits.models import JobRun


@dataclass(slots=True)
class Claim:
    """Whether this process does the job this period, and what it wants to say afterwards."""

    is_mine: bool
    summary: str = ""


@contextmanager
def once_per_period(name: str, *, now: datetime, period: timedelta) -> Iterator[Claim]:
    """Claim a job for the period that ``now`` is in; the first to ask has it.

    Success is recorded when the block ends without an error. A claim whose holder dies is not
    given again: every job finds in the next period what this one left.
    """
    epoch = datetime(1970, 1, 1, tzinfo=UTC)
    with once_for(name, start=epoch + (now - epoch) // period * period) as claim:
        yield claim


@contextmanager
def once_for(name: str, *, start: datetime) -> Iterator[Claim]:
    """Claim a job for what began at ``start``, as ``once_per_period`` does for a period.

    In a transaction the claim is given up with it.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credits_jobrun (name, period, summary) VALUES (%s, %s, '')"
            " ON CONFLICT (name) DO UPDATE SET period = excluded.period"
            " WHERE credits_jobrun.period < excluded.period RETURNING name",
            [name, start],
        )
        claim = Claim(is_mine=cursor.fetchone() is not None)
    yield claim
    if claim.is_mine:
        JobRun.objects.filter(name=name).update(succeeded_at=timezone.now(), summary=claim.summary)
