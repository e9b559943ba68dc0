"""Filling the pool, and which lot is spent first (SPEC §2), as statements of account."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

import pytest

from credits import balances, grants, reconciliation
from credits.amounts import InexactAmount
from credits.ledger import IdempotencyConflict, InsufficientCredits, Key
from credits.models import CreditGrant, LedgerEntry, Source
from tests.credits.conftest import NOON
from tests.support import people, statement
from tests.support.people import days

MICROSECOND = timedelta(microseconds=1)


def test_a_grant_from_now_can_be_spent_at_once(acme):
    statement.lot(acme, "March", "10")

    statement.charge(acme, "2.5")

    assert statement.of(acme) == [
        "02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)",
        "02 Mar 12:00 Used -2.5 = 7.5 (March -2.5)",
    ]


def test_a_start_already_past_counts_from_now_and_the_date_asked_for_is_kept(acme):
    grant = statement.lot(
        acme, "Late", "10", effective_at=NOON - days(5), expires_at=NOON + days(1)
    )

    assert (grant.effective_at, grant.requested_effective_at) == (NOON, NOON - days(5))
    assert statement.of(acme) == ["02 Mar 12:00 Added +10.0 = 10.0 (Late +10.0)"]


def test_a_future_grant_is_not_there_until_its_instant(acme, clock):
    grant = statement.lot(acme, "April", "10", effective_at=NOON + days(1))
    assert (grant.remaining, grant.granted_at, statement.of(acme)) == (Decimal(0), None, [])

    clock.set(NOON + days(1) - MICROSECOND)
    with pytest.raises(InsufficientCredits) as refusal:
        statement.charge(acme, "1")
    clock.set(NOON + days(1))
    statement.charge(acme, "1")

    assert refusal.value.available == Decimal("0.000")
    assert statement.of(acme) == [
        "03 Mar 12:00 Added +10.0 = 10.0 (April +10.0)",
        "03 Mar 12:00 Used -1.0 = 9.0 (April -1.0)",
    ]


def test_a_future_grant_noticed_late_is_dated_at_its_own_instant(acme, clock):
    statement.lot(acme, "April", "10", effective_at=NOON + days(1))

    clock.set(NOON + days(3))
    seen = balances.now(company=acme)

    assert seen.available == Decimal("10.000")
    assert statement.of(acme) == ["03 Mar 12:00 Added +10.0 = 10.0 (April +10.0)"]


def test_a_future_grant_whose_whole_life_passed_unseen_came_and_went(acme, clock):
    statement.lot(acme, "Day", "10", effective_at=NOON + days(1), expires_at=NOON + days(2))

    clock.set(NOON + days(9))
    balances.now(company=acme)

    assert statement.of(acme) == [
        "03 Mar 12:00 Added +10.0 = 10.0 (Day +10.0)",
        "04 Mar 12:00 Expired -10.0 = 0.0 (Day -10.0)",
    ]


def test_a_grant_without_an_expiry_lasts(acme, clock):
    statement.lot(acme, "For ever", "10")

    clock.set(NOON + days(36_500))
    statement.charge(acme, "10")

    assert statement.of(acme)[-1] == "06 Feb 12:00 Used -10.0 = 0.0 (For ever -10.0)"


@pytest.mark.parametrize(
    ("effective_at", "expires_at"),
    [
        (NOON + days(2), NOON + days(1)),
        (NOON + days(1), NOON + days(1)),
        (None, NOON),
        (NOON - days(9), NOON - days(1)),
    ],
    ids=["before it starts", "as it starts", "now", "in the past"],
)
def test_a_grant_that_would_expire_before_it_starts_is_refused(acme, effective_at, expires_at):
    with pytest.raises(grants.GrantExpiresBeforeItStarts):
        statement.lot(acme, "Never", "10", effective_at=effective_at, expires_at=expires_at)

    assert not CreditGrant.objects.filter(company=acme).exists()
    assert statement.of(acme) == []


@pytest.mark.parametrize("amount", ["0", "-1"])
def test_a_grant_of_nothing_is_refused(acme, amount):
    with pytest.raises(ValueError, match=r"^Enter an amount above 0\.$"):
        statement.lot(acme, "Nothing", amount)

    assert not CreditGrant.objects.filter(company=acme).exists()


def test_a_grant_of_more_than_a_pool_can_hold_is_refused(acme):
    with pytest.raises(ValueError, match=r"^Enter at most 999,999,999,999,999\.999 credits\.$"):
        statement.lot(acme, "Everything", "1e15")

    assert not CreditGrant.objects.filter(company=acme).exists()


@pytest.mark.parametrize("end", ["effective_at", "expires_at"])
def test_a_grant_starts_and_ends_in_a_time_zone(acme, end):
    instant = datetime(2027, 1, 1)  # noqa: DTZ001 - without a zone, as somebody would forget it

    with pytest.raises(ValueError, match=r"^2027-01-01 00:00:00 does not say in which time zone"):
        statement.lot(acme, "Soon", "10", **{end: instant})

    assert not CreditGrant.objects.filter(company=acme).exists()


@pytest.mark.parametrize("amount", ["1.0001", "NaN", "Infinity"])
def test_a_grant_is_never_rounded(acme, amount):
    with pytest.raises(InexactAmount):
        statement.lot(acme, "Inexact", amount)

    assert not CreditGrant.objects.filter(company=acme).exists()


def test_introductory_credits_come_once(acme):
    statement.lot(acme, "Pilot", "80", source=Source.INTRODUCTORY)

    with pytest.raises(grants.AlreadyIntroduced):
        statement.lot(acme, "Pilot again", "80", source=Source.INTRODUCTORY)

    assert statement.of(acme) == ["02 Mar 12:00 Added +80.0 = 80.0 (Pilot +80.0)"]


def test_the_same_key_grants_once_and_another_body_is_a_conflict(acme):
    terms = {"company": acme, "source": Source.ADJUSTMENT, "by": None, "amount": Decimal(10)}

    first = grants.issue(**terms, key=Key.of("order 7", amount="10"))
    again = grants.issue(**terms, key=Key.of("order 7", amount="10"))
    with pytest.raises(IdempotencyConflict):
        grants.issue(**terms, key=Key.of("order 7", amount="11"))

    assert again.pk == first.pk
    assert LedgerEntry.objects.filter(company=acme).count() == 1
    assert reconciliation.check() == []


def test_the_person_who_granted_is_named(acme):
    vera = people.vera()

    grant = grants.issue(
        company=acme, source=Source.ADJUSTMENT, amount=Decimal(1), by=vera, reason="Goodwill"
    )

    assert (grant.created_by, grant.reason) == (vera, "Goodwill")
    assert LedgerEntry.objects.get(company=acme).actor_ref == vera.public_id


# Spent first, and what it comes before; the second is issued first, so that age does not help.
ORDER = {
    "a smaller priority number, whatever else": (
        {"priority": 50, "source": Source.ADJUSTMENT},
        {"priority": 100, "source": Source.ALLOCATION, "expires_at": NOON + days(1)},
    ),
    "what expires sooner": (
        {"expires_at": NOON + days(2), "source": Source.ADJUSTMENT},
        {"expires_at": NOON + days(2) + MICROSECOND, "source": Source.ALLOCATION},
    ),
    "what expires at all": (
        {"expires_at": NOON + days(9000), "source": Source.ADJUSTMENT},
        {"expires_at": None, "source": Source.ALLOCATION},
    ),
    "an allocation before introductory credits": (
        {"source": Source.ALLOCATION},
        {"source": Source.INTRODUCTORY},
    ),
    "introductory credits before a purchase": (
        {"source": Source.INTRODUCTORY},
        {"source": Source.PURCHASE},
    ),
    "a purchase before an adjustment": (
        {"source": Source.PURCHASE},
        {"source": Source.ADJUSTMENT},
    ),
}


@pytest.mark.parametrize("rule", ORDER)
def test_the_spending_order(acme, rule):
    first, second = ORDER[rule]
    statement.lot(acme, "second", "5", **second)
    statement.lot(acme, "first", "5", **first)

    statement.charge(acme, "6")

    assert statement.of(acme)[-1] == "02 Mar 12:00 Used -6.0 = 4.0 (first -5.0, second -1.0)"


@pytest.mark.parametrize("rule", ORDER)
def test_a_part_of_what_was_held_is_captured_in_the_spending_order(acme, rule):
    first, second = ORDER[rule]
    statement.lot(acme, "second", "5", **second)
    statement.lot(acme, "first", "5", **first)
    reservation = statement.reserve(acme, "8")

    statement.capture(reservation, "6")

    assert statement.of(acme)[-1] == "02 Mar 12:00 Used -6.0 = 4.0 (first -5.0, second -1.0)"
    assert statement.left(acme) == {"second": "4.0"}
    assert statement.held(acme) == {}


def test_of_equal_lots_the_older_is_spent_first(acme, clock):
    statement.lot(acme, "future", "5", effective_at=NOON + days(2))
    clock.set(NOON + days(1))
    statement.lot(acme, "older", "5")
    clock.set(NOON + days(2))

    statement.charge(acme, "6")

    assert statement.of(acme)[-1] == "04 Mar 12:00 Used -6.0 = 4.0 (older -5.0, future -1.0)"


def test_of_lots_of_one_instant_the_first_made_is_spent_first(acme):
    for name in ("first", "second", "third"):
        statement.lot(acme, name, "5")

    statement.charge(acme, "11")

    assert statement.of(acme)[-1] == (
        "02 Mar 12:00 Used -11.0 = 4.0 (first -5.0, second -5.0, third -1.0)"
    )


def test_a_reservation_and_its_capture_follow_the_same_order(acme):
    statement.lot(acme, "lasting", "5")
    statement.lot(acme, "short", "5", expires_at=NOON + days(1))

    reservation = statement.reserve(acme, "8")
    promised = statement.held(acme)
    statement.capture(reservation, "6")

    assert promised == {"short": "5.0", "lasting": "3.0"}
    assert statement.held(acme) == {}
    assert statement.of(acme)[-1] == "02 Mar 12:00 Used -6.0 = 4.0 (short -5.0, lasting -1.0)"
