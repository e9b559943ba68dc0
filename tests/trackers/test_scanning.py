"""From a queued scan to a charged result (DESIGN §4, SPEC §5)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from config.demo.clock import seeded_clock
from credits import balances, charging, reconciliation
from credits.models import Reservation, UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import backfills, claiming, publishing, scanning, sweeping
from trackers.models import Backfill, Quote, Scan, Tracker

pytestmark = pytest.mark.django_db


@pytest.fixture
def admin(acme):
    return people.alice(acme)


@pytest.fixture
def tracker(acme, admin, now):
    return conversations.published(acme, admin, now=now - timedelta(days=60))


def work_off(tracker, backfill=None, clock=timezone.now) -> int:
    """Run batches until nothing is claimed; return how many scans were."""
    claimed = 0
    while batch := scanning.run_batch(
        version_id=tracker.current_version_id,
        backfill_id=backfill and backfill.pk,
        clock=clock,
    ):
        claimed += batch
    return claimed


def launch(tracker, admin, now, ceiling=None) -> Backfill:
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=ceiling,
        rates=people.rates(),
        by=admin,
        now=now,
    )


def states(acme) -> list[str]:
    scans = Scan.objects.filter(company=acme).order_by("conversation__external_id")
    return list(scans.values_list("state", flat=True))


def test_a_call_is_read_quoted_and_charged_in_one_act(acme, tracker, now):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("call-1", started_at=now, duration_seconds=601), now=now)

    work_off(tracker)

    scan = Scan.objects.get(company=acme)
    event = UsageEvent.objects.get(company=acme)
    assert (scan.state, scan.verdict, scan.price) == ("DONE", "YES", Decimal("1.000"))
    assert scan.usage_event == event
    assert (event.feature_name, event.action) == ("Pricing objection", "CONTINUOUS")
    assert (event.calls, event.emails, event.amount) == (1, 0, Decimal("1.000"))
    assert event.team_ref == scan.conversation.team_id
    quote = Quote.objects.filter(scan=scan).order_by("rank").first()
    assert quote.utterance.text[quote.start : quote.end] == "That is too expensive for us."
    assert reconciliation.check() == []


def test_a_batch_covers_one_team_and_at_most_100_conversations(acme, tracker, now, analyzer):
    people.credits_for(acme, "200")
    conversations.ingest(
        acme,
        *(record(f"e-{n:03}", started_at=now) for n in range(120)),
        *(record(f"s-{n:03}", started_at=now, team="Support") for n in range(5)),
        now=now,
    )

    work_off(tracker)

    counts = sorted(event.calls for event in UsageEvent.objects.filter(company=acme))
    assert counts == [5, 20, 100]
    assert reconciliation.check() == []


def test_what_has_no_words_on_the_tracker_s_side_is_read_for_nothing_and_counted(
    acme, tracker, now
):
    silent = [{"id": "u0", "speaker": "c", "start": 0.0, "text": "…"}]
    conversations.ingest(acme, record("silent", started_at=now, utterances=silent), now=now)

    work_off(tracker)

    event = UsageEvent.objects.get(company=acme)
    assert states(acme) == ["DONE"]
    assert (event.calls, event.amount, event.entry_id) == (1, Decimal("0.000"), None)
    assert reconciliation.check() == []


def test_at_zero_only_what_cannot_itself_be_paid_waits_and_the_oldest_goes_first(
    acme, tracker, now, analyzer
):
    people.credits_for(acme, "1.2")
    long = {"duration_seconds": 900}
    conversations.ingest(
        acme,
        record("a", started_at=now - timedelta(minutes=4)),
        record("b", started_at=now - timedelta(minutes=3), **long),
        record("c", started_at=now - timedelta(minutes=2)),
        record("d", started_at=now - timedelta(minutes=1)),
        now=now,
    )

    work_off(tracker)

    assert states(acme) == ["DONE", "WAITING", "DONE", "WAITING"]
    assert balances.now(company=acme).remaining == Decimal("0.200")
    assert balances.now(company=acme).reserved == Decimal("0.000")


def test_when_credits_come_what_waited_is_caught_up(acme, tracker, now, analyzer):
    Tracker.objects.update(catch_up=True)
    conversations.ingest(acme, record("a", started_at=now), record("b", started_at=now), now=now)
    work_off(tracker)
    assert states(acme) == ["WAITING", "WAITING"]

    people.credits_for(acme, "0.7")
    swept = sweeping.sweep(now=timezone.now())
    work_off(tracker)

    assert swept.resumed == 1
    assert sorted(states(acme)) == ["DONE", "WAITING"]
    assert Scan.objects.filter(attempts__gt=1).count() == 0


def test_a_tracker_does_not_catch_up_unless_it_was_told_to(acme, tracker, now, analyzer):
    conversations.ingest(acme, record("a", started_at=now), now=now)
    work_off(tracker)

    people.credits_for(acme, "10")

    assert sweeping.sweep(now=timezone.now()).resumed == 0
    assert states(acme) == ["WAITING"]


def test_trackers_are_resumed_in_turn(acme, admin, tracker, now, analyzer):
    other = conversations.published(acme, admin, "Delivery time", now=now - timedelta(days=60))
    Tracker.objects.update(catch_up=True)
    conversations.ingest(acme, *(record(f"{n}", started_at=now) for n in range(4)), now=now)
    work_off(tracker)
    work_off(other)

    people.credits_for(acme, "2")
    sweeping.sweep(now=timezone.now())

    resumed = Scan.objects.filter(state="PENDING")
    assert sorted(scan.tracker.name for scan in resumed) == [
        "Delivery time",
        "Delivery time",
        "Pricing objection",
        "Pricing objection",
    ]


def test_what_waits_thirty_days_is_skipped_visibly(acme, tracker, now, analyzer):
    conversations.ingest(acme, record("a", started_at=now), now=now)
    work_off(tracker)

    sweeping.sweep(now=now + timedelta(days=30, seconds=1))

    scan = Scan.objects.get(company=acme)
    assert (scan.state, scan.reason) == ("SKIPPED", "Waited 30 days for credits.")


def test_a_conversation_the_analyzer_cannot_read_costs_nothing_and_is_parked_at_the_fifth_try(
    acme, tracker, now, analyzer
):
    people.credits_for(acme, "10")
    conversations.ingest(
        acme, record("bad", started_at=now), record("good", started_at=now), now=now
    )
    analyzer.failing = {"bad"}
    later = now

    for _ in range(7):
        later += timedelta(minutes=10)
        work_off(tracker, clock=lambda later=later: later)

    bad = Scan.objects.get(conversation__external_id="bad")
    assert (bad.state, bad.attempts) == ("FAILED", 5)
    assert bad.reason == "The analyser failed: UnreadableConversation."
    assert analyzer.read.count("bad") == 5
    assert balances.now(company=acme).remaining == Decimal("9.500")
    assert balances.now(company=acme).reserved == Decimal("0.000")
    assert reconciliation.check() == []


def test_a_stop_while_a_batch_runs_charges_nothing(acme, admin, tracker, now, analyzer):
    people.credits_for(acme, "10")
    conversations.ingest(acme, *(record(f"{n}") for n in range(3)))
    backfill = launch(tracker, admin, now)
    analyzer.on_read = lambda: backfills.stop(backfill_id=backfill.pk, by=admin, now=now)

    work_off(tracker, backfill)

    backfill.refresh_from_db()
    assert (backfill.state, backfill.ended_by) == ("STOPPED", admin)
    assert states(acme) == ["SKIPPED"] * 3
    assert UsageEvent.objects.filter(company=acme).count() == 0
    assert balances.now(company=acme).available == Decimal("10.000")
    assert Quote.objects.count() == 0


def test_unpublishing_while_a_batch_runs_charges_nothing(acme, admin, tracker, now, analyzer):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("a", started_at=now), now=now)
    analyzer.on_read = lambda: publishing.unpublish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=admin, now=now
    )

    work_off(tracker)

    assert states(acme) == ["SKIPPED"]
    assert balances.now(company=acme).available == Decimal("10.000")


def test_a_worker_that_lost_its_lease_writes_and_charges_nothing(acme, tracker, now, analyzer):
    """It wakes after another took its work over, finished it and was charged for it."""
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("a", started_at=now), record("b", started_at=now), now=now)

    def another_takes_over():
        analyzer.on_read = lambda: None
        Scan.objects.filter(state="RUNNING").update(leased_until=now - timedelta(seconds=1))
        sweeping.recover(now=timezone.now())
        work_off(tracker)

    analyzer.on_read = another_takes_over
    work_off(tracker)

    assert states(acme) == ["DONE", "DONE"]
    assert UsageEvent.objects.get(company=acme).calls == 2
    assert balances.now(company=acme).remaining == Decimal("9.000")
    assert balances.now(company=acme).reserved == Decimal("0.000")
    assert {one.state for one in Reservation.objects.all()} == {"RELEASED", "CAPTURED"}
    assert reconciliation.check() == []


def test_rows_taken_from_a_batch_are_cut_from_its_charge(acme, tracker, now, analyzer):
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("a", started_at=now), record("b", started_at=now), now=now)

    def lose_one():
        analyzer.on_read = lambda: None
        Scan.objects.filter(conversation__external_id="b").update(
            state="PENDING", lease_token=None, leased_until=None, due_at=now + timedelta(days=1)
        )

    analyzer.on_read = lose_one
    work_off(tracker)

    assert states(acme) == ["DONE", "PENDING"]
    assert UsageEvent.objects.get(company=acme).amount == Decimal("0.500")
    assert balances.now(company=acme).available == Decimal("9.500")
    assert reconciliation.check() == []


def test_a_lapsed_hold_writes_nothing_and_the_work_is_done_again(acme, tracker, now, analyzer):
    conversations.ingest(acme, record("a", started_at=now), now=now)

    with seeded_clock(now) as clock:
        people.credits_for(acme, "10")

        def sleep_too_long():
            analyzer.on_read = lambda: None
            clock.advance(timedelta(hours=1))

        analyzer.on_read = sleep_too_long
        work_off(tracker)

    assert set(Reservation.objects.values_list("state", flat=True)) == {"LAPSED", "CAPTURED"}
    scan = Scan.objects.get(company=acme)
    assert (scan.state, scan.attempts) == ("DONE", 2)
    assert UsageEvent.objects.get(company=acme).amount == Decimal("0.500")


def test_a_backfill_never_goes_above_its_ceiling(acme, admin, tracker, now, analyzer):
    people.credits_for(acme, "10")
    conversations.ingest(acme, *(record(f"{n}") for n in range(4)))
    backfill = launch(tracker, admin, now, ceiling=Decimal("1.2"))

    work_off(tracker, backfill)

    backfill.refresh_from_db()
    assert (backfill.state, backfill.end_reason) == ("STOPPED", "The ceiling was reached.")
    assert sorted(states(acme)) == ["DONE", "DONE", "SKIPPED", "SKIPPED"]
    assert balances.now(company=acme).remaining == Decimal("9.000")


def test_a_backfill_that_meets_zero_pauses_until_a_person_resumes_it(
    acme, admin, tracker, now, analyzer
):
    people.credits_for(acme, "2")
    conversations.ingest(acme, *(record(f"{n}") for n in range(4)))
    backfill = launch(tracker, admin, now)
    charging.reserve(
        company=acme,
        amount=Decimal("1.4"),
        use=claiming.Use("ASK", "Ask anything", None, "API_REQUEST"),
        rates=people.rates(),
    )

    work_off(tracker, backfill)

    backfill.refresh_from_db()
    assert backfill.state == "WAITING"
    assert sorted(states(acme)) == ["DONE", "PENDING", "PENDING", "PENDING"]
    people.credits_for(acme, "10")
    sweeping.sweep(now=timezone.now())
    assert work_off(tracker, backfill) == 0

    backfills.resume(backfill_id=backfill.pk, by=admin, now=now)
    work_off(tracker, backfill)

    backfill.refresh_from_db()
    assert backfill.state == "DONE"
    assert states(acme) == ["DONE"] * 4


def test_findings_are_the_same_in_any_batch_and_order(acme, admin, now):
    people.credits_for(acme, "500")
    texts = ["Too expensive.", "Lovely weather.", "We have no budget.", "Send me the slides."]
    incoming = [
        record(
            f"call-{n}",
            utterances=[{"id": "u0", "speaker": "c", "start": 0.0, "text": texts[n % 4] + f" {n}"}],
        )
        for n in range(24)
    ]
    conversations.ingest(acme, *incoming)
    first = conversations.published(acme, admin, "First", now=now)
    second = conversations.published(acme, admin, "Second", now=now)
    work_off(first, launch(first, admin, now))
    one_by_one = launch(second, admin, now)

    # The second tracker reads in batches of one, the newest first.
    later = iter(range(1, 1000))
    Scan.objects.filter(backfill=one_by_one).update(due_at=now + timedelta(days=999))
    for scan in Scan.objects.filter(backfill=one_by_one).order_by("-conversation__external_id"):
        Scan.objects.filter(pk=scan.pk).update(due_at=now)
        work_off(second, one_by_one, clock=lambda: now + timedelta(seconds=next(later)))

    def found(tracker):
        return list(
            Scan.objects.filter(tracker=tracker)
            .order_by("conversation__external_id")
            .values_list("conversation__external_id", "verdict", "score", "confidence", "answer")
        )

    assert len({row[2] for row in found(first)}) > 4
    assert found(first) == found(second)
