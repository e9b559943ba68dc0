"""What Celery runs. Tasks take ids, do one operation, and are safe to run twice."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from credits import jobs
from trackers import scanning, sweeping, wakes

SWEEP_PERIOD = timedelta(minutes=1)


@shared_task
def scan(*, version_id: str, backfill_id: str | None) -> int:
    """Work off one batch of a version, then ask for the next, so that trackers take turns."""
    version, backfill = UUID(version_id), UUID(backfill_id) if backfill_id else None
    claimed = scanning.run_batch(version_id=version, backfill_id=backfill, clock=timezone.now)
    if claimed:
        wakes.scan(version_id=version, backfill_id=backfill)
    return claimed


@shared_task
def sweep() -> None:
    """Find the work whose message or worker was lost."""
    now = timezone.now()
    with jobs.once_per_period("sweep", now=now, period=SWEEP_PERIOD) as job:
        if job.is_mine:
            job.summary = str(sweeping.sweep(now=now))
