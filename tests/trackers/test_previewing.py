"""A tracker is tried before it is published: free, and within the day's limits (SPEC §5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import closing
from credits import balances, metering, reconciliation
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.models import LedgerEntry, UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, configuring, estimates, lessons, previewing, publishing
from trackers.models import Preview, PreviewResult, Tracker, TrackerVersion
from trackers.previewing import PreviewRefused, Room

pytestmark = pytest.mark.django_db

# 23:30 in Berlin, so that half an hour later is another day.
NOW = datetime(2026, 1, 14, 22, 30, tzinfo=UTC)


@pytest.fixture
def tracker(acme):
    return conversations.tracker(acme)


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    scripted = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)
    return scripted


def calls(company, count, first=0, **changes):
    started = NOW - timedelta(days=3)
    conversations.ingest(
        company,
        *(
            record(f"call-{n:02}", started_at=started + timedelta(minutes=n), **changes)
            for n in range(first, first + count)
        ),
        now=NOW,
    )


def run(tracker, by, count=10, now=NOW):
    return previewing.run(tracker_id=tracker.pk, count=count, by=by, clock=lambda: now)


def read(preview) -> list[str]:
    found = PreviewResult.objects.filter(preview=preview).order_by("conversation__external_id")
    return list(found.values_list("conversation__external_id", flat=True))


def test_a_draft_is_tested_on_the_newest_matching_conversations(acme, alice, tracker):
    calls(acme, 12)
    calls(acme, 3, first=50, team="Support", kind="email")

    preview = run(tracker, alice)

    assert read(preview) == [f"call-{n:02}" for n in range(2, 12)]
    result = PreviewResult.objects.first()
    assert (result.verdict, result.confidence, result.score) == ("YES", "HIGH", Decimal("0.9"))
    quote = result.quotes.get()
    assert quote.utterance.text[quote.start : quote.end] == "Here is our proposal."


def test_at_zero_credits_a_test_is_a_use_of_0_without_an_entry(acme, alice, tracker):
    calls(acme, 2)
    calls(acme, 1, first=9, duration_seconds=900)

    preview = run(tracker, alice)

    event = UsageEvent.objects.get()
    assert preview.usage_ref == event.pk
    assert (event.action, event.amount, event.entry_id) == ("PREVIEW", Decimal(0), None)
    assert (event.calls, event.emails, event.user_ref) == (3, 0, alice.public_id)
    assert (event.feature_name, event.feature_ref) == ("Pricing objection", tracker.pk)
    assert LedgerEntry.objects.count() == 0
    assert balances.now(company=acme).available == 0
    assert reconciliation.check() == []


def test_a_test_is_no_use_that_counts_anywhere(acme, alice, tracker):
    calls(acme, 2)

    run(tracker, alice)

    day = UsageEvent.objects.get().occurred_at.date()
    around = {"first": day - timedelta(days=1), "last": day + timedelta(days=1)}
    assert metering.daily(company=acme, **around) == []


def test_a_tracker_is_tested_on_ten_conversations_a_local_day(acme, alice, tracker):
    calls(acme, 14)
    run(tracker, alice, count=7)

    second = run(tracker, alice, count=7)

    assert second.conversation_count == 3
    with pytest.raises(PreviewRefused, match="tested on 10 conversations today"):
        run(tracker, alice, count=1)
    assert run(tracker, alice, now=NOW + timedelta(minutes=30)).conversation_count == 10


def test_a_company_tests_fifty_conversations_a_local_day(acme, alice):
    calls(acme, 10)
    drafts = [conversations.tracker(acme, f"Tracker {n}") for n in range(6)]
    for draft in drafts[:4]:
        run(draft, alice)
    run(drafts[4], alice, count=8)

    last = run(drafts[5], alice)

    assert last.conversation_count == 2
    with pytest.raises(PreviewRefused, match="tested trackers on 50 conversations today"):
        run(drafts[5], alice, count=1)
    assert previewing.room(tracker=drafts[5], now=NOW) == Room(of_tracker=8, of_company=0)


def test_what_was_not_tested_yet_comes_first_then_the_rest_again(acme, alice, tracker):
    calls(acme, 5)
    run(tracker, alice, count=3)

    assert read(run(tracker, alice, count=3)) == ["call-00", "call-01", "call-04"]


def test_a_changed_question_is_tested_anew(acme, alice, tracker):
    calls(acme, 5)
    run(tracker, alice, count=3)
    TrackerVersion.objects.update(question="Did they ask for a discount?")

    assert read(run(tracker, alice, count=3)) == ["call-02", "call-03", "call-04"]


def test_a_published_tracker_s_draft_is_what_is_tested(acme, alice):
    calls(acme, 1)
    published = conversations.published(acme, alice, now=NOW)
    draft = TrackerVersion.objects.create(
        company=acme, tracker=published, number=2, question="Did they ask for a discount?"
    )

    assert run(published, alice).version == draft


def test_what_has_no_words_on_the_tracker_s_side_is_not_tested(acme, alice, tracker):
    calls(acme, 1, utterances=[{"id": "u0", "speaker": "r", "start": 0.0, "text": "Hello?"}])

    with pytest.raises(PreviewRefused, match="No conversation with words to read matches"):
        run(tracker, alice)

    assert Preview.objects.count() == 0


def test_a_conversation_that_cannot_be_read_does_not_take_the_others_along(
    acme, alice, tracker, analyzer
):
    calls(acme, 3)
    analyzer.failing = {"call-01"}

    preview = run(tracker, alice)

    assert read(preview) == ["call-00", "call-02"]
    assert UsageEvent.objects.get().calls == 2


def test_where_nothing_can_be_read_nothing_counts(acme, alice, tracker, analyzer):
    calls(acme, 2)
    analyzer.failing = {"call-00", "call-01"}

    with pytest.raises(PreviewRefused, match="could not read any of these"):
        run(tracker, alice)

    assert (Preview.objects.count(), UsageEvent.objects.count()) == (0, 0)
    assert previewing.room(tracker=tracker, now=NOW).left == 10


def test_a_question_changed_meanwhile_keeps_nothing(acme, alice, tracker, analyzer):
    calls(acme, 1)
    analyzer.on_read = lambda: TrackerVersion.objects.update(question="Something else?")

    with pytest.raises(PreviewRefused, match="question was changed during the test"):
        run(tracker, alice)

    assert (Preview.objects.count(), UsageEvent.objects.count()) == (0, 0)


def test_a_test_whose_process_died_counts_for_ten_minutes(acme, alice, tracker):
    version = tracker.versions.get()
    Preview.objects.create(
        company=acme,
        tracker=tracker,
        version=version,
        asked=lessons.asked(version),
        conversation_count=4,
        begun_at=NOW,
        begun_by=alice,
    )

    assert previewing.room(tracker=tracker, now=NOW + timedelta(minutes=9)).left == 6
    assert previewing.room(tracker=tracker, now=NOW + timedelta(minutes=10)).left == 10


def test_in_a_closed_company_nothing_is_tested(acme, alice, tracker):
    calls(acme, 1)
    closing.close(company=acme, by=people.vera(), reason="The contract has ended", now=NOW)

    with pytest.raises(CompanyClosed):
        run(tracker, alice)

    assert Preview.objects.count() == 0


def test_testing_makes_nothing_done_so_publishing_costs_what_it_did(acme, alice, tracker):
    people.credits_for(acme, "10")
    calls(acme, 4)
    version = tracker.versions.get()
    span = {"from_at": NOW - timedelta(days=9), "to_at": NOW, "rates": people.rates()}

    run(tracker, alice)

    estimate = estimates.backfill(tracker=tracker, version=version, **span)
    assert estimate.credits == Decimal("2.000")
    published = publishing.publish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=NOW
    )
    assert estimates.backfill(tracker=published, version=version, **span) == estimate


def test_the_results_shown_are_of_today_s_question_each_conversation_once(acme, alice, tracker):
    calls(acme, 2)
    run(tracker, alice)
    run(tracker, alice, now=NOW + timedelta(minutes=1))
    version = tracker.versions.get()

    shown = previewing.results(version=version, limit=50)

    assert {one.conversation.external_id for one in shown} == {"call-00", "call-01"}
    assert {one.preview.begun_at for one in shown} == {NOW + timedelta(minutes=1)}
    configuring.save(
        company=acme,
        tracker_id=tracker.pk,
        edit_number=tracker.edit_number,
        settings=configuring.settings_of(tracker),
        question=configuring.Question("Did they ask for a discount?"),
        by=alice,
        now=NOW,
    )
    assert previewing.results(version=tracker.versions.get(), limit=50) == []


def test_a_tracker_of_nobody_is_not_tested(alice):
    with pytest.raises(Tracker.DoesNotExist):
        previewing.run(tracker_id=new_id(), count=1, by=alice, clock=lambda: NOW)
