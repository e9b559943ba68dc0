"""What Celery runs for contracts."""

from __future__ import annotations

from datetime import timedelta

from celery import shared_task
from django.utils import timezone

from billing import allocations, zone_changes
from credits import jobs, shown

ALLOCATE_PERIOD = timedelta(hours=1)
ZONES_PERIOD = timedelta(minutes=1)


@shared_task
def allocate() -> None:
    """Issue what is due within three days, for every contract, once an hour."""
    now = timezone.now()
    with jobs.once_per_period("allocate", now=now, period=ALLOCATE_PERIOD) as job:
        if job.is_mine:
            count = allocations.run_all(now=now)
            job.summary = f"{shown.counted(count, 'contract')} looked at"


@shared_task
def change_zones() -> None:
    """Give companies whose period has ended the time zone that was decided on."""
    now = timezone.now()
    with jobs.once_per_period("change_zones", now=now, period=ZONES_PERIOD) as job:
        if job.is_mine:
            count = zone_changes.apply_all(now=now)
            job.summary = f"{shown.counted(count, 'company', 'companies')} changed"
