"""Work that meets a limit waits for it, goes on by itself, and stops nobody else (SPEC §7)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from config.demo.clock import seeded_clock
from credits import charging, limits, reconciliation
from credits.models import LimitUse, UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, scanning, sweeping
from trackers.admin.backfills import halted_in_words
from trackers.models import Scan

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MIDNIGHT = datetime(2026, 3, 2, 23, tzinfo=UTC)  # In Berlin.


@pytest.fixture(autouse=True)
def _analyzer(monkeypatch):
    scripted = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)


@pytest.fixture
def clock(db):
    with seeded_clock(NOON) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    company = people.company()
    people.credits_for(company, "100")
    return company


@pytest.fixture
def prices(acme, alice):
    return conversations.published(acme, alice, "Prices", now=NOON - timedelta(days=60))


@pytest.fixture
def delivery(acme, alice):
    """A second tracker, of the same calls."""
    return conversations.published(acme, alice, "Delivery", now=NOON - timedelta(days=60))


def limit(tracker, credits, window="DAY"):
    return limits.set(
        company=tracker.company,
        subject=limits.of_tracker(tracker.pk, name=tracker.name),
        window=window,
        credits=Decimal(credits),
        by=None,
    )


def arrive(company, *names, **changes):
    """Take short calls in, each an hour younger than the one before: 0.5 credits each."""
    for age, name in enumerate(reversed(names)):
        started_at = NOON - timedelta(hours=age + 1)
        conversations.ingest(company, record(name, started_at=started_at, **changes), now=NOON)


def work_off(clock, *trackers, backfill=None) -> None:
    for tracker in trackers:
        while scanning.run_batch(
            version_id=tracker.current_version_id, backfill_id=backfill, clock=clock
        ):
            pass


def states(tracker) -> dict[str, str]:
    rows = Scan.objects.filter(tracker=tracker).order_by("conversation__external_id")
    return dict(rows.values_list("conversation__external_id", "state"))


def test_what_a_limit_leaves_no_room_for_waits_and_other_trackers_go_on(
    acme, prices, delivery, clock
):
    made = limit(prices, "1")
    arrive(acme, "a", "b", "c", "d")

    work_off(clock, prices, delivery)

    assert states(prices) == {"a": "DONE", "b": "DONE", "c": "PENDING", "d": "PENDING"}
    assert states(delivery) == dict.fromkeys("abcd", "DONE")
    waits = Scan.objects.filter(tracker=prices, state="PENDING")
    assert {(scan.due_at, scan.limit_ref, scan.attempts) for scan in waits} == {
        (MIDNIGHT, made.pk, 0)
    }
    assert reconciliation.check() == []


def test_it_goes_on_by_itself_when_the_limit_begins_anew(acme, prices, clock):
    limit(prices, "1")
    arrive(acme, "a", "b", "c")
    work_off(clock, prices)
    clock.set(MIDNIGHT - timedelta(minutes=1))
    assert sweeping.sweep(now=clock()).woken == 0

    clock.set(MIDNIGHT)

    assert sweeping.sweep(now=clock()).woken == 1
    work_off(clock, prices)
    assert states(prices) == dict.fromkeys("abc", "DONE")
    assert not Scan.objects.filter(limit_ref__isnull=False).exists()
    days = LimitUse.objects.order_by("starts_at")
    assert [str(day.used) for day in days[:2]] == ["1.000", "0.500"]
    assert reconciliation.check() == []


def test_a_raised_limit_lets_in_as_much_as_fits(acme, prices, clock):
    limit(prices, "1")
    arrive(acme, "a", "b", "c", "d")
    work_off(clock, prices)

    limit(prices, "1.5")

    assert sweeping.sweep(now=clock()).resumed == 1
    work_off(clock, prices)
    assert states(prices) == {"a": "DONE", "b": "DONE", "c": "DONE", "d": "PENDING"}
    assert sweeping.sweep(now=clock()).resumed == 0


def test_an_ended_limit_lets_all_of_it_in(acme, prices, clock):
    made = limit(prices, "0")
    arrive(acme, "a", "b")
    work_off(clock, prices)
    assert states(prices) == dict.fromkeys("ab", "PENDING")

    limits.end(limit=made, by=None)

    assert sweeping.sweep(now=clock()).resumed == 2
    work_off(clock, prices)
    assert states(prices) == dict.fromkeys("ab", "DONE")


def test_credits_that_come_back_to_a_limit_let_in_what_fits(acme, prices, clock):
    limit(prices, "0.5")
    arrive(acme, "a", "b")
    work_off(clock, prices)

    charging.refund(
        usage_event=UsageEvent.objects.get(), by=people.vera(), reason="Read the wrong call"
    )

    assert sweeping.sweep(now=clock()).resumed == 1
    work_off(clock, prices)
    assert states(prices) == dict.fromkeys("ab", "DONE")


def test_cheaper_conversations_go_on_where_a_dear_one_does_not_fit(acme, prices, clock):
    limit(prices, "1.5")
    arrive(acme, "a", "b", duration_seconds=1200)
    arrive(acme, "c")

    work_off(clock, prices)

    assert states(prices) == {"a": "DONE", "b": "PENDING", "c": "DONE"}


def test_a_company_s_limit_holds_for_all_trackers_together(acme, prices, delivery, clock):
    limits.set(
        company=acme,
        subject=limits.of_company(acme),
        window="MONTH",
        credits=Decimal("1.5"),
        by=None,
    )
    arrive(acme, "a", "b")

    work_off(clock, prices, delivery)

    assert states(prices) == dict.fromkeys("ab", "DONE")
    assert states(delivery) == {"a": "DONE", "b": "PENDING"}


def test_a_backfill_waits_for_a_limit_and_goes_on_without_a_person(acme, alice, clock):
    for age in range(3):
        started_at = NOON - timedelta(days=9 - age)
        conversations.ingest(acme, record(f"{age}", started_at=started_at), now=NOON)
    prices = conversations.published(acme, alice, "Prices", now=NOON)
    limit(prices, "1")
    backfill = backfills.launch(
        tracker_id=prices.pk,
        from_at=NOON - timedelta(days=30),
        to_at=NOON,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=NOON,
    )

    work_off(clock, prices, backfill=backfill.pk)
    backfill.refresh_from_db()
    assert backfill.state == "RUNNING"
    assert halted_in_words(backfill, now=clock()) == (
        "It met the limit of 1.0 credits a day for the tracker “Prices”. It goes on by itself on "
        "3 Mar 2026 00:00 CET, or when the limit is raised."
    )
    assert states(prices) == {"0": "DONE", "1": "DONE", "2": "PENDING"}
    clock.set(MIDNIGHT)
    sweeping.sweep(now=clock())
    work_off(clock, prices, backfill=backfill.pk)

    backfill.refresh_from_db()
    assert backfill.state == "DONE"
    assert states(prices) == dict.fromkeys("012", "DONE")


def test_where_the_pool_is_empty_too_it_waits_for_credits(acme, prices, clock):
    limit(prices, "1000")
    people.credits_for(people.company("Globex"), "100")
    arrive(acme, *(f"{number:03}" for number in range(3)))
    charging.charge(
        company=acme,
        use=charging.Use("ASK", "Ask anything", None, "API_REQUEST"),
        work=charging.Work(long_calls=99),
        rates=people.rates(),
    )

    work_off(clock, prices)

    assert states(prices) == {"000": "DONE", "001": "DONE", "002": "WAITING"}
