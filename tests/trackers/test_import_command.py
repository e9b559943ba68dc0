"""``import_conversations``: a bad line costs only itself; nothing readable writes nothing."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.utils import timezone

from credits.models import Company
from tests.support import conversations, people
from trackers import ingestion
from trackers.importers.jsonl import LINE_BYTES_MAX
from trackers.models import Conversation, Scan

pytestmark = pytest.mark.django_db


def line(external_id: str, **changes) -> str:
    return json.dumps(content(external_id) | changes)


def content(external_id: str) -> dict:
    return {
        "id": external_id,
        "source": "crm",
        "kind": "call",
        "started_at": "2026-03-01T09:00:00Z",
        "duration_seconds": 300,
        "participants": [
            {"id": "r", "role": "internal"},
            {"id": "c", "role": "external"},
        ],
        "utterances": [{"id": "u0", "speaker": "c", "start": 1.5, "text": "Hello."}],
    }


@pytest.fixture
def run(tmp_path, acme, capsys):
    """Import lines written to a file; return exit code and what was printed."""

    def importing(*lines: str | bytes, **options):
        file = tmp_path / "calls.jsonl"
        file.write_bytes(
            b"\n".join(one if isinstance(one, bytes) else one.encode() for one in lines)
        )
        code = 0
        try:
            call_command("import_conversations", file, company=acme.slug, **options)
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out

    return importing


@pytest.mark.parametrize(
    ("written", "instant"),
    [
        ("2026-03-01T10:00:00+16:00", "2026-02-28T18:00:00+00:00"),
        ("2026-03-01T10:00:00+23:59", "2026-02-28T10:01:00+00:00"),
        ("2026-03-01T10:00:00-23:59", "2026-03-02T09:59:00+00:00"),
        ("1970-01-01T00:00:00+23:59", "1969-12-31T00:01:00+00:00"),
    ],
)
def test_a_zone_that_the_database_knows_none_of_stops_no_import(run, written, instant):
    code, _ = run(line("a"), line("far", started_at=written), line("b"))

    assert (code, Conversation.objects.count()) == (0, 3)
    far = Conversation.objects.get(external_id="far")
    assert far.started_at.isoformat() == instant


BAD_LINES = {
    "not json": ("{oops", "not JSON"),
    "not an object": ("[1, 2]", "object"),
    "not text": (b"\xff\xfe\x00", "not JSON"),
    "wrong type": (line("x", duration_seconds="five"), "duration_seconds"),
    "text for a list": (line("x", utterances="hello"), "utterances"),
    "utterance without speaker": (
        line("x", utterances=[{"id": "u0", "start": 0, "text": "Hi"}]),
        "utterances.0.speaker is missing",
    ),
    "speaker who is not there": (
        line("x", utterances=[{"id": "u0", "speaker": "z", "text": "Hi"}]),
        "utterance u0 is spoken by z, who is not a participant",
    ),
    "date without zone": (
        line("x", started_at="2026-03-01T09:00:00"),
        "started_at has no time zone",
    ),
    "no date": (line("x", started_at="yesterday"), "started_at"),
    "negative duration": (line("x", duration_seconds=-1), "duration_seconds"),
    "negative start": (
        line("x", utterances=[{"id": "u0", "speaker": "c", "start": -1, "text": "Hi"}]),
        "utterances.0.start",
    ),
    "no id": (line(""), "id"),
    "unknown kind": (line("x", kind="fax"), "kind"),
    "owner who is no address": (line("x", owner="Rita Rep"), "owner is not an e-mail address"),
    "NUL in the text": (
        line("x", utterances=[{"id": "u0", "speaker": "c", "text": "a\x00b"}]),
        "holds a NUL character",
    ),
    "two utterances with one id": (
        line("x", utterances=[{"id": "u0", "speaker": "c", "text": "a"}] * 2),
        "two utterances have the same id",
    ),
    "a deal without account": (line("x", deal={"name": "Robots"}), "a deal needs the account"),
    "half a character": (
        '{"id": "x", "title": "\\ud800"}',
        "not JSON",
    ),
}


@pytest.mark.parametrize("name", BAD_LINES)
def test_a_bad_line_costs_only_itself(run, name):
    bad, reason = BAD_LINES[name]

    code, printed = run(line("first"), bad, line("last"))

    assert code == 1
    assert set(Conversation.objects.values_list("external_id", flat=True)) == {"first", "last"}
    (left_out,) = [row for row in printed.splitlines() if row.startswith("Left out")]
    assert "calls.jsonl, line 2: " in left_out
    assert reason in left_out
    assert "Traceback" not in printed


def test_a_line_of_50_megabytes_costs_only_itself(run):
    huge = line("huge", title="x" * (50 * 1024 * 1024))

    code, printed = run(line("first"), huge, line("last"))

    assert code == 1
    assert set(Conversation.objects.values_list("external_id", flat=True)) == {"first", "last"}
    assert f"line 2: the line is longer than {LINE_BYTES_MAX // 1024**2} MB." in printed


def test_the_same_id_with_different_content_is_a_bad_line(run):
    code, printed = run(line("call-1"), line("call-1", title="Other"), line("call-1"))

    assert code == 1
    assert Conversation.objects.get().title == ""
    assert "line 2: id call-1 came before with different content" in printed


def test_importing_twice_changes_nothing(run):
    run(line("call-1"), line("call-2"))

    code, printed = run(line("call-1"), line("call-2"))

    assert code == 0
    assert "Imported: 0 new, 0 with changed text, 0 with changed details, 2 unchanged." in printed


def test_empty_lines_and_unknown_keys_are_nothing(run):
    code, _ = run(line("call-1", services=["Buses"], synthetic=["team"]), "", "  ")

    assert code == 0
    assert Conversation.objects.get().source == "crm"


def test_the_price_is_said_before_and_a_dry_run_stops_there(run, acme):
    now = timezone.now()
    conversations.published(acme, people.alice(acme), now=now - timedelta(days=1))
    fresh = line("call-1", started_at=now.isoformat(), duration_seconds=601)

    code, printed = run(fresh, line("call-2"), dry_run=True)

    assert code == 0
    assert "2 conversations read, 0 lines left out." in printed
    assert (
        "1 are new for published trackers; scanning them will use 1.0 credits (1 scans)." in printed
    )
    assert Conversation.objects.count() == 0

    run(fresh, line("call-2"))
    assert Scan.objects.count() == 1


def test_json_says_the_same(run):
    code, printed = run(line("call-1"), "{oops", json=True)

    report = json.loads(printed)
    assert code == 1
    assert report["read"] == 1
    assert report["new_for_trackers"] == {"conversations": 0, "scans": 0, "credits": "0.0"}
    assert report["imported"]["created"] == 1
    assert [row["number"] for row in report["left_out"]] == [2]


@pytest.mark.parametrize("lines", [[""], ["{oops", "[]"]])
def test_a_file_without_a_readable_line_writes_nothing(run, lines):
    with pytest.raises(CommandError, match="No line could be read") as refusal:
        run(*lines)

    assert refusal.value.returncode == 2
    assert Conversation.objects.count() == 0


def test_an_unknown_company_or_file_is_one_sentence(tmp_path, acme):
    file = tmp_path / "calls.jsonl"
    file.write_text(line("call-1"))

    with pytest.raises(CommandError, match="There is no company “nobody”") as no_company:
        call_command("import_conversations", file, company="nobody")
    with pytest.raises(CommandError, match="cannot be read: No such file") as no_file:
        call_command("import_conversations", file, tmp_path / "other.jsonl", company=acme.slug)

    assert (no_company.value.returncode, no_file.value.returncode) == (2, 2)
    assert Conversation.objects.count() == 0


def test_accounts_and_deals_are_sent_to_their_own_command(tmp_path, acme):
    calls, accounts = tmp_path / "calls.jsonl", tmp_path / "crm.txt"
    calls.write_text(line("call-1"))
    accounts.write_text("Account\nGlobex\n")

    for files in ([accounts], [calls, accounts]):
        with pytest.raises(CommandError) as refusal:
            call_command("import_conversations", *files, company=acme.slug)
        assert str(refusal.value) == (
            "Accounts and deals (CSV) are imported by themselves, with manage.py import_accounts. "
            "Nothing was written."
        )
        assert refusal.value.returncode == 2
    assert not Conversation.objects.exists()


def test_a_closed_company_takes_nothing_in(acme, run):
    Company.objects.filter(pk=acme.pk).update(
        closed_at=timezone.now(), closed_by=people.vera(), closing_reason="The contract has ended"
    )

    with pytest.raises(CommandError) as refusal:
        run(line("call-1"))

    assert refusal.value.returncode == 2
    assert str(refusal.value) == (
        "Acme is closed; nothing is added or used there any more. Nothing was written."
    )
    assert not Conversation.objects.filter(company=acme).exists()


def test_a_company_closed_while_an_import_runs_takes_no_more_in(acme, run, monkeypatch):
    monkeypatch.setattr(ingestion, "CHUNK_SIZE", 2)
    monkeypatch.setattr(ingestion, "_fan_out", closing_the(acme))

    with pytest.raises(CommandError) as refusal:
        run(*(line(f"call-{n}") for n in range(5)))

    assert refusal.value.returncode == 1
    assert str(refusal.value) == (
        "Acme is closed; nothing is added or used there any more. It was closed while this ran: "
        "2 conversations were taken in, the rest was not."
    )
    assert Conversation.objects.filter(company=acme).count() == 2


def closing_the(company):
    """Close the company as the first chunk ends, as somebody beside the import would."""

    def fan_out(*args):
        Company.objects.filter(pk=company.pk).update(
            closed_at=timezone.now(),
            closed_by=people.vera(),
            closing_reason="The contract has ended",
        )
        return 0

    return fan_out


def test_a_conversation_of_the_day_after_tomorrow_is_left_out_and_named(acme, run, admin_tracker):
    now = timezone.now()
    skewed, future = now + timedelta(hours=23), now + timedelta(days=1, minutes=5)

    code, printed = run(
        line("call-1", started_at=skewed.isoformat()), line("call-2", started_at=future.isoformat())
    )

    assert code == 1
    assert (
        f"calls.jsonl, line 2: it starts on {future:%Y-%m-%d}, more than a day after it arrives; "
        "correct its date."
    ) in printed
    assert list(Conversation.objects.values_list("external_id", flat=True)) == ["call-1"]
    assert Scan.objects.filter(tracker=admin_tracker).count() == 1


@pytest.fixture
def admin_tracker(acme):
    return conversations.published(acme, people.alice(acme))
