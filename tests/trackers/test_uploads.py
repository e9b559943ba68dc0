"""Imports by upload: shown in numbers first, taken in once, and never kept for long."""

from __future__ import annotations

import itertools
import json
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError, transaction

from credits.companies import CompanyClosed
from credits.models import Company
from tests.support import conversations, people
from trackers import erasure, erasure_requests, ingestion, uploads
from trackers.importers.reading import MemoryFile, TooManyRows
from trackers.models import (
    Conversation,
    CustomerAccount,
    Deal,
    ImportFile,
    ImportUpload,
    Retention,
    Scan,
)
from trackers.uploads import (
    AlreadyImported,
    NothingUploaded,
    TooManyFiles,
    UploadGone,
    UploadTooLarge,
)

pytestmark = pytest.mark.django_db


def line(external_id: str, **changes) -> str:
    content = {
        "id": external_id,
        "kind": "call",
        "started_at": "2026-03-01T09:00:00Z",
        "duration_seconds": 300,
        "participants": [{"id": "r", "role": "internal"}, {"id": "c", "role": "external"}],
        "utterances": [{"id": "u0", "speaker": "c", "start": 1.5, "text": "Too expensive."}],
    }
    return json.dumps(content | changes)


def jsonl(*lines: str | bytes) -> MemoryFile:
    data = b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines)
    return MemoryFile("calls.jsonl", data)


def keep(acme, by, now, *files: MemoryFile, import_format: str = "") -> ImportUpload:
    return uploads.keep(company=acme, files=files, import_format=import_format, by=by, now=now)


def test_nothing_is_imported_before_it_is_confirmed(acme, alice, now):
    upload = keep(acme, alice, now, jsonl(line("call-1")))

    uploads.look(upload=upload, now=now)

    assert not Conversation.objects.exists()
    assert ImportFile.objects.get().upload == upload


def test_a_look_counts_rows_new_and_history_and_what_they_cost(acme, alice, now):
    people.credits_for(acme, "10")
    conversations.published(acme, alice, now=now - timedelta(days=60))
    fresh = (now - timedelta(days=2)).isoformat()
    same, changed = line("same"), line("text")
    first = keep(acme, alice, now, jsonl(same, changed, line("details"), line("gone")))
    uploads.take_in(upload=first, by=alice, now=now)
    gone = erasure_requests.by_external_id(company=acme, external_id="gone")
    erasure.erase(request=gone, by=alice, reason="", now=now)
    other = [{"id": "u0", "speaker": "c", "start": 1.5, "text": "Another text."}]
    upload = keep(
        acme,
        alice,
        now,
        jsonl(
            line("new", started_at=fresh),
            line("long", started_at=fresh, duration_seconds=601),
            line("old"),
            same,
            same,
            line("text", utterances=other),
            line("details", title="Renamed"),
            line("gone"),
            "{oops",
            line("future", started_at="2090-01-01T00:00:00Z"),
        ),
    )

    found = uploads.look(upload=upload, now=now)

    assert (found.readable, len(found.bad_lines), found.repeats) == (7, 2, 1)
    report = found.report
    assert (report.created, report.revised, report.updated) == (3, 1, 1)
    assert (report.unchanged, report.erased) == (1, 1)
    assert (found.new, found.history, found.scans) == (2, 1, 2)
    assert found.credits == Decimal("1.500")
    assert [str(bad)[:22] for bad in found.bad_lines] == [
        "calls.jsonl, line 9: n",
        "calls.jsonl, line 10: ",
    ]


def test_what_was_looked_at_is_what_is_then_done(acme, alice, now):
    people.credits_for(acme, "10")
    conversations.published(acme, alice, now=now - timedelta(days=60))
    fresh = (now - timedelta(days=2)).isoformat()
    upload = keep(acme, alice, now, jsonl(line("a", started_at=fresh), line("b"), "{oops"))
    looked = uploads.look(upload=upload, now=now)

    done = uploads.take_in(upload=upload, by=alice, now=now)

    assert (done.created_count, done.left_out_count, done.scan_count) == (2, 1, 1)
    assert (looked.report.created, looked.scans) == (2, 1)
    assert Scan.objects.get().conversation.external_id == "a"
    assert done.finished_at == now
    assert not ImportFile.objects.exists()


def test_an_import_happens_once(acme, alice, now):
    upload = keep(acme, alice, now, jsonl(line("call-1")))
    uploads.take_in(upload=upload, by=alice, now=now)

    with pytest.raises(AlreadyImported):
        uploads.take_in(upload=upload, by=alice, now=now)
    with pytest.raises(AlreadyImported):
        uploads.look(upload=upload, now=now)


def test_an_import_under_way_is_not_begun_again_until_its_process_must_be_dead(acme, alice, now):
    upload = keep(acme, alice, now, jsonl(line("call-1")))
    ImportUpload.objects.filter(pk=upload.pk).update(confirmed_at=now)

    with pytest.raises(AlreadyImported):
        uploads.take_in(upload=upload, by=alice, now=now + timedelta(minutes=14))
    done = uploads.take_in(upload=upload, by=alice, now=now + timedelta(minutes=16))

    assert done.created_count == 1


def test_an_import_that_fails_midway_goes_on_when_it_is_confirmed_again(
    acme, alice, now, monkeypatch
):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 2)
    upload = keep(acme, alice, now, jsonl(*(line(f"call-{number}") for number in range(5))))
    fan_out, chunks = ingestion._fan_out, itertools.count()

    def failing(*asked):
        if next(chunks) == 1:
            raise OSError("no space left on device")
        return fan_out(*asked)

    monkeypatch.setattr(ingestion, "_fan_out", failing)
    with pytest.raises(OSError, match="no space left"):
        uploads.take_in(upload=upload, by=alice, now=now)
    assert Conversation.objects.count() == 2

    done = uploads.take_in(upload=upload, by=alice, now=now + timedelta(minutes=1))

    assert (done.created_count, done.unchanged_count) == (3, 2)
    assert Conversation.objects.count() == 5
    assert not ImportFile.objects.exists()


def test_an_import_that_failed_leaves_who_confirmed_it_since_alone(acme, alice, now, monkeypatch):
    upload = keep(acme, alice, now, jsonl(line("call-1")))
    later = now + timedelta(minutes=16)

    def failing(**asked):
        ImportUpload.objects.filter(pk=upload.pk).update(confirmed_at=later)
        raise OSError("no space left on device")

    monkeypatch.setattr(ingestion, "ingest", failing)
    with pytest.raises(OSError, match="no space left"):
        uploads.take_in(upload=upload, by=alice, now=now)

    with pytest.raises(AlreadyImported):
        uploads.take_in(upload=upload, by=alice, now=later)


def test_an_upload_expires_after_an_hour_whether_or_not_a_job_ran(acme, alice, now):
    upload = keep(acme, alice, now, jsonl(line("call-1")))
    later = now + timedelta(hours=1)

    with pytest.raises(UploadGone):
        uploads.look(upload=upload, now=later)
    with pytest.raises(UploadGone):
        uploads.take_in(upload=upload, by=alice, now=later)
    assert ImportFile.objects.count() == 1
    assert uploads.clean_up(now=later) == 1
    assert not ImportFile.objects.exists()
    assert not Conversation.objects.exists()


def test_a_closed_company_takes_nothing_in(acme, alice, now):
    upload = keep(acme, alice, now, jsonl(line("call-1")))
    Company.objects.filter(pk=acme.pk).update(closed_at=now, closed_by=alice, closing_reason="x")

    with pytest.raises(CompanyClosed):
        uploads.take_in(upload=upload, by=alice, now=now)

    assert not Conversation.objects.exists()


REFUSED = {
    "no file": ([], NothingUploaded, "choose a file with at least one line"),
    "an empty file": ([MemoryFile("a", b"  \n")], NothingUploaded, "at least one line"),
    "too many files": (
        [MemoryFile("a", line("x").encode())] * 11,
        TooManyFiles,
        "at most 10 files",
    ),
    "too large": ([MemoryFile("a", b"x" * 1024 * 1024 * 2)], UploadTooLarge, "larger than 1 MB"),
    "too many rows": ([jsonl(*[line(str(n)) for n in range(6)])], TooManyRows, "more than 5 rows"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_is_too_much_is_refused_in_one_sentence_and_not_kept(acme, alice, now, settings, case):
    settings.IMPORT_MEGABYTES, settings.IMPORT_ROWS = 1, 5
    files, error, words = REFUSED[case]

    with pytest.raises(error, match=words):
        keep(acme, alice, now, *files)

    assert not ImportUpload.objects.exists()


HOSTILE = {
    "not JSON": b"{oops",
    "nested 10,000 deep": b"[" * 10_000 + b"]" * 10_000,
    "a NUL": line("x", title="a\0b").encode(),
    "a lone surrogate": line("x", title="t").encode().replace(b'"t"', b'"\\ud800"'),
    "Latin-1": line("x").encode().replace(b"Too", b"Caf\xe9"),
    "UTF-16": line("x").encode("utf-16"),
    "gzip": b"\x1f\x8b\x08" + b"\0" * 99,
    "a zip bomb": b"PK\x03\x04" + b"\0" * 99,
    "a huge line": b'{"id": "' + b"x" * 300_000 + b'"}',
    "a picture": bytes(range(256)) * 9,
}


@pytest.mark.parametrize("case", HOSTILE)
def test_a_hostile_file_costs_only_its_lines(acme, alice, now, case):
    upload = keep(acme, alice, now, jsonl(HOSTILE[case]))

    found = uploads.look(upload=upload, now=now)

    assert found.readable == 0
    assert found.bad_lines
    assert all(len(bad.reason) < 300 for bad in found.bad_lines)
    assert not Conversation.objects.exists()


def test_a_byte_order_mark_is_no_part_of_the_text(acme, alice, now):
    upload = keep(acme, alice, now, jsonl(b"\xef\xbb\xbf" + line("call-1").encode()))

    assert uploads.look(upload=upload, now=now).readable == 1


def test_accounts_and_deals_are_taken_in_and_conversations_keep_their_values(acme, alice, now):
    conversations.ingest(acme, conversations.record("call-1"))
    csv = MemoryFile(
        "crm.csv",
        b"Account,Account type,Deal,Stage\r\n"
        b"Globex,customer,Globex robots,closed won\r\n"
        b"Initech,prospect,,\r\n"
        b",prospect,,\r\n",
    )
    upload = keep(acme, alice, now, csv, import_format="DIRECTORY")

    looked = uploads.look(upload=upload, now=now)
    before = CustomerAccount.objects.count()
    done = uploads.take_in(upload=upload, by=alice, now=now)

    assert (looked.readable, len(looked.bad_lines), before) == (3 - 1, 1, 1)
    assert looked.directory is not None
    assert (looked.directory.accounts_created, looked.directory.accounts_changed) == (1, 1)
    assert (looked.directory.deals_created, looked.directory.deals_changed) == (0, 1)
    assert (done.created_count, done.updated_count) == (1, 2)
    assert CustomerAccount.objects.get(name="Globex").account_type == "customer"
    assert Deal.objects.get().stage == "closed won"
    call = Conversation.objects.get()
    assert (call.account_type, call.deal_stage) == ("prospect", "evaluation")


def refused_by(constraint: str):
    return pytest.raises(IntegrityError, match=constraint)


def test_the_database_holds_what_an_import_is(acme, alice, now):
    upload = keep(acme, alice, now, jsonl(line("call-1")))
    rows = ImportUpload.objects.filter(pk=upload.pk)

    with refused_by("import_format_is_known"), transaction.atomic():
        rows.update(import_format="XML")
    with refused_by("import_is_confirmed_before_it_finishes"), transaction.atomic():
        rows.update(finished_at=now)
    with refused_by("import_upload_is_kept_a_while"), transaction.atomic():
        rows.update(expires_at=now)
    with refused_by("import_file_has_one_place"), transaction.atomic():
        ImportFile.objects.create(company=acme, upload=upload, position=0, name="b", content=b"")


@pytest.mark.parametrize("days", [0, 36_501])
def test_a_retention_is_a_number_of_days(acme, days):
    with refused_by("retention_is_a_number_of_days_or_for_ever"), transaction.atomic():
        Retention.objects.create(company=acme, days=days)
