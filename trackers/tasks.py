"""What Celery runs. Tasks take ids, do one operation, and are safe to run twice."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from django.utils import timezone

from credits import jobs
from trackers import advising, retention, scanning, sweeping, uploads, wakes

SWEEP_PERIOD = timedelta(seconds=30)
RETAIN_PERIOD = timedelta(days=1)
FORGET_PERIOD = timedelta(hours=1)
ADVISE_PERIOD = timedelta(hours=1)


@shared_task
def scan(*, version_id: str, backfill_id: str | None) -> None:
    """Work off batches of a version for a moment, then queue up again: trackers take turns."""
    version, backfill = UUID(version_id), UUID(backfill_id) if backfill_id else None
    until = timezone.now() + scanning.TURN
    while scanning.run_batch(version_id=version, backfill_id=backfill, clock=timezone.now):
        if timezone.now() > until:
            wakes.scan(version_id=version, backfill_id=backfill)
            return


@shared_task
def sweep() -> None:
    """Find the work whose message or worker was lost."""
    now = timezone.now()
    with jobs.once_per_period("sweep", now=now, period=SWEEP_PERIOD) as job:
        if job.is_mine:
            job.summary = str(sweeping.sweep(now=now))


@shared_task
def retain() -> None:
    """Erase what is older than it is kept; once a night, whoever starts it."""
    now = timezone.now()
    with jobs.once_per_period("retain", now=now, period=RETAIN_PERIOD) as job:
        if job.is_mine:
            count = retention.erase_old(clock=timezone.now)
            job.summary = f"{count:,} conversation{'' if count == 1 else 's'} erased"
            if forgotten := retention.forget_requests(clock=timezone.now):
                job.summary += f", {forgotten:,} model request{'' if forgotten == 1 else 's'}"


@shared_task
def forget_uploads() -> None:
    """Remove the files of imports that nobody confirmed within an hour."""
    now = timezone.now()
    with jobs.once_per_period("forget_uploads", now=now, period=FORGET_PERIOD) as job:
        if job.is_mine:
            count = uploads.clean_up(now=now)
            job.summary = f"{count:,} file{'' if count == 1 else 's'} removed"


@shared_task
def advise() -> None:
    """Work out anew what companies could save, those first whose suggestions are oldest."""
    now = timezone.now()
    with jobs.once_per_period("advise", now=now, period=ADVISE_PERIOD) as job:
        if job.is_mine:
            count = advising.refresh_all(now=now, clock=timezone.now)
            job.summary = f"{count:,} {'company' if count == 1 else 'companies'} looked at"
