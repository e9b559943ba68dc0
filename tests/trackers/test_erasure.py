"""Erasure (SPEC §10): the words are gone from everywhere, and what they cost is as before."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.core.management import call_command
from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from credits import audit
from credits.models import AuditText
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import erased_ids, erasure, erasure_requests, scanning
from trackers.models import (
    Conversation,
    ImportFile,
    Participant,
    Quote,
    Scan,
    Tracker,
    Utterance,
)

pytestmark = pytest.mark.django_db


def erase(request, now):
    return erasure.erase(request=request, by=None, reason="Asked for by letter", now=now)


def one(company, external_id: str):
    return erasure_requests.by_external_id(company=company, external_id=external_id)


def read_by_tracker(company, external_id: str = "call-1", **changes):
    """A call that arrived yesterday and was read, found and charged."""
    now = timezone.now()
    people.credits_for(company, "100")
    tracker = conversations.published(company, people.alice(company), now=now - timedelta(days=60))
    fresh = record(external_id, started_at=now - timedelta(days=1), **changes)
    conversations.ingest(company, fresh, now=now)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    return Scan.objects.get(conversation__external_id=external_id)


def test_an_erased_call_keeps_kind_duration_class_and_date(acme, now):
    started = datetime(2026, 10, 26, 13, 45, 12, tzinfo=UTC)
    conversations.ingest(
        acme,
        record("long", started_at=started, duration_seconds=1833),
        record("short", started_at=started, duration_seconds=599),
        record("mail", started_at=started, duration_seconds=0, kind="email"),
        now=datetime(2026, 10, 27, 9, 30, 15, tzinfo=UTC),
    )

    for external_id in ("long", "short", "mail"):
        erase(one(acme, external_id), now)

    rows = Conversation.objects.order_by("duration_seconds")
    assert [(row.kind, row.duration_seconds) for row in rows] == [
        ("EMAIL", 0),
        ("CALL", 600),
        ("CALL", 601),
    ]
    for row in rows:
        # Midnight in Berlin, where the company counts its days.
        assert row.started_at == datetime(2026, 10, 25, 23, tzinfo=UTC)
        assert row.arrived_at == datetime(2026, 10, 26, 23, tzinfo=UTC)
        assert (row.title, row.source, row.account_type, row.deal_stage) == ("", "", "", "")
        assert (row.owner, row.account, row.deal, row.team) == (None, None, None, None)
        assert (bytes(row.text_digest), bytes(row.metadata_digest)) == (b"", b"")
        assert row.external_id.startswith("erased:")
        assert str(row) in ("Erased call", "Erased e-mail")
    assert not Utterance.objects.exists()
    assert not Participant.objects.exists()


def test_a_result_keeps_its_verdict_and_charge_and_loses_its_words(acme, now):
    scan = read_by_tracker(acme)
    Scan.objects.filter(pk=scan.pk).update(
        answer="Carl finds it too expensive.", reason="The analyzer stumbled over Carl."
    )
    assert Quote.objects.filter(scan=scan).exists()

    counts = erase(one(acme, "call-1"), now)

    after = Scan.objects.get()
    assert (after.state, after.verdict, after.price, after.usage_event_id) == (
        "DONE",
        scan.verdict,
        scan.price,
        scan.usage_event_id,
    )
    assert (after.answer, after.reason) == ("", "")
    assert not Quote.objects.exists()
    assert (counts.calls, counts.results, counts.queued) == (1, 1, 0)
    assert counts.rows["trackers.utterance"] == 2


def test_what_was_queued_is_skipped_uncharged(acme, now):
    people.credits_for(acme, "100")
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    conversations.ingest(acme, record("call-1", started_at=now - timedelta(days=1)), now=now)

    counts = erase(one(acme, "call-1"), now)
    claimed = scanning.run_batch(
        version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now
    )

    scan = Scan.objects.get()
    assert (scan.state, scan.reason) == (
        "SKIPPED",
        "The conversation was erased; nothing was charged.",
    )
    assert (counts.queued, claimed) == (1, 0)


def test_a_scan_listed_before_the_erasure_is_put_away_when_it_is_claimed(acme, now):
    """A backfill lists conversations and writes its scans a moment later."""
    people.credits_for(acme, "100")
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    call = conversations.conversation(acme, "call-1")
    erase(one(acme, "call-1"), now)
    Scan.objects.create(
        company=acme,
        tracker=tracker,
        version=tracker.version_in_force,
        conversation=call,
        revision=call.text_revision,
        action="CONTINUOUS",
        conversation_started_at=call.started_at,
        due_at=now,
        created_at=now,
    )

    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)

    scan = Scan.objects.get()
    assert (scan.state, scan.reason, scan.usage_event) == (
        "SKIPPED",
        "The conversation was erased; nothing was charged.",
        None,
    )


def test_an_erased_id_is_not_imported_again(acme, now):
    conversations.ingest(acme, record("call-1"), record("call-2"))
    erase(one(acme, "call-1"), now)

    report = conversations.ingest(
        acme, record("call-1", title="Once more"), record("call-2"), record("call-3")
    )

    assert (report.created, report.erased, report.seen) == (1, 1, 3)
    assert Conversation.objects.count() == 3
    assert not Conversation.objects.filter(external_id="call-1").exists()
    assert not Utterance.objects.filter(conversation__erased_at__isnull=False).exists()


def test_an_id_erased_in_one_company_is_imported_in_another(acme, now):
    globex = people.company("Globex")
    conversations.ingest(acme, record("call-1"))
    erase(one(acme, "call-1"), now)

    assert conversations.ingest(globex, record("call-1")).created == 1


def test_the_digest_of_an_id_depends_on_the_company_s_own_key(acme):
    globex = people.company("Globex")
    made = {erased_ids.digest(erased_ids.key_of(one), "call-1") for one in (acme, globex)}

    assert len(made) == 2
    assert erased_ids.key_of(acme) == erased_ids.key_of(acme)


def test_an_erased_conversation_is_nobody_s_to_read(acme, now):
    people.credits_for(acme, "100")
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    conversations.ingest(acme, record("call-1"), record("call-2"))
    erase(one(acme, "call-1"), now)

    from trackers import filters

    assert filters.matching(tracker).count() == 1


def test_an_example_copied_from_the_call_goes_from_tracker_and_history(acme, now):
    said = "Honestly, the robots of Globex frighten my accountant."
    tracker = conversations.tracker(acme, examples=["Too expensive.", said.upper()])
    tracker.name = "Renamed"
    tracker.save()
    turns = [{"id": "u0", "speaker": "c", "start": 0.0, "text": f"{said} Carl said so."}]
    conversations.ingest(acme, record("call-1", utterances=turns))

    counts = erase(one(acme, "call-1"), now)

    tracker.refresh_from_db()
    assert tracker.examples == ["Too expensive."]
    assert {tuple(row.examples) for row in tracker.history.all()} == {("Too expensive.",)}
    assert tracker.history.count() == 2
    assert counts.examples == 1
    # A form that was opened before would bring the example back: it is refused.
    assert tracker.edit_number == 2


def test_lines_of_the_trail_that_say_the_erased_are_blanked_and_others_kept(acme, now):
    conversations.ingest(acme, record("call-1", title="Budget of Carl Customer"))
    for label in ("Budget of Carl Customer", "Quarterly figures"):
        audit.record(
            action=audit.Action.CHANGED,
            by=None,
            company=acme,
            subject=audit.Subject("notes", "1", label),
            after={"note": label},
        )

    erase(one(acme, "call-1"), now)

    lines = AuditText.objects.filter(event__subject_type="notes").order_by("event")
    assert [(line.subject_label, bool(line.changes)) for line in lines] == [
        ("", False),
        ("Quarterly figures", True),
    ]


def test_lines_about_its_results_are_blanked_whatever_they_say(acme, now):
    scan = read_by_tracker(acme)
    for subject in (audit.named(scan, "Budget talk"), audit.Subject("notes", "1", "Budget talk")):
        audit.record(
            action=audit.Action.CHANGED, by=None, company=acme, subject=subject, after={"note": "x"}
        )

    erase(one(acme, "call-1"), now)

    lines = AuditText.objects.filter(event__subject_type__in=["trackers.scan", "notes"])
    assert [(line.subject_label, bool(line.changes)) for line in lines.order_by("event")] == [
        ("", False),
        ("Budget talk", True),
    ]


def test_a_reason_in_history_that_says_the_erased_is_blanked_and_others_kept(acme, now):
    conversations.ingest(acme, record("call-1", title="Budget of Carl Customer"))
    tracker = conversations.tracker(acme)
    for said in ("As agreed in budget of carl customer", "The question was changed."):
        tracker._change_reason = said
        tracker.save()

    erase(one(acme, "call-1"), now)

    reasons = tracker.history.order_by("history_id").values_list("history_change_reason", flat=True)
    assert list(reasons) == [None, None, "The question was changed."]


def test_the_trail_says_what_was_erased_in_numbers_only(acme, now):
    conversations.ingest(acme, record("call-1"))

    erase(erasure_requests.by_email(company=acme, email="carl@globex.example"), now)

    began, ended = AuditText.objects.filter(event__company=acme).order_by("event")
    assert (began.event.action, ended.event.action) == ("STARTED", "ERASED")
    assert (began.reason, ended.subject_label) == ("Asked for by letter", "an e-mail address")
    assert {"field": "calls", "before": None, "after": "1"} in ended.changes
    assert "carl" not in json.dumps([began.changes, ended.changes, began.reason])


def test_a_second_time_nothing_is_left_to_take(acme, now):
    conversations.ingest(acme, record("call-1"))
    request = one(acme, "call-1")
    erase(request, now)
    before = Conversation.objects.values().get()

    counts = erase(request, now + timedelta(hours=1))

    assert counts.conversations == 0
    assert Conversation.objects.values().get() == before


def test_a_count_is_what_is_then_erased(acme, now):
    scan = read_by_tracker(acme)
    request = erasure_requests.by_email(company=acme, email="carl@globex.example")
    counted = erasure_requests.count(request)
    assert Scan.objects.get() == scan

    erased = erase(request, now)

    assert counted.figures == erased.figures | {"team members made unknown": 0}
    assert counted.figures["calls"] == 1


def test_ledger_and_reports_do_not_change(acme, now):
    read_by_tracker(acme)
    before = _reports(acme)

    erase(erasure_requests.by_email(company=acme, email="carl@globex.example"), now)

    assert _reports(acme) == before
    call_command("check_ledger", allow_test_clock=True)


def _reports(company) -> dict[str, bytes]:
    from io import BytesIO

    from credits.reports import files
    from credits.reports.base import DayRange
    from credits.reports.registry import Choice

    found = {}
    for name in ("credit-usage", "credit-balance", "purchase-history"):
        choice = Choice(report=name, days=DayRange(), file_format="csv", has_free_use=True)
        out = BytesIO()
        files.write(choice.report_of(company), choice.days, out, file_format="csv")
        found[name] = out.getvalue()
    return found


def test_an_erased_row_cannot_hold_words(acme, now):
    conversations.ingest(acme, record("call-1"))
    erase(one(acme, "call-1"), now)

    with (
        pytest.raises(IntegrityError, match="conversation_that_is_erased_holds_no_words"),
        transaction.atomic(),
    ):
        Conversation.objects.update(title="Back again")


def test_the_planner_keeps_no_statistics_of_words(acme):
    """They hold values of columns: whoever looks there would find an address that was erased."""
    people.alice(acme)
    conversations.ingest(acme, *(record(f"call-{number}") for number in range(30)))
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        held = _statistics(cursor)

    assert "prospect" in held
    for word in ("carl@globex.example", "Carl", "expensive", "call-1", "rep@", "alice@"):
        assert word not in held


def _statistics(cursor) -> str:
    cursor.execute(
        "SELECT coalesce(string_agg(coalesce(most_common_vals::text, '')"
        " || coalesce(histogram_bounds::text, ''), ' '), '') FROM pg_stats"
    )
    return str(cursor.fetchone()[0])


def test_uploads_that_wait_for_confirmation_go_too(acme, now):
    from tests.support import uploads

    conversations.ingest(acme, record("call-1"))
    uploads.kept(acme, people.alice(acme), now=now, content=b"carl@globex.example")
    globex = people.company("Globex")
    uploads.kept(globex, people.alice(globex), now=now, content=b"theirs")

    counts = erase(one(acme, "call-1"), now)

    assert counts.uploads == 1
    assert [file.company for file in ImportFile.objects.all()] == [globex]


def test_credits_and_amounts_are_those_of_before(acme, now):
    scan = read_by_tracker(acme)

    erase(one(acme, "call-1"), now)

    assert scan.price == Decimal("0.500")
    assert Scan.objects.get().usage_event.amount == Decimal("0.500")
    assert Tracker.objects.count() == 1
