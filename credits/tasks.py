"""What Celery runs for the ledger."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from credits import expirations, idempotency, jobs

SETTLE_PERIOD = timedelta(minutes=1)
FORGET_PERIOD = timedelta(hours=1)


@shared_task
def settle() -> None:
    """Write down what has become effective, lapsed or expired since the last minute."""
    with jobs.once_per_period("settle", now=timezone.now(), period=SETTLE_PERIOD) as job:
        if job.is_mine:
            count = expirations.settle_due()
            job.summary = f"{count:,} {'company' if count == 1 else 'companies'} settled"


@shared_task
def forget_answers() -> None:
    """Drop what clients were told more than 30 days ago; that it was done stays known."""
    now = timezone.now()
    with jobs.once_per_period("forget_answers", now=now, period=FORGET_PERIOD) as job:
        if job.is_mine:
            count = idempotency.forget_answers(now=now)
            job.summary = f"{count:,} answer{'' if count == 1 else 's'} forgotten"
