"""What a company has: now, in the past, in the future, and “of how many” (SPEC §2)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import balances, charging
from tests.credits.conftest import NOON
from tests.support import statement
from tests.support.people import days

MICROSECOND = timedelta(microseconds=1)


def remaining(company, instant) -> tuple[str, int]:
    seen = balances.at(company=company, instant=instant)
    assert seen.instant == instant
    return str(seen.remaining), seen.sequence


def of_how_many(company) -> str:
    """Return the total, which is the same read with the balance and alone."""
    standing, now = balances.standing(company=company), balances.now(company=company)
    assert (standing.remaining, standing.reserved) == (now.remaining, now.reserved)
    assert (standing.instant, standing.sequence) == (now.instant, now.sequence)
    assert standing.total == balances.total(company=company, instant=now.instant)
    return str(standing.total.quantize(Decimal("0.001")))


def test_remaining_is_what_is_available_and_what_is_reserved(acme):
    statement.lot(acme, "March", "10")
    statement.charge(acme, "1.5")
    statement.reserve(acme, "2.25")

    now = balances.now(company=acme)

    assert (now.remaining, now.reserved, now.available) == (
        Decimal("8.500"),
        Decimal("2.250"),
        Decimal("6.250"),
    )
    assert (now.instant, now.sequence) == (NOON, 2)
    assert len(statement.of(acme)) == 2


def test_a_company_without_credits_has_none_at_any_time(acme):
    assert balances.now(company=acme).remaining == Decimal(0)
    assert remaining(acme, NOON - days(400)) == ("0.000", 0)
    assert remaining(acme, NOON + days(400)) == ("0.000", 0)
    assert of_how_many(acme) == "0.000"


@pytest.fixture
def lived(acme, clock):
    """March: 10 credits until the 6th. 4 used on the 3rd, April's 5 come on the 5th."""
    statement.lot(acme, "March", "10", expires_at=NOON + days(4))
    statement.lot(acme, "April", "5", effective_at=NOON + days(3), expires_at=NOON + days(30))
    clock.set(NOON + days(1))
    statement.charge(acme, "4")
    return acme


def test_the_past_is_what_the_last_entry_until_then_left(lived, clock):
    clock.set(NOON + days(9))

    assert remaining(lived, NOON - MICROSECOND) == ("0.000", 0)
    assert remaining(lived, NOON) == ("10.000", 1)
    assert remaining(lived, NOON + days(1) - MICROSECOND) == ("10.000", 1)
    assert remaining(lived, NOON + days(1)) == ("6.000", 2)
    assert remaining(lived, NOON + days(3)) == ("11.000", 3)
    assert remaining(lived, NOON + days(4) - MICROSECOND) == ("11.000", 3)
    assert remaining(lived, NOON + days(4)) == ("5.000", 4)
    assert statement.of(lived) == [
        "02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)",
        "03 Mar 12:00 Used -4.0 = 6.0 (March -4.0)",
        "05 Mar 12:00 Added +5.0 = 11.0 (April +5.0)",
        "06 Mar 12:00 Expired -6.0 = 5.0 (March -6.0)",
    ]


def test_of_several_entries_of_one_instant_the_last_one_counts(acme):
    statement.lot(acme, "A", "1")
    statement.lot(acme, "B", "2")

    assert remaining(acme, NOON) == ("3.000", 2)


def test_the_future_is_what_the_past_will_say(lived, clock):
    dates = [
        NOON + days(1),
        NOON + days(3) - MICROSECOND,
        NOON + days(3),
        NOON + days(4) - MICROSECOND,
        NOON + days(4),
        NOON + days(30) - MICROSECOND,
        NOON + days(30),
    ]
    foreseen = [remaining(lived, instant)[0] for instant in dates]

    clock.set(NOON + days(60))

    assert foreseen == ["6.000", "6.000", "11.000", "11.000", "5.000", "5.000", "0.000"]
    assert [remaining(lived, instant)[0] for instant in dates] == foreseen


@pytest.mark.parametrize(
    ("starts_at", "then", "remaining"),
    [
        (None, NOON + days(1), "6.000"),
        (NOON - days(9), NOON + days(1), "6.000"),
        (NOON + days(3), NOON + days(3), "11.000"),
        (NOON + days(4), NOON + days(4), "5.000"),
    ],
)
def test_what_remains_when_a_grant_starts_is_that_of_now_unless_it_starts_later(
    lived, starts_at, then, remaining
):
    found = balances.at_start(company=lived, starts_at=starts_at)

    assert (found.instant, found.remaining) == (then, Decimal(remaining))


def test_the_future_keeps_what_a_reservation_holds_of_an_expired_lot_until_it_lapses(acme, clock):
    statement.lot(acme, "March", "10", expires_at=NOON + timedelta(minutes=10))
    statement.reserve(acme, "3", minutes=15)

    foreseen = [
        remaining(acme, NOON + timedelta(minutes=minutes))[0] for minutes in (9, 10, 14, 15)
    ]

    assert foreseen == ["10.000", "3.000", "3.000", "0.000"]
    assert len(statement.of(acme)) == 1


def test_total_counts_live_grants_whole_used_up_or_not(acme):
    statement.lot(acme, "Used up", "4")
    statement.lot(acme, "Fresh", "10", expires_at=NOON + days(1))
    statement.lot(acme, "Future", "99", effective_at=NOON + days(1))
    statement.charge(acme, "14")

    assert of_how_many(acme) == "14.000"
    assert str(balances.now(company=acme).remaining) == "0.000"


def test_total_leaves_out_what_has_expired_but_for_what_is_still_held_of_it(acme, clock):
    statement.lot(acme, "Short", "10", expires_at=NOON + timedelta(minutes=10))
    statement.lot(acme, "Lasting", "6")
    reservation = statement.reserve(acme, "3", minutes=15)

    clock.set(NOON + timedelta(minutes=10))
    while_held = of_how_many(acme)
    charging.release(reservation=reservation)

    assert (while_held, of_how_many(acme)) == ("9.000", "6.000")
    assert statement.of(acme)[-2:] == [
        "02 Mar 12:10 Expired -7.0 = 9.0 (Short -7.0)",
        "02 Mar 12:10 Expired -3.0 = 6.0 (Short -3.0)",
    ]


def test_another_company_s_credits_are_not_ours(acme):
    globex = statement.company()
    statement.lot(globex, "Theirs", "10")

    assert balances.now(company=acme).remaining == Decimal(0)
    assert of_how_many(acme) == "0.000"
    assert remaining(acme, NOON) == ("0.000", 0)
