"""What Celery runs for the ledger."""

from __future__ import annotations

from datetime import timedelta
from uuid import UUID

from celery import shared_task
from celery.exceptions import SoftTimeLimitExceeded
from django.utils import timezone

from credits import (
    alert_mails,
    alerts,
    announcing,
    expirations,
    exports,
    idempotency,
    jobs,
    limit_mails,
    usage_days,
)
from credits.models import ExportJob, ExportState

SETTLE_PERIOD = timedelta(minutes=1)
EXPORTS_PERIOD = timedelta(minutes=1)
ALERTS_PERIOD = timedelta(seconds=30)
FORGET_PERIOD = timedelta(hours=1)
ADD_UP_PERIOD = timedelta(hours=1)


@shared_task
def settle() -> None:
    """Write down what has become effective, lapsed or expired since the last minute."""
    with jobs.once_per_period("settle", now=timezone.now(), period=SETTLE_PERIOD) as job:
        if job.is_mine:
            count = expirations.settle_due()
            job.summary = f"{count:,} {'company' if count == 1 else 'companies'} settled"


@shared_task
def export(*, job_id: str) -> None:
    """Prepare the file of one export, and tell who asked for it; either may be done already."""
    try:
        exports.prepare(job_id=UUID(job_id), clock=timezone.now)
    except SoftTimeLimitExceeded:
        job = ExportJob.objects.get(pk=job_id)
        if job.state == ExportState.PREPARING:
            exports.fail(job=job, reason=exports.TOOK_TOO_LONG, now=timezone.now())
    announcing.announce(job_id=UUID(job_id), clock=timezone.now)


@shared_task
def look_after_exports() -> None:
    """Find the exports whose worker or message was lost, and remove those that are too old."""
    now = timezone.now()
    with jobs.once_per_period("exports", now=now, period=EXPORTS_PERIOD) as job:
        if job.is_mine:
            woken = exports.sweep(now=now)
            removed = exports.clean_up(now=now)
            job.summary = f"{woken} woken, {removed} removed"


@shared_task
def look_at_use() -> None:
    """Raise the alerts that the ledger calls for, and find e-mails whose message was lost."""
    now = timezone.now()
    with jobs.once_per_period("alerts", now=now, period=ALERTS_PERIOD) as job:
        if job.is_mine:
            raised = alerts.evaluate_all(now=now) + limit_mails.evaluate_all(now=now)
            due = alert_mails.sweep(now=now) + limit_mails.sweep(now=now)
            job.summary = f"{raised:,} raised, {due:,} e-mails due"


@shared_task
def mail_alert(*, mail_id: str) -> None:
    """Send one alert's e-mail to one person; it may be sent already."""
    alert_mails.send(mail_id=UUID(mail_id), clock=timezone.now)


@shared_task
def mail_limit(*, mail_id: str) -> None:
    """Send the e-mail of one limit to one person; it may be sent already."""
    limit_mails.send(mail_id=UUID(mail_id), clock=timezone.now)


@shared_task
def forget_answers() -> None:
    """Drop what clients were told more than 30 days ago; that it was done stays known."""
    now = timezone.now()
    with jobs.once_per_period("forget_answers", now=now, period=FORGET_PERIOD) as job:
        if job.is_mine:
            count = idempotency.forget_answers(now=now)
            job.summary = f"{count:,} answer{'' if count == 1 else 's'} forgotten"


@shared_task
def add_up_days() -> None:
    """Add up the closed days that nobody has looked at, for whoever looks next."""
    now = timezone.now()
    with jobs.once_per_period("add_up_days", now=now, period=ADD_UP_PERIOD) as job:
        if job.is_mine:
            count = usage_days.add_up_all(now=now)
            job.summary = f"{count:,} day{'' if count == 1 else 's'} added up"
