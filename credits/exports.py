"""Long reports: asked for by a person, prepared by a worker, kept for seven days.

The row is the truth: a worker leases it, writes a file of its own, and only then says in one
UPDATE that names its lease that the file is ready. Whoever lost the lease, or was cancelled,
throws its file away.
"""

from __future__ import annotations

import contextlib
import errno
import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import OperationalError, connection, transaction
from django.db.models import Case, F, Q, QuerySet, Value, When
from django.urls import reverse
from psycopg.errors import DiskFull

from credits import audit, faults, wakes
from credits.audit import Action
from credits.identifiers import new_id
from credits.models import Company, ExportJob, ExportState, User
from credits.models.exports import OPEN_EXPORT_STATES
from credits.reports import files
from credits.reports.base import DayRange
from credits.reports.registry import Choice, NoSuchReport

KEPT = timedelta(days=7)
LEASE = timedelta(minutes=5)
ATTEMPTS_MAX = 5
OPEN_MAX = 20  # Of one company; more would only wait for each other.
WAKES_MAX = 200
CLEAN_MAX = 500
SECONDS_BETWEEN_REPORTS = 1.0
# A file that is being written is younger; one left by a killed worker is not written to.
ABANDONED = timedelta(hours=1)

DISK_FULL = "the disk for exports is full. Free some space, or choose fewer days, and run it again."
TOOK_TOO_LONG = "It took longer than 14 minutes. Choose fewer days and run it again."
STOPPED_TOO_OFTEN = "Its worker stopped before the end, five times. Choose fewer days, or CSV."


# No space, no quota, or a file of more bytes than this user may write.
_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)


class TooManyExports(Exception):
    """20 exports of this company are being prepared; wait for one of them, or cancel one."""


class AlreadyEnded(Exception):
    """This export has ended already; there is nothing to cancel."""


class StillPreparing(Exception):
    """This export is being prepared already; wait for it, or cancel it first."""


class _Gone(Exception):
    """The job was cancelled, or another worker has its lease."""


def request(
    *,
    company: Company,
    choice: Choice,
    row_count: int,
    by: User,
    now: datetime,
    address: Callable[[str], str] | None = None,
) -> ExportJob:
    """Queue a report to be prepared; return its job.

    ``address`` turns a path of this site into a whole address, for the e-mail that says it has
    ended; without it none is sent. A worker has no request that would tell it.

    :raises TooManyExports: 20 of the company are open.
    """
    if ExportJob.objects.filter(company=company, state__in=OPEN_EXPORT_STATES).count() >= OPEN_MAX:
        raise TooManyExports(TooManyExports.__doc__)
    job_id = new_id()
    page = reverse("admin:credits_exportjob_change", args=[job_id])
    with transaction.atomic():
        job = ExportJob.objects.create(
            id=job_id,
            company=company,
            report=choice.report,
            first_day=choice.days.first,
            last_day=choice.days.last,
            file_format=choice.file_format,
            has_free_use=choice.has_free_use,
            is_daily=choice.is_daily,
            has_bom=choice.has_bom,
            row_count=row_count,
            requested_at=now,
            requested_by=by,
            page_url=address(page) if address else "",
        )
        _record(Action.REQUESTED, job, by=by, after=choice.facts | {"rows": row_count})
        wakes.export(job_id=job.pk)
    return job


def choice_of(job: ExportJob) -> Choice:
    """Return what the job was asked to hold."""
    return Choice(
        report=job.report,
        days=DayRange(job.first_day, job.last_day),
        file_format=job.file_format,
        has_free_use=job.has_free_use,
        is_daily=job.is_daily,
        has_bom=job.has_bom,
    )


def count_again(job: ExportJob) -> int:
    """Return how many rows the same report has now.

    :raises NoSuchReport: the report is not offered any more.
    """
    report = choice_of(job).report_of(job.company)
    report.before_export(None)
    return report.totals(DayRange(job.first_day, job.last_day)).row_count


def rerun(
    *,
    job: ExportJob,
    by: User,
    now: datetime,
    address: Callable[[str], str] | None = None,
) -> ExportJob:
    """Ask for the same report as it is now; return the new job, and leave the old one.

    :raises StillPreparing: the old one has not ended.
    :raises TooManyExports: 20 of the company are open.
    :raises NoSuchReport: the report is not offered any more.
    """
    if job.state in OPEN_EXPORT_STATES:
        raise StillPreparing(StillPreparing.__doc__)
    return request(
        company=job.company,
        choice=choice_of(job),
        row_count=count_again(job),
        by=by,
        now=now,
        address=address,
    )


def cancel(*, job_id: UUID, by: User, now: datetime) -> ExportJob:
    """End a job that is queued or being prepared; its worker throws away what it has.

    :raises AlreadyEnded: it was ready, failed or cancelled before.
    """
    with transaction.atomic():
        cancelled = ExportJob.objects.filter(pk=job_id, state__in=OPEN_EXPORT_STATES).update(
            state=ExportState.CANCELLED, cancelled_by=by, finished_at=now, **_UNLEASED
        )
        if not cancelled:
            raise AlreadyEnded(AlreadyEnded.__doc__)
        job = ExportJob.objects.get(pk=job_id)
        _record(Action.CANCELLED, job, by=by)
    return job


def prepare(*, job_id: UUID, clock: Callable[[], datetime]) -> ExportJob | None:
    """Write the file of a job that nobody else is on; return the job as it ended.

    Returns None when there was nothing to do, or it was cancelled on the way.
    """
    job = _claim(job_id, clock())
    if job is None or job.lease_token is None:
        return None
    faults.reach(faults.Point.LEASED)
    part = folder() / f"{job.pk}-{job.lease_token}.part"
    try:
        with _progress(job, clock) as on_rows:
            written = _write(job, part, on_rows)
        faults.reach(faults.Point.ROWS)
        ready = _finish(job, part, written, clock())
        faults.reach(faults.Point.READY)
        return ready
    except _Gone:
        return None
    except NoSuchReport as error:
        return fail(job=job, reason=str(error), now=clock())
    except (OSError, OperationalError) as error:
        if not _is_disk_full(error):
            raise
        return fail(job=job, reason=DISK_FULL[0].upper() + DISK_FULL[1:], now=clock())
    finally:
        part.unlink(missing_ok=True)


def fail(*, job: ExportJob, reason: str, now: datetime) -> ExportJob | None:
    """Say why a job has no file; None when it is not the caller's any more."""
    failed = _leased(job).update(state=ExportState.FAILED, reason=reason, **_ended(now))
    return ExportJob.objects.get(pk=job.pk) if failed else None


def sweep(*, now: datetime) -> int:
    """Take back jobs whose worker died, and wake workers for what waits; return how many.

    A job that has ended waits as well while it is still to be announced (``announcing``).
    """
    lost = ExportJob.objects.filter(state=ExportState.PREPARING, leased_until__lt=now)
    lost.filter(attempts__gte=ATTEMPTS_MAX).update(
        state=ExportState.FAILED, reason=STOPPED_TOO_OFTEN, **_ended(now)
    )
    lost.update(state=ExportState.QUEUED, rows_done=0, **_UNLEASED)
    is_waiting = Q(state=ExportState.QUEUED) | Q(mail_due_at__lte=now)
    waiting = ExportJob.objects.filter(is_waiting).order_by("requested_at", "pk")
    ids = list(waiting.values_list("pk", flat=True)[:WAKES_MAX])
    for job_id in ids:
        wakes.export(job_id=job_id)
    return len(ids)


def clean_up(*, now: datetime) -> int:
    """Remove exports that ended more than seven days ago, with their files; return how many."""
    old = ExportJob.objects.filter(finished_at__lt=now - KEPT).order_by("finished_at", "pk")
    jobs = list(old[:CLEAN_MAX])
    for job in jobs:
        # The file first: whoever dies in between leaves a row that is found again.
        if job.file_name:
            path_of(job).unlink(missing_ok=True)
        job.delete()
    _remove_abandoned(now)
    return len(jobs)


def folder() -> Path:
    """Return the folder of exports, made when it is missing."""
    path = Path(settings.EXPORTS)
    path.mkdir(mode=0o700, parents=True, exist_ok=True)
    return path


def path_of(job: ExportJob) -> Path:
    """Return where a ready job's file lies."""
    return folder() / job.file_name


def is_downloadable(job: ExportJob, now: datetime) -> bool:
    """Tell whether the file may still be had: the seven days are a fact of time, not of a job."""
    return job.state == ExportState.READY and job.expires_at is not None and now < job.expires_at


def _record(
    action: Action, job: ExportJob, *, by: User, after: dict[str, Any] | None = None
) -> None:
    audit.record(
        action=action,
        by=by,
        company=job.company_id,
        subject=audit.named(job, f"of {job.report.replace('-', ' ')}"),
        after=after,
    )


_UNLEASED: dict[str, Any] = {"lease_token": None, "leased_until": None}


def _ended(now: datetime) -> dict[str, Any]:
    """Return what is set with a job's last state: in one UPDATE, so that no e-mail is lost."""
    due = Case(When(page_url="", then=None), default=Value(now))
    return _UNLEASED | {"finished_at": now, "mail_due_at": due}


def _claim(job_id: UUID, now: datetime) -> ExportJob | None:
    """Lease a job that waits, or whose worker's lease has run out."""
    free = Q(state=ExportState.QUEUED) | Q(state=ExportState.PREPARING, leased_until__lt=now)
    claimed = ExportJob.objects.filter(free, pk=job_id, attempts__lt=ATTEMPTS_MAX).update(
        state=ExportState.PREPARING,
        lease_token=new_id(),
        leased_until=now + LEASE,
        attempts=F("attempts") + 1,
        rows_done=0,
    )
    return ExportJob.objects.select_related("company").get(pk=job_id) if claimed else None


def _write(job: ExportJob, part: Path, on_rows: Callable[[int], None]) -> files.Written:
    choice = choice_of(job)
    with open(part, "wb") as file:
        written = files.write(
            choice.report_of(job.company),
            choice.days,
            file,
            file_format=choice.file_format,
            has_bom=choice.has_bom,
            on_rows=on_rows,
            folder=folder(),
        )
        file.flush()
        os.fsync(file.fileno())
    return written


def _finish(job: ExportJob, part: Path, written: files.Written, now: datetime) -> ExportJob | None:
    final = part.with_suffix(f".{written.extension}")
    byte_count = part.stat().st_size
    part.rename(final)
    faults.reach(faults.Point.NAMED)
    finished = _leased(job).update(
        state=ExportState.READY,
        expires_at=now + KEPT,
        file_name=final.name,
        byte_count=byte_count,
        row_count=written.row_count,
        rows_done=written.row_count,
        **_ended(now),
    )
    if not finished:
        final.unlink(missing_ok=True)
        return None
    return ExportJob.objects.get(pk=job.pk)


def _leased(job: ExportJob) -> QuerySet[ExportJob]:
    return ExportJob.objects.filter(
        pk=job.pk, state=ExportState.PREPARING, lease_token=job.lease_token
    )


@contextmanager
def _progress(job: ExportJob, clock: Callable[[], datetime]) -> Iterator[Callable[[int], None]]:
    """Give a function that says how far the job is, and keeps its lease, once a second.

    On a connection of its own: the other one is inside the snapshot that the rows come from.
    It raises when the job is not ours any more.
    """
    own = connection.copy()
    next_at = 0.0

    def on_rows(row_count: int) -> None:
        nonlocal next_at
        if time.monotonic() < next_at:
            return
        next_at = time.monotonic() + SECONDS_BETWEEN_REPORTS
        with own.cursor() as cursor:
            cursor.execute(
                "UPDATE credits_exportjob SET rows_done = %s, leased_until = %s"
                " WHERE id = %s AND state = 'PREPARING' AND lease_token = %s",
                [row_count, clock() + LEASE, job.pk, job.lease_token],
            )
            if cursor.rowcount == 0:
                raise _Gone

    try:
        yield on_rows
    finally:
        own.close()


def _is_disk_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in _FULL
    return isinstance(error.__cause__, DiskFull)


def _remove_abandoned(now: datetime) -> None:
    """Remove what killed workers left in the folder: parts, and files no row names."""
    for path in folder().iterdir():
        with contextlib.suppress(FileNotFoundError):
            age = now.timestamp() - path.stat().st_mtime
            if age < ABANDONED.total_seconds():
                continue
            if not ExportJob.objects.filter(file_name=path.name).exists():
                path.unlink()
