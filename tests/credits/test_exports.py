"""Long reports in the background: asked for, prepared once, cancelled, kept for seven days."""

from __future__ import annotations

import errno
import os
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from config import databases as config_databases
from credits import exports
from credits.exports import AlreadyEnded, StillPreparing, TooManyExports
from credits.identifiers import new_id
from credits.models import ExportJob
from credits.reports import rows
from credits.reports.usage import CreditUsageReport
from credits.wakes import EXPORT_TASK
from tests.support import databases, people
from tests.support.breaking import update_refused_by
from tests.support.exporting import NOW, asked_for, company_with_use
from tests.support.sheets import written


@pytest.fixture
def folder(settings, tmp_path):
    settings.EXPORTS = tmp_path / "exports"
    return settings.EXPORTS


@pytest.fixture(scope="module")
def database(django_db_setup, django_db_blocker):
    """A database that commits: a job says how far it is on a connection of its own."""
    with django_db_blocker.unblock(), databases.cloned("test_exports"):
        yield


@pytest.fixture
def acme(database, folder):
    ExportJob.objects.all().delete()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pgmq.q_backfill")
    return company_with_use()


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def at(instant):
    return lambda: instant


def prepare(job, now=NOW):
    return exports.prepare(job_id=job.pk, clock=at(now))


def files_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_prepared_export_is_the_report_s_own_file(acme, alice, folder):
    job = prepare(asked_for(acme, alice))

    assert (job.state, job.row_count, job.rows_done) == ("READY", 3, 3)
    assert job.expires_at == NOW + timedelta(days=7)
    content = exports.path_of(job).read_bytes()
    assert content == written(CreditUsageReport(company=acme))
    assert job.byte_count == len(content)
    assert files_in(folder) == [job.file_name]
    assert folder.stat().st_mode & 0o777 == 0o700


@pytest.mark.parametrize("file_format", ["csv", "json", "xlsx"])
@pytest.mark.parametrize("report", ["credit-usage", "credit-balance", "purchase-history"])
def test_every_report_is_prepared_in_every_format(acme, alice, report, file_format):
    job = prepare(asked_for(acme, alice, report=report, file_format=file_format))

    assert (job.state, job.file_name.rpartition(".")[2]) == ("READY", file_format)


def test_asking_wakes_a_worker_after_the_commit(acme, alice):
    job = asked_for(acme, alice)

    with connection.cursor() as cursor:
        cursor.execute("SELECT message FROM pgmq.q_backfill")
        ((message,),) = cursor.fetchall()
    assert EXPORT_TASK in str(message)
    assert job.state == "QUEUED"


def test_a_job_is_prepared_by_one_worker_only(acme, alice):
    job = asked_for(acme, alice)
    ExportJob.objects.filter(pk=job.pk).update(
        state="PREPARING", lease_token=new_id(), leased_until=NOW + timedelta(minutes=1)
    )

    assert prepare(job) is None


def test_a_message_that_comes_twice_prepares_once(acme, alice, folder):
    job = asked_for(acme, alice)
    prepare(job)

    assert prepare(job) is None
    assert len(files_in(folder)) == 1


def test_a_job_says_how_far_it_is_and_keeps_its_lease(acme, alice, monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 1)
    monkeypatch.setattr(exports, "SECONDS_BETWEEN_REPORTS", 0)
    instants = iter([NOW])
    seen = []
    job = asked_for(acme, alice)
    write = exports.files.write

    def watched(*args, on_rows, **options):
        def watch(row_count):
            on_rows(row_count)
            seen.append(as_somebody_else_sees(job))

        return write(*args, on_rows=watch, **options)

    monkeypatch.setattr(exports.files, "write", watched)
    later = NOW + timedelta(minutes=4)
    exports.prepare(job_id=job.pk, clock=lambda: next(instants, later))

    assert seen == [("PREPARING", count, later + timedelta(minutes=5)) for count in (1, 2, 3)]


def as_somebody_else_sees(job):
    """Read the job on another connection: its own is in the middle of the rows."""
    with psycopg.connect(config_databases.dsn()) as other:
        return other.execute(
            "SELECT state, rows_done, leased_until FROM credits_exportjob WHERE id = %s", [job.pk]
        ).fetchone()


def test_cancelling_stops_the_worker_and_leaves_no_file(acme, alice, folder, monkeypatch):
    monkeypatch.setattr(rows, "PART_BYTES", 1)
    monkeypatch.setattr(exports, "SECONDS_BETWEEN_REPORTS", 0)
    job = asked_for(acme, alice)
    write = exports.files.write
    reported = []

    def cancelled_on_the_way(*args, on_rows, **options):
        def and_cancel(row_count):
            reported.append(row_count)
            if row_count == 2:
                by_somebody_else(job, alice)
            on_rows(row_count)

        return write(*args, on_rows=and_cancel, **options)

    monkeypatch.setattr(exports.files, "write", cancelled_on_the_way)

    assert prepare(job) is None
    assert reported == [1, 2]
    assert ExportJob.objects.get(pk=job.pk).state == "CANCELLED"
    assert files_in(folder) == []


def by_somebody_else(job, person):
    """Cancel on another connection, as another process would."""
    with psycopg.connect(config_databases.dsn()) as other:
        other.execute(
            "UPDATE credits_exportjob SET state = 'CANCELLED', lease_token = NULL,"
            " leased_until = NULL, finished_at = now(), cancelled_by_id = %s WHERE id = %s",
            [person.pk, job.pk],
        )


def test_a_job_cancelled_at_the_very_end_is_not_ready(acme, alice, folder, monkeypatch):
    job = asked_for(acme, alice)
    write = exports._write

    def cancelled_after(*args):
        done = write(*args)
        exports.cancel(job_id=job.pk, by=alice, now=NOW)
        return done

    monkeypatch.setattr(exports, "_write", cancelled_after)

    assert prepare(job) is None
    assert ExportJob.objects.get(pk=job.pk).state == "CANCELLED"
    assert files_in(folder) == []


def test_what_has_ended_is_not_cancelled(acme, alice):
    job = prepare(asked_for(acme, alice))

    with pytest.raises(AlreadyEnded):
        exports.cancel(job_id=job.pk, by=alice, now=NOW)


def test_running_again_counts_anew_and_leaves_the_first(acme, alice):
    first = prepare(asked_for(acme, alice, row_count=1))
    second = exports.rerun(job=first, by=alice, now=NOW + timedelta(hours=1))

    assert second.pk != first.pk
    assert (second.state, second.row_count) == ("QUEUED", 3)
    assert exports.choice_of(second) == exports.choice_of(first)
    assert ExportJob.objects.get(pk=first.pk).state == "READY"


def test_what_is_being_prepared_is_not_run_again(acme, alice):
    with pytest.raises(StillPreparing):
        exports.rerun(job=asked_for(acme, alice), by=alice, now=NOW)


def test_a_company_has_at_most_twenty_open_exports(acme, alice):
    for _ in range(20):
        asked_for(acme, alice)

    with pytest.raises(TooManyExports):
        asked_for(acme, alice)
    assert ExportJob.objects.count() == 20


@pytest.mark.parametrize("file_format", ["csv", "json", "xlsx"])
def test_a_full_disk_fails_the_export_with_a_sentence(
    acme, alice, folder, monkeypatch, file_format
):
    """The part is a link to the kernel's own full disk."""
    job = asked_for(acme, alice, file_format=file_format)
    claim = exports._claim

    def with_a_full_disk(*args):
        claimed = claim(*args)
        part = exports.folder() / f"{claimed.pk}-{claimed.lease_token}.part"
        part.symlink_to("/dev/full")
        return claimed

    monkeypatch.setattr(exports, "_claim", with_a_full_disk)

    failed = prepare(job)

    assert (failed.state, failed.file_name) == ("FAILED", "")
    assert failed.reason == (
        "The disk for exports is full. Free some space, or choose fewer days, and run it again."
    )
    assert files_in(folder) == []
    assert Path("/dev/full").exists()


def test_a_database_without_room_to_sort_fails_it_too(acme, alice, folder, monkeypatch):
    def full(*args, **options):
        raise exports.OperationalError from psycopg.errors.DiskFull()

    monkeypatch.setattr(exports.files, "write", full)

    assert prepare(asked_for(acme, alice)).state == "FAILED"
    assert files_in(folder) == []


def test_another_fault_of_the_disk_is_not_called_a_full_one(acme, alice, folder, monkeypatch):
    def broken(*args, **options):
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(exports.files, "write", broken)
    job = asked_for(acme, alice)

    with pytest.raises(OSError, match="Input/output error"):
        prepare(job)
    assert ExportJob.objects.get(pk=job.pk).state == "PREPARING"
    assert files_in(folder) == []


def test_a_report_that_is_not_offered_any_more_fails_with_a_sentence(acme, alice):
    failed = prepare(asked_for(acme, alice, report="weather"))

    assert failed.reason == "This report is not offered any more; choose another one."


def test_a_lost_lease_is_taken_back_and_tried_again(acme, alice):
    job = asked_for(acme, alice)
    exports._claim(job.pk, NOW)

    woken = exports.sweep(now=NOW + exports.LEASE + timedelta(seconds=1))

    assert woken == 1
    assert ExportJob.objects.get(pk=job.pk).state == "QUEUED"
    assert prepare(job).state == "READY"


def test_a_worker_that_woke_after_its_lease_writes_nothing(acme, alice, folder):
    job = asked_for(acme, alice)
    late = exports._claim(job.pk, NOW)
    part = exports.folder() / f"{late.pk}-{late.lease_token}.part"
    part.write_bytes(b"late")
    exports.sweep(now=NOW + timedelta(hours=1))
    ready = prepare(job, NOW + timedelta(hours=1))

    assert exports._finish(late, part, exports.files.Written(1, "csv"), NOW) is None
    assert files_in(folder) == [ready.file_name]
    assert ExportJob.objects.get(pk=job.pk).row_count == 3


def test_the_fifth_loss_parks_the_export_with_its_reason(acme, alice):
    job = asked_for(acme, alice)
    now = NOW
    for _ in range(5):
        exports._claim(job.pk, now)
        now += timedelta(minutes=6)
        exports.sweep(now=now)

    parked = ExportJob.objects.get(pk=job.pk)
    assert (parked.state, parked.attempts) == ("FAILED", 5)
    assert parked.reason == (
        "Its worker stopped before the end, five times. Choose fewer days, or CSV."
    )


def test_an_export_is_kept_for_seven_days_and_then_removed(acme, alice, folder):
    job = prepare(asked_for(acme, alice))
    end = NOW + timedelta(days=7)
    instant = timedelta(microseconds=1)

    assert exports.is_downloadable(job, end - instant)
    assert not exports.is_downloadable(job, end)
    assert exports.clean_up(now=end) == 0
    assert files_in(folder) == [job.file_name]
    assert exports.clean_up(now=end + instant) == 1
    assert files_in(folder) == []
    assert not ExportJob.objects.exists()


def test_a_file_that_is_gone_already_does_not_stop_the_clean_up(acme, alice):
    first, second = (prepare(asked_for(acme, alice)) for _ in range(2))
    exports.path_of(first).unlink()

    assert exports.clean_up(now=NOW + timedelta(days=8)) == 2
    assert not exports.path_of(second).exists()


def test_what_a_killed_worker_left_is_removed_an_hour_later(acme, alice, folder):
    ready = prepare(asked_for(acme, alice))
    part = folder / "left.part"
    part.write_bytes(b"half a report")
    written_at = part.stat().st_mtime
    soon, later = (
        NOW.fromtimestamp(written_at, tz=NOW.tzinfo) + timedelta(minutes=minutes)
        for minutes in (59, 61)
    )

    exports._remove_abandoned(soon)
    assert files_in(folder) == sorted([ready.file_name, "left.part"])
    exports._remove_abandoned(later)
    assert files_in(folder) == [ready.file_name]


CHANGES = {
    "export_state_and_format_are_known": {"state": "PAUSED", "finished_at": NOW},
    "export_days_are_a_range_or_all": {"first_day": "2026-12-05", "last_day": "2026-12-01"},
    "export_is_leased_while_it_is_prepared": {"state": "PREPARING"},
    "export_is_finished_when_it_has_ended": {"finished_at": NOW},
    "export_has_its_file_when_it_is_ready": {"state": "READY", "finished_at": NOW},
    "export_that_failed_says_why": {"state": "FAILED", "finished_at": NOW},
    "export_is_cancelled_by_a_person": {"state": "CANCELLED", "finished_at": NOW},
}


@pytest.mark.parametrize("constraint", CHANGES)
def test_the_database_refuses_an_export_that_contradicts_itself(acme, alice, constraint):
    job = asked_for(acme, alice)

    assert update_refused_by(job, **CHANGES[constraint]) == constraint
