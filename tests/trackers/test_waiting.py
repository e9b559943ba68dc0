"""A person decides what becomes of what waited for credits (SPEC §5, UX F6)."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import IntegrityError
from django.utils import timezone

from credits import balances, companies, rate_cards, reconciliation
from credits.audit import Action
from credits.models import AuditEvent, UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, demand, scanning, sweeping, waiting
from trackers.models import Scan
from trackers.waiting import Choice, Decision

pytestmark = pytest.mark.django_db

NOW = timezone.now()
ALL = Decision(Choice.ALL)
SKIP = Decision(Choice.SKIP)


@pytest.fixture(autouse=True)
def _analyzer(monkeypatch):
    scripted = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)


@pytest.fixture
def prices(acme, alice):
    """A tracker of calls; nothing can be paid yet."""
    return conversations.published(acme, alice, "Prices", now=NOW - timedelta(days=60))


@pytest.fixture
def delivery(acme, alice):
    """A second tracker, of the same calls."""
    return conversations.published(acme, alice, "Delivery", now=NOW - timedelta(days=60))


def arrive(company, *names, **changes):
    """Take short calls in, each an hour younger than the one before."""
    for age, name in enumerate(reversed(names)):
        started_at = NOW - timedelta(hours=age + 1)
        conversations.ingest(company, record(name, started_at=started_at, **changes), now=NOW)


def work_off(*trackers) -> None:
    for tracker in trackers:
        while scanning.run_batch(
            version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now
        ):
            pass


def states(tracker) -> dict[str, str]:
    rows = Scan.objects.filter(tracker=tracker).order_by("conversation__external_id")
    return dict(rows.values_list("conversation__external_id", "state"))


def decide(company, decision, by):
    available = balances.now(company=company).available
    shown = waiting.preview(company=company, decision=decision, available=available)
    return waiting.decide(company=company, decision=decision, shown=shown, by=by, now=NOW)


def test_what_waits_is_counted_by_tracker_with_its_price_and_since_when(acme, prices, delivery):
    arrive(acme, "a", "b")
    conversations.ingest(acme, record("long", started_at=NOW, duration_seconds=601), now=NOW)
    work_off(prices)
    Scan.objects.update(waiting_since=NOW)

    (queue,) = waiting.queues(company=acme)

    assert (queue.name, queue.calls, queue.emails, queue.credits) == (
        *("Prices", 3, 0),
        Decimal("2.000"),
    )
    assert (queue.oldest_at, queue.catches_up) == (NOW, False)
    assert sum(one.calls for one in demand.waiting(company=acme)) == 3


def test_nothing_is_charged_for_a_backlog_until_somebody_chooses(acme, prices):
    arrive(acme, "a", "b")
    work_off(prices)
    people.credits_for(acme, "10")

    swept = sweeping.sweep(now=timezone.now())
    work_off(prices)

    assert (swept.resumed, swept.woken, states(prices)) == (0, 0, dict.fromkeys("ab", "WAITING"))
    assert balances.now(company=acme).available == Decimal("10.000")


def test_what_arrives_after_the_credits_is_read_at_once_and_the_backlog_is_not(acme, prices):
    arrive(acme, "old")
    work_off(prices)
    people.credits_for(acme, "10")

    conversations.ingest(acme, record("new", started_at=NOW), now=NOW)
    work_off(prices)

    assert states(prices) == {"new": "DONE", "old": "WAITING"}


def test_all_of_it_is_read_and_charged_once(acme, alice, prices, delivery):
    arrive(acme, "a", "b")
    work_off(prices, delivery)
    people.credits_for(acme, "10")

    chosen = decide(acme, ALL, alice)
    work_off(prices, delivery)

    assert (chosen.calls, chosen.emails, chosen.credits) == (4, 0, Decimal("2.000"))
    assert set(Scan.objects.values_list("state", flat=True)) == {"DONE"}
    assert balances.now(company=acme).remaining == Decimal("8.000")
    event = AuditEvent.objects.get(action=Action.RESUMED)
    assert event.actor_ref == alice.public_id
    assert {"field": "credits", "before": None, "after": "2.0"} in event.text.changes
    assert reconciliation.check() == []


def test_the_newest_are_read_first_up_to_the_credits_named(acme, alice, prices):
    arrive(acme, "a", "b", "c", "d")
    work_off(prices)
    people.credits_for(acme, "10")

    chosen = decide(acme, Decision(Choice.NEWEST, limit=Decimal("1.2")), alice)
    work_off(prices)

    assert (chosen.count, chosen.credits) == (2, Decimal("1.000"))
    assert states(prices) == {"a": "WAITING", "b": "WAITING", "c": "DONE", "d": "DONE"}
    assert balances.now(company=acme).remaining == Decimal("9.000")


def test_a_limit_above_what_is_available_is_what_is_available(acme, alice, prices):
    arrive(acme, "a", "b", "c")
    work_off(prices)
    people.credits_for(acme, "0.9")

    assert decide(acme, Decision(Choice.NEWEST, limit=Decimal("50")), alice).count == 1
    work_off(prices)

    assert states(prices) == {"a": "WAITING", "b": "WAITING", "c": "DONE"}


def test_of_all_only_what_can_be_paid_is_queued_the_oldest_first_and_trackers_in_turn(
    acme, alice, prices, delivery
):
    arrive(acme, "a", "b", "c")
    work_off(prices, delivery)
    people.credits_for(acme, "2.1")

    chosen = decide(acme, ALL, alice)

    assert chosen.credits == Decimal("2.000")
    for tracker in (prices, delivery):
        assert states(tracker) == {"a": "PENDING", "b": "PENDING", "c": "WAITING"}


def test_a_worker_is_woken_for_what_was_decided_on(
    acme, alice, prices, delivery, monkeypatch, django_capture_on_commit_callbacks
):
    arrive(acme, "a", "b")
    work_off(prices, delivery)
    people.credits_for(acme, "1")
    woken = []
    monkeypatch.setattr("trackers.wakes._send", lambda arguments, *_: woken.append(arguments))

    with django_capture_on_commit_callbacks(execute=True):
        decide(acme, Decision(Choice.TRACKERS, tracker_ids=frozenset({prices.pk})), alice)

    assert woken == [{"version_id": str(prices.current_version_id), "backfill_id": None}]


def test_what_waits_without_a_price_can_always_be_decided_on(acme, alice, prices):
    """As a text that came anew is left by an older worker: it is priced when it is charged."""
    arrive(acme, "a", "b")
    work_off(prices)
    Scan.objects.filter(conversation__external_id="b").update(price=None)

    chosen = decide(acme, ALL, alice)

    assert (chosen.count, chosen.credits) == (1, Decimal(0))
    assert states(prices) == {"a": "WAITING", "b": "PENDING"}


def test_a_dear_one_does_not_keep_cheaper_ones_waiting(acme, alice, prices):
    conversations.ingest(
        acme,
        record("dear", started_at=NOW - timedelta(hours=2), duration_seconds=900),
        record("cheap", started_at=NOW - timedelta(hours=1)),
        now=NOW,
    )
    work_off(prices)
    people.credits_for(acme, "0.9")

    decide(acme, ALL, alice)

    assert states(prices) == {"cheap": "PENDING", "dear": "WAITING"}


def test_chosen_trackers_go_on_and_others_wait(acme, alice, prices, delivery):
    arrive(acme, "a", "b")
    work_off(prices, delivery)
    people.credits_for(acme, "10")

    decide(acme, Decision(Choice.TRACKERS, tracker_ids=frozenset({delivery.pk})), alice)

    assert states(delivery) == dict.fromkeys("ab", "PENDING")
    assert states(prices) == dict.fromkeys("ab", "WAITING")


def test_what_is_skipped_is_never_charged_and_says_who_skipped_it(acme, alice, prices):
    arrive(acme, "a", "b")
    work_off(prices)
    people.credits_for(acme, "10")

    skipped = decide(acme, SKIP, alice)
    sweeping.sweep(now=timezone.now())
    work_off(prices)

    assert skipped.count == 2
    scans = list(Scan.objects.all())
    # The row holds who it was, and no name.
    assert {(scan.state, scan.reason, scan.skipped_by) for scan in scans} == {
        ("SKIPPED", "Skipped while it waited for credits.", alice)
    }
    assert {scan.reason_shown for scan in scans} == {
        "Skipped by Alice while it waited for credits."
    }
    assert UsageEvent.objects.count() == 0
    assert AuditEvent.objects.filter(action=Action.SKIPPED).count() == 1
    with pytest.raises(waiting.NothingWaits):
        decide(acme, SKIP, alice)


def test_only_what_is_skipped_names_who_skipped_it(acme, alice, prices):
    arrive(acme, "a")

    with pytest.raises(IntegrityError, match="scan_that_somebody_skipped_is_skipped"):
        Scan.objects.update(skipped_by=alice)


def test_a_backfill_that_takes_over_what_was_skipped_forgets_who_skipped_it(acme, alice, prices):
    arrive(acme, "a")
    work_off(prices)
    people.credits_for(acme, "10")
    decide(acme, SKIP, alice)
    prices.refresh_from_db()

    backfills.launch(
        tracker_id=prices.pk,
        from_at=NOW - timedelta(days=60),
        to_at=NOW + timedelta(days=1),
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=timezone.now(),
    )

    scan = Scan.objects.get()
    assert (scan.state, scan.skipped_by) == ("PENDING", None)


def test_a_decision_holds_only_for_the_conversations_it_was_shown_for(acme, alice, prices):
    """A second submit of “up to 1 credit” finds the next two calls, of the same figures."""
    arrive(acme, "a", "b", "c", "d")
    work_off(prices)
    people.credits_for(acme, "10")
    decision = Decision(Choice.NEWEST, limit=Decimal(1))
    asked = {"company": acme, "decision": decision}
    shown = waiting.preview(available=Decimal(10), **asked)
    waiting.decide(shown=shown, by=alice, now=NOW, **asked)

    with pytest.raises(waiting.QueueMoved):
        waiting.decide(shown=shown, by=alice, now=NOW, **asked)

    again = waiting.preview(available=Decimal(10), **asked)
    assert replace(again, digest="") == replace(shown, digest="")
    assert sorted(states(prices).values()) == ["PENDING", "PENDING", "WAITING", "WAITING"]


def test_another_company_s_queue_is_neither_shown_nor_decided_on(acme, alice, prices):
    globex = people.company("Globex")
    theirs = conversations.published(globex, people.alice(globex), now=NOW - timedelta(days=60))
    arrive(acme, "a")
    arrive(globex, "b")
    work_off(prices, theirs)
    people.credits_for(acme, "10")

    decide(acme, Decision(Choice.TRACKERS, tracker_ids=frozenset({prices.pk, theirs.pk})), alice)

    assert states(theirs) == {"b": "WAITING"}
    assert [queue.name for queue in waiting.queues(company=acme)] == []


def test_prices_of_what_waits_follow_the_rate_card(acme, alice, prices):
    arrive(acme, "a", "b")
    work_off(prices)
    later, latest = NOW + timedelta(hours=1), NOW + timedelta(hours=2)
    card(later, CALL_SHORT="0.7")
    card(latest, CALL_SHORT="0")

    waiting.reprice(company=acme, now=later)

    assert waiting.queues(company=acme)[0].credits == Decimal("1.400")
    waiting.reprice(company=acme, now=latest)
    assert states(prices) == dict.fromkeys("ab", "PENDING")


def card(effective_at, **changes):
    rates = people.rates().amounts | {item: Decimal(rate) for item, rate in changes.items()}
    rate_cards.publish(effective_at=effective_at, rates=rates, note="", by=None, now=NOW)


def test_nothing_is_decided_in_a_closed_company(acme, alice, prices):
    arrive(acme, "a")
    work_off(prices)
    acme.closed_at, acme.closed_by, acme.closing_reason = NOW, alice, "It ended."
    acme.save()

    with pytest.raises(companies.CompanyClosed):
        decide(acme, SKIP, alice)

    assert states(prices) == {"a": "WAITING"}
