"""New credits of any kind wake what waits for them, and nobody's queue blocks another's."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from celery.schedules import crontab

from config.celery import SCHEDULE
from config.demo.clock import seeded_clock
from credits import balances, charging, rate_cards, refunds
from credits.identifiers import new_id
from credits.ledger import Use
from credits.rating import Work
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, scanning, sweeping, tasks, waiting
from trackers.models import Scan, Tracker

pytestmark = pytest.mark.django_db

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)
USE = Use("ASK", "Ask anything", None, "API_REQUEST")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    with seeded_clock(NOW) as clock:
        yield clock


def tracker(company, name="Prices", **settings) -> Tracker:
    by = people.member(company, "TECH_ADMIN", f"Alice {name}")
    asked = {"catch_up": True} | settings
    return conversations.published(company, by, name, now=NOW - timedelta(days=60), **asked)


def arrive(company, *names, before=timedelta(0)):
    records = (record(name, started_at=NOW - before) for name in names)
    conversations.ingest(company, *records, now=NOW)


def work_off(*trackers, clock=lambda: NOW) -> None:
    for one in trackers:
        while scanning.run_batch(version_id=one.current_version_id, backfill_id=None, clock=clock):
            pass


def states(one) -> list[str]:
    scans = Scan.objects.filter(tracker=one).order_by("conversation__external_id")
    return list(scans.values_list("state", flat=True))


def all_used(company):
    people.credits_for(company, "1")
    work = Work(long_calls=1, request_count=1)
    return charging.charge(company=company, use=USE, work=work, rates=people.rates())


def refund(company, event) -> None:
    refunds.refund(usage_event=event, by=people.vera(), reason="It was a mistake of ours.")


COMING = {
    "a purchase": lambda company, _: people.credits_for(company, "1", source="PURCHASE"),
    "an allocation": lambda company, _: people.credits_for(company, "1", source="ALLOCATION"),
    "an adjustment": lambda company, _: people.credits_for(company, "1"),
    "a refund": refund,
}


@pytest.mark.parametrize("coming", COMING)
def test_whatever_brings_credits_wakes_the_queue_at_the_next_sweep(acme, coming):
    prices = tracker(acme)
    event = all_used(acme)
    arrive(acme, "a")
    work_off(prices)
    assert states(prices) == ["WAITING"]

    COMING[coming](acme, event)
    swept = sweeping.sweep(now=NOW)
    work_off(prices)

    assert (swept.resumed, swept.woken, states(prices)) == (1, 1, ["DONE"])


@pytest.mark.parametrize("catch_up", [False, True])
def test_what_met_only_the_hold_of_other_work_is_no_backlog(acme, catch_up):
    prices = tracker(acme, catch_up=catch_up)
    people.credits_for(acme, "0.5")
    held = charging.reserve(company=acme, amount=Decimal("0.5"), use=USE, rates=people.rates())
    arrive(acme, "a")
    work_off(prices)
    queued = states(prices)

    charging.release(reservation=held)
    early, late = sweeping.sweep(now=NOW), sweeping.sweep(now=NOW + timedelta(seconds=30))
    work_off(prices, clock=lambda: NOW + timedelta(seconds=30))

    assert (queued, early.woken, late.woken) == (["PENDING"], 0, 1)
    assert states(prices) == ["DONE"]
    assert Scan.objects.get().attempts == 1


def test_what_met_a_hold_that_was_used_waits_for_credits_from_then_on(acme):
    prices = tracker(acme, catch_up=False)
    people.credits_for(acme, "0.5")
    held = charging.reserve(company=acme, amount=Decimal("0.5"), use=USE, rates=people.rates())
    arrive(acme, "a")
    work_off(prices)
    work = Work(emails_with_text=5, request_count=1)
    charging.capture(reservation=held, work=work, rates=people.rates(), usage_id=new_id())

    work_off(prices, clock=lambda: NOW + timedelta(seconds=30))

    scan = Scan.objects.get()
    assert (scan.state, scan.waiting_since) == ("WAITING", NOW + timedelta(seconds=30))


def test_what_was_queued_for_long_has_waited_for_credits_since_there_were_none(acme):
    """As what met a limit for a month, or an analyzer that was away."""
    prices = tracker(acme, catch_up=False)
    arrive(acme, "a")
    late = NOW + timedelta(days=31)
    work_off(prices, clock=lambda: late)

    kept = sweeping.sweep(now=late + timedelta(days=30)).skipped
    skipped = sweeping.sweep(now=late + timedelta(days=30, seconds=1)).skipped

    assert waiting.queues(company=acme) == []
    assert (kept, skipped, states(prices)) == (0, 1, ["SKIPPED"])


def card(effective_at, **changes):
    rates = people.rates().amounts | {item: Decimal(rate) for item, rate in changes.items()}
    rate_cards.publish(effective_at=effective_at, rates=rates, note="", by=None, now=NOW)


def test_what_waits_follows_a_rate_card_when_it_comes_into_force(acme):
    eager, patient = tracker(acme), tracker(acme, "Delivery", catch_up=False)
    arrive(acme, "a")
    work_off(eager, patient)
    people.credits_for(acme, "0.3")
    card(NOW + timedelta(hours=1), CALL_SHORT="0.2")
    card(NOW + timedelta(hours=2), CALL_SHORT="0")

    before = sweeping.sweep(now=NOW + timedelta(minutes=59))
    cheaper = sweeping.sweep(now=NOW + timedelta(hours=1))
    free = sweeping.sweep(now=NOW + timedelta(hours=2, minutes=30))

    assert (before.resumed, cheaper.resumed, free.resumed) == (0, 1, 1)
    assert (states(eager), states(patient)) == (["PENDING"], ["PENDING"])


def test_what_begins_to_wait_as_prices_change_follows_them_too(acme):
    """Its worker read the rate card before the one that has just come into force."""
    patient = tracker(acme, catch_up=False)
    card(NOW + timedelta(seconds=1), CALL_SHORT="0.2")
    sweeping.sweep(now=NOW + timedelta(seconds=2))
    arrive(acme, "a")
    work_off(patient)

    sweeping.sweep(now=NOW + timedelta(seconds=32))

    assert waiting.queues(company=acme)[0].credits == Decimal("0.200")


@pytest.mark.parametrize("broken", ["recover", "skip_unwanted", "resume_limited"])
def test_a_step_that_fails_keeps_nothing_else_from_being_done(acme, monkeypatch, broken):
    prices = tracker(acme)
    arrive(acme, "a")
    work_off(prices)
    people.credits_for(acme, "1")

    def fail(*, now):
        raise RuntimeError("not today")

    monkeypatch.setattr(sweeping, broken, fail)
    with pytest.raises(sweeping.SweepFailed, match="1 resumed, 1 woken") as failed:
        sweeping.sweep(now=NOW)

    assert str(failed.value.__cause__) == "not today"
    assert states(prices) == ["PENDING"]


def test_a_company_whose_balance_cannot_be_read_keeps_no_other_waiting(acme, monkeypatch):
    globex = people.company("Globex")
    ours, theirs = tracker(acme), tracker(globex)
    for company in (acme, globex):
        arrive(company, "a")
    work_off(ours, theirs)
    people.credits_for(globex, "1")
    read = balances.now

    def failing(*, company):
        if company == acme:
            raise RuntimeError("not today")
        return read(company=company)

    monkeypatch.setattr(balances, "now", failing)
    with pytest.raises(sweeping.SweepFailed):
        sweeping.sweep(now=NOW)

    assert (states(ours), states(theirs)) == (["WAITING"], ["PENDING"])


def test_a_future_grant_wakes_it_when_it_becomes_effective_and_not_before(acme, clock):
    prices = tracker(acme)
    people.credits_for(acme, "1", effective_at=NOW + timedelta(hours=1))
    arrive(acme, "a")
    work_off(prices)

    before = sweeping.sweep(now=NOW).resumed
    clock.set(NOW + timedelta(hours=1))
    swept = sweeping.sweep(now=NOW + timedelta(hours=1))

    assert (before, swept.resumed, swept.woken) == (0, 1, 1)


def test_a_sweep_comes_at_least_twice_a_minute():
    assert not isinstance(SCHEDULE["sweep"]["schedule"], crontab)
    assert SCHEDULE["sweep"]["schedule"] == tasks.SWEEP_PERIOD == timedelta(seconds=30)


def test_a_tracker_with_a_long_queue_does_not_hide_another_s(acme, monkeypatch):
    """More old calls wait for one tracker than a sweep looks at, and one new one for another."""
    monkeypatch.setattr(sweeping, "RESUME_MAX", 4)
    long, short = tracker(acme, "Long"), tracker(acme, "Short")
    arrive(acme, *(f"{n}" for n in range(6)), before=timedelta(hours=2))
    Scan.objects.filter(tracker=short).delete()
    arrive(acme, "new")
    Scan.objects.filter(tracker=long, conversation__external_id="new").delete()
    work_off(long, short)
    people.credits_for(acme, "10")

    sweeping.sweep(now=NOW)

    assert states(short) == ["PENDING"]
    assert sorted(states(long)) == ["PENDING"] * 2 + ["WAITING"] * 4


def test_a_tracker_that_does_not_catch_up_waits_for_a_person_beside_one_that_does(acme):
    eager = tracker(acme)
    patient = tracker(acme, "Delivery", catch_up=False)
    arrive(acme, "one", "two")
    work_off(eager, patient)
    assert (states(eager), states(patient)) == (["WAITING"] * 2, ["WAITING"] * 2)
    people.credits_for(acme, "10")

    sweeping.sweep(now=NOW)
    work_off(eager, patient)

    assert (states(eager), states(patient)) == (["DONE"] * 2, ["WAITING"] * 2)
    assert balances.now(company=acme).available == Decimal("9.000")


def test_a_dear_call_at_the_head_does_not_block_its_own_queue(acme):
    prices = tracker(acme)
    dear = record("a dear", started_at=NOW - timedelta(hours=1), duration_seconds=900)
    conversations.ingest(acme, dear, record("cheap", started_at=NOW), now=NOW)
    work_off(prices)
    people.credits_for(acme, "0.6")

    sweeping.sweep(now=NOW)

    assert states(prices) == ["WAITING", "PENDING"]


def test_a_company_at_zero_does_not_block_one_that_can_pay(acme):
    globex = people.company("Globex")
    ours, theirs = tracker(acme), tracker(globex)
    for company in (acme, globex):
        arrive(company, "a", "b")
    work_off(ours, theirs)
    people.credits_for(globex, "10")

    swept = sweeping.sweep(now=NOW)
    work_off(ours, theirs)

    assert (swept.resumed, states(ours), states(theirs)) == (
        *(2, ["WAITING", "WAITING"]),
        ["DONE", "DONE"],
    )
    assert balances.now(company=acme).remaining == Decimal(0)


def test_what_waited_longer_than_the_setting_is_skipped_once_and_says_so(acme, settings):
    settings.WAITING_DAYS = 3
    prices = tracker(acme, catch_up=False)
    arrive(acme, "a")
    work_off(prices)
    # Queued as long, and not waiting for credits: its turn has not come.
    arrive(acme, "queued")

    early = sweeping.sweep(now=NOW + timedelta(days=3)).skipped
    late = NOW + timedelta(days=3, seconds=1)
    skipped = (sweeping.sweep(now=late).skipped, sweeping.sweep(now=late).skipped)

    assert (early, skipped) == (0, (1, 0))
    assert states(prices) == ["SKIPPED", "PENDING"]
    scan = Scan.objects.get(state="SKIPPED")
    assert (scan.state, scan.reason, scan.usage_event) == (
        *("SKIPPED", "Waited 3 days for credits."),
        None,
    )
