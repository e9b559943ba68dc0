"""Expiry is a fact of time, not of a job (SPEC §2); each story is a statement of account."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import balances, charging, expirations, grants, tasks
from credits.ledger import InsufficientCredits
from credits.models import JobRun, LedgerEntry, Reservation, Source
from tests.credits.conftest import NOON
from tests.support import statement
from tests.support.people import days

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
TOMORROW = NOON + days(1)


@pytest.fixture
def march(acme):
    """Ten credits that can be spent until tomorrow noon."""
    return statement.lot(acme, "March", "10", expires_at=TOMORROW)


def test_a_microsecond_before_its_expiry_a_grant_is_spent(acme, march, clock):
    clock.set(TOMORROW - MICROSECOND)

    statement.charge(acme, "4")
    clock.set(TOMORROW)
    balances.now(company=acme)

    assert statement.of(acme) == [
        "02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)",
        "03 Mar 11:59:59.999999 Used -4.0 = 6.0 (March -4.0)",
        "03 Mar 12:00 Expired -6.0 = 0.0 (March -6.0)",
    ]


@pytest.mark.parametrize("late", [timedelta(0), MICROSECOND, days(40)])
def test_from_the_instant_of_its_expiry_a_grant_cannot_be_spent(acme, march, clock, late):
    clock.set(TOMORROW + late)

    with pytest.raises(InsufficientCredits) as refusal:
        statement.charge(acme, "0.001")
    with pytest.raises(InsufficientCredits):
        statement.reserve(acme, "0.001")

    assert refusal.value.available == Decimal("0.000")
    assert statement.of(acme) == [
        "02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)",
        "03 Mar 12:00 Expired -10.0 = 0.0 (March -10.0)",
    ]


@pytest.mark.parametrize("offset", [-MICROSECOND, timedelta(0), MICROSECOND])
def test_what_was_reserved_in_time_is_captured_after_the_expiry(acme, march, clock, offset):
    clock.set(TOMORROW - MINUTE)
    reservation = statement.reserve(acme, "3")
    clock.set(TOMORROW + offset)

    statement.capture(reservation, "3")
    clock.set(TOMORROW + MINUTE)
    balances.now(company=acme)

    expired = "03 Mar 12:00 Expired -7.0 = {} (March -7.0)"
    used = "{} Used -3.0 = {} (March -3.0)"
    assert (
        statement.of(acme)[1:]
        == {
            -MICROSECOND: [used.format("03 Mar 11:59:59.999999", "7.0"), expired.format("0.0")],
            timedelta(0): [expired.format("3.0"), used.format("03 Mar 12:00", "0.0")],
            MICROSECOND: [expired.format("3.0"), used.format("03 Mar 12:00:00.000001", "0.0")],
        }[offset]
    )


def test_what_a_capture_leaves_of_an_expired_lot_expires_in_the_same_act(acme, march, clock):
    clock.set(TOMORROW - MINUTE)
    reservation = statement.reserve(acme, "3")
    clock.set(TOMORROW + MINUTE)

    statement.capture(reservation, "2.5")

    assert statement.of(acme)[1:] == [
        "03 Mar 12:00 Expired -7.0 = 3.0 (March -7.0)",
        "03 Mar 12:01 Used -2.5 = 0.5 (March -2.5)",
        "03 Mar 12:01 Expired -0.5 = 0.0 (March -0.5)",
    ]


def test_what_is_released_to_an_expired_lot_expires_in_the_same_act(acme, march, clock):
    statement.lot(acme, "Lasting", "1")
    clock.set(TOMORROW - MINUTE)
    reservation = statement.reserve(acme, "3")
    clock.set(TOMORROW + MINUTE)

    charging.release(reservation=reservation)

    assert statement.of(acme)[2:] == [
        "03 Mar 12:00 Expired -7.0 = 4.0 (March -7.0)",
        "03 Mar 12:01 Expired -3.0 = 1.0 (March -3.0)",
    ]
    assert balances.now(company=acme).reserved == Decimal("0.000")


def test_an_abandoned_reservation_lapses_at_its_instant_and_its_credits_are_free_again(
    acme, march, clock
):
    reservation = statement.reserve(acme, "10", minutes=15)
    clock.set(NOON + 15 * MINUTE - MICROSECOND)
    with pytest.raises(InsufficientCredits):
        statement.charge(acme, "1")

    clock.set(NOON + 15 * MINUTE)
    statement.charge(acme, "1")
    with pytest.raises(charging.ReservationLapsed):
        statement.capture(reservation, "10")

    row = Reservation.objects.get(pk=reservation.pk)
    assert (row.state, row.closed_at) == ("LAPSED", NOON + 15 * MINUTE)
    assert statement.of(acme)[1:] == ["02 Mar 12:15 Used -1.0 = 9.0 (March -1.0)"]


def test_what_lapses_on_an_expired_lot_expires_at_the_lapse(acme, march, clock):
    clock.set(TOMORROW - MINUTE)
    statement.reserve(acme, "3", minutes=15)

    clock.set(TOMORROW + days(2))
    balances.now(company=acme)

    assert statement.of(acme)[1:] == [
        "03 Mar 12:00 Expired -7.0 = 3.0 (March -7.0)",
        "03 Mar 12:14 Expired -3.0 = 0.0 (March -3.0)",
    ]


@pytest.mark.parametrize(
    ("end", "closed_at"),
    [
        (lambda held: charging.release(reservation=held), "12:10"),
        (lambda held: statement.capture(held, "0"), "12:10"),
        (lambda held: None, "12:14"),
    ],
    ids=["released", "captured for nothing", "lapsed"],
)
def test_what_comes_back_to_lots_that_have_expired_expires_in_the_spending_order(
    acme, clock, end, closed_at
):
    statement.lot(acme, "A minute later", "4", expires_at=TOMORROW + MINUTE)
    statement.lot(acme, "Order 7", "3", expires_at=TOMORROW)
    statement.lot(acme, "Seats", "2", source=Source.ALLOCATION, expires_at=TOMORROW)
    clock.set(TOMORROW - MINUTE)
    held = statement.reserve(acme, "9", minutes=15)

    clock.set(TOMORROW + 10 * MINUTE)
    end(held)
    clock.set(TOMORROW + 20 * MINUTE)
    expirations.settle(company=acme)

    assert statement.of(acme)[3:] == [
        f"03 Mar {closed_at} Expired -2.0 = 7.0 (Seats -2.0)",
        f"03 Mar {closed_at} Expired -3.0 = 4.0 (Order 7 -3.0)",
        f"03 Mar {closed_at} Expired -4.0 = 0.0 (A minute later -4.0)",
    ]


def test_starts_lapses_and_expiries_of_one_instant_come_in_that_order(acme, march, clock):
    statement.lot(acme, "April", "5", effective_at=TOMORROW)
    clock.set(TOMORROW - 15 * MINUTE)
    statement.reserve(acme, "3", minutes=15)

    clock.set(TOMORROW + days(1))
    balances.now(company=acme)

    assert statement.of(acme)[1:] == [
        "03 Mar 12:00 Added +5.0 = 15.0 (April +5.0)",
        "03 Mar 12:00 Expired -10.0 = 5.0 (March -10.0)",
    ]


def test_everything_that_came_due_is_written_in_the_order_of_time(acme, march, clock):
    statement.lot(acme, "Day three", "5", effective_at=NOON + days(3), expires_at=NOON + days(4))
    statement.lot(acme, "Day two", "2", effective_at=NOON + days(2))

    clock.set(NOON + days(30))
    expirations.settle(company=acme)

    assert statement.of(acme)[1:] == [
        "03 Mar 12:00 Expired -10.0 = 0.0 (March -10.0)",
        "04 Mar 12:00 Added +2.0 = 2.0 (Day two +2.0)",
        "05 Mar 12:00 Added +5.0 = 7.0 (Day three +5.0)",
        "06 Mar 12:00 Expired -5.0 = 2.0 (Day three -5.0)",
    ]


def _issue_refused(company):
    with pytest.raises(grants.GrantExpiresBeforeItStarts):
        statement.lot(company, "Refused", "1", expires_at=NOON)


def _charge_refused(company):
    with pytest.raises(InsufficientCredits):
        statement.charge(company, "900")


FIRST_COMERS = {
    "the page": lambda company: balances.now(company=company),
    "a report of the past": lambda company: balances.at(company=company, instant=NOON),
    "the job": lambda company: expirations.settle_due(),
    "one company's settling": lambda company: expirations.settle(company=company),
    "an estimate": lambda company: charging.estimate(
        company=company, work=statement.work_of("1"), rates=statement.MILLS
    ),
    "a charge that is refused": _charge_refused,
    "a grant that is refused": _issue_refused,
    "a reservation and its release": lambda company: charging.release(
        reservation=statement.reserve(company, "1")
    ),
}


@pytest.mark.parametrize("first_comer", FIRST_COMERS)
def test_whoever_comes_first_writes_the_same_entries(acme, march, clock, first_comer):
    statement.lot(acme, "April", "5", effective_at=NOON + days(2), expires_at=NOON + days(32))
    clock.set(TOMORROW - MINUTE)
    statement.reserve(acme, "4", minutes=15)
    clock.set(NOON + days(5))

    FIRST_COMERS[first_comer](acme)

    assert statement.of(acme) == [
        "02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)",
        "03 Mar 12:00 Expired -6.0 = 4.0 (March -6.0)",
        "03 Mar 12:14 Expired -4.0 = 0.0 (March -4.0)",
        "04 Mar 12:00 Added +5.0 = 5.0 (April +5.0)",
    ]
    recorded = LedgerEntry.objects.filter(company=acme, sequence__gt=1)
    assert set(recorded.values_list("recorded_at", flat=True)) == {NOON + days(5)}


def test_the_job_settles_every_company_with_something_due_and_nobody_twice(acme, march, clock):
    globex, quiet = statement.company(), statement.company()
    statement.lot(globex, "Globex", "7", source=Source.ALLOCATION, expires_at=TOMORROW)
    statement.lot(quiet, "Quiet", "1")
    clock.set(TOMORROW + MINUTE)

    settled = expirations.settle_due(batch_size=1)
    again = expirations.settle_due(batch_size=1)

    assert (settled, again) == (2, 0)
    assert statement.of(acme)[1:] == ["03 Mar 12:00 Expired -10.0 = 0.0 (March -10.0)"]
    assert statement.of(globex)[1:] == ["03 Mar 12:00 Expired -7.0 = 0.0 (Globex -7.0)"]
    assert statement.of(quiet) == ["02 Mar 12:00 Added +1.0 = 1.0 (Quiet +1.0)"]


def test_nothing_is_due_on_a_company_without_credits(acme):
    assert expirations.settle(company=acme) == 0
    assert expirations.settle_due() == 0
    assert statement.of(acme) == []


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 companies settled"), (1, "1 company settled"), (2, "2 companies settled")],
)
def test_the_job_says_how_many_companies_it_settled(clock, count, said):
    for _ in range(count):
        statement.lot(statement.company(), "Due", "7", expires_at=TOMORROW)
    clock.set(TOMORROW)

    tasks.settle()

    assert JobRun.objects.get(name="settle").summary == said
