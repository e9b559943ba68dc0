"""Taking back what filled the pool (SPEC §2), and retries, as statements of account."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import balances, charging, corrections, grants
from credits.ledger import IdempotencyConflict, InsufficientCredits, Key
from credits.models import CreditGrant, CreditPool, LedgerEntry, Source, UsageEvent
from tests.credits.conftest import NOON
from tests.support import people, statement
from tests.support.people import days

MICROSECOND = timedelta(microseconds=1)
MINUTE = timedelta(minutes=1)
TOMORROW = NOON + days(1)
WHY = "Recorded twice by mistake"


def refreshed(grant: CreditGrant) -> CreditGrant:
    return CreditGrant.objects.get(pk=grant.pk)


# Cancel


def test_a_cancelled_grant_never_comes(acme, vera, clock):
    april = statement.lot(acme, "April", "10", effective_at=TOMORROW)

    cancelled = grants.cancel(grant=april, by=vera, reason=WHY)
    clock.set(TOMORROW + days(9))
    seen = balances.now(company=acme)

    assert cancelled.cancelled_at == NOON
    assert seen.remaining == Decimal("0.000")
    assert statement.corrections(acme) == [("CANCELLED", Decimal(0), WHY, "vera", None)]
    assert statement.of(acme) == []


def test_the_scheduler_cancels_an_allocation_to_issue_it_anew(acme, clock):
    first = statement.lot(acme, "40 seats", "80000", effective_at=TOMORROW)

    grants.cancel(grant=first, by=None, reason="Seats changed before the period began")
    statement.lot(acme, "41 seats", "82000", effective_at=TOMORROW)
    clock.set(TOMORROW)
    balances.now(company=acme)

    assert statement.of(acme) == ["03 Mar 12:00 Added +82000.0 = 82000.0 (41 seats +82000.0)"]


def test_the_pool_waits_for_what_comes_next_after_a_cancelled_grant(acme, vera):
    april = statement.lot(acme, "April", "10", effective_at=TOMORROW)
    statement.lot(acme, "May", "10", effective_at=NOON + days(5))

    grants.cancel(grant=april, by=vera, reason=WHY)
    after_one = CreditPool.objects.get(company=acme).next_due_at
    grants.cancel(grant=CreditGrant.objects.get(reference="May"), by=vera, reason=WHY)
    after_both = CreditPool.objects.get(company=acme).next_due_at

    assert (after_one, after_both) == (NOON + days(5), None)


@pytest.mark.parametrize("late", [timedelta(0), MICROSECOND, days(3)])
def test_from_its_instant_a_grant_has_started_and_cannot_be_cancelled(acme, vera, clock, late):
    april = statement.lot(acme, "April", "10", effective_at=TOMORROW)
    clock.set(TOMORROW + late)

    with pytest.raises(grants.GrantAlreadyStarted):
        grants.cancel(grant=april, by=vera, reason=WHY)

    assert statement.of(acme) == ["03 Mar 12:00 Added +10.0 = 10.0 (April +10.0)"]
    assert statement.corrections(acme) == []


def test_a_microsecond_before_its_instant_a_grant_can_be_cancelled(acme, vera, clock):
    april = statement.lot(acme, "April", "10", effective_at=TOMORROW)
    clock.set(TOMORROW - MICROSECOND)

    grants.cancel(grant=april, by=vera, reason=WHY)

    assert refreshed(april).cancelled_at == TOMORROW - MICROSECOND
    assert statement.of(acme) == []


def test_a_grant_is_cancelled_once(acme, vera):
    april = statement.lot(acme, "April", "10", effective_at=TOMORROW)
    grants.cancel(grant=april, by=vera, reason=WHY)

    with pytest.raises(grants.AlreadyCancelled):
        grants.cancel(grant=april, by=vera, reason=WHY)

    assert len(statement.corrections(acme)) == 1


def test_cancelled_introductory_credits_can_be_given_again(acme, vera):
    first = statement.lot(acme, "Pilot", "80", source=Source.INTRODUCTORY, effective_at=TOMORROW)

    grants.cancel(grant=first, by=vera, reason=WHY)
    statement.lot(acme, "Pilot anew", "90", source=Source.INTRODUCTORY)

    assert statement.of(acme) == ["02 Mar 12:00 Added +90.0 = 90.0 (Pilot anew +90.0)"]


# Void


def test_a_void_takes_what_was_not_used(acme, vera):
    purchase = statement.lot(acme, "Order 7", "50000")
    statement.charge(acme, "41000")
    preview = grants.void_preview(grant=purchase)

    voided = grants.void(grant=purchase, by=vera, reason=WHY)

    assert str(preview) == "41,000.0 of 50,000.0 already used; 9,000.0 can be taken back"
    assert (voided.voided_at, voided.voided, voided.remaining) == (NOON, 9000, 0)
    assert statement.corrections(acme) == [("VOIDED", Decimal(-9000), WHY, "vera", 3)]
    assert LedgerEntry.objects.get(sequence=3).actor_ref == vera.public_id
    assert statement.of(acme)[1:] == [
        "02 Mar 12:00 Used -41000.0 = 9000.0 (Order 7 -41000.0)",
        "02 Mar 12:00 Voided -9000.0 = 0.0 (Order 7 -9000.0)",
    ]


def test_a_void_leaves_what_is_held_and_that_can_be_charged(acme, vera):
    purchase = statement.lot(acme, "Order 7", "10")
    statement.charge(acme, "2")
    reservation = statement.reserve(acme, "3")
    preview = grants.void_preview(grant=purchase)

    grants.void(grant=purchase, by=vera, reason=WHY)
    with pytest.raises(InsufficientCredits) as refusal:
        statement.charge(acme, "0.001")
    statement.capture(reservation, "3")

    assert str(preview) == (
        "2.0 of 10.0 already used; 3.0 held by work under way; 5.0 can be taken back"
    )
    assert (preview.used, preview.held, preview.taken) == (2, 3, 5)
    assert refusal.value.available == Decimal("0.000")
    assert statement.of(acme)[2:] == [
        "02 Mar 12:00 Voided -5.0 = 3.0 (Order 7 -5.0)",
        "02 Mar 12:00 Used -3.0 = 0.0 (Order 7 -3.0)",
    ]


def test_what_a_release_brings_back_to_a_voided_grant_is_voided_in_the_same_act(acme, vera, clock):
    purchase = statement.lot(acme, "Order 7", "10", expires_at=TOMORROW)
    reservation = statement.reserve(acme, "4")
    grants.void(grant=purchase, by=vera, reason=WHY)
    clock.advance(MINUTE)

    charging.release(reservation=reservation, by=vera)

    assert refreshed(purchase).voided == Decimal("10.000")
    assert statement.of(acme)[1:] == [
        "02 Mar 12:00 Voided -6.0 = 4.0 (Order 7 -6.0)",
        "02 Mar 12:01 Voided -4.0 = 0.0 (Order 7 -4.0)",
    ]


def test_what_a_part_capture_leaves_on_a_voided_grant_is_voided(acme, vera):
    purchase = statement.lot(acme, "Order 7", "10")
    reservation = statement.reserve(acme, "4")
    grants.void(grant=purchase, by=vera, reason=WHY)

    statement.capture(reservation, "1.5")

    assert statement.of(acme)[2:] == [
        "02 Mar 12:00 Used -1.5 = 2.5 (Order 7 -1.5)",
        "02 Mar 12:00 Voided -2.5 = 0.0 (Order 7 -2.5)",
    ]


def test_what_lapses_on_a_voided_grant_is_voided_at_the_lapse_even_after_its_expiry(
    acme, vera, clock
):
    purchase = statement.lot(acme, "Order 7", "10", expires_at=NOON + 10 * MINUTE)
    statement.reserve(acme, "4", minutes=15)
    grants.void(grant=purchase, by=vera, reason=WHY)

    clock.set(TOMORROW)
    balances.now(company=acme)

    assert statement.of(acme)[1:] == [
        "02 Mar 12:00 Voided -6.0 = 4.0 (Order 7 -6.0)",
        "02 Mar 12:15 Voided -4.0 = 0.0 (Order 7 -4.0)",
    ]


def test_a_void_of_credits_that_are_all_held_has_no_entry_until_they_come_back(acme, vera):
    purchase = statement.lot(acme, "Order 7", "4")
    reservation = statement.reserve(acme, "4")

    grants.void(grant=purchase, by=vera, reason=WHY)
    before = statement.of(acme)
    charging.release(reservation=reservation)

    assert before == ["02 Mar 12:00 Added +4.0 = 4.0 (Order 7 +4.0)"]
    assert statement.corrections(acme) == [("VOIDED", Decimal(0), WHY, "vera", None)]
    assert statement.of(acme)[1:] == ["02 Mar 12:00 Voided -4.0 = 0.0 (Order 7 -4.0)"]


def test_the_future_balance_knows_that_a_voided_grant_keeps_nothing(acme, vera):
    purchase = statement.lot(acme, "Order 7", "10")
    statement.lot(acme, "Lasting", "5")
    statement.reserve(acme, "4", minutes=15)
    grants.void(grant=purchase, by=vera, reason=WHY)

    before = balances.at(company=acme, instant=NOON + 14 * MINUTE).remaining
    after = balances.at(company=acme, instant=NOON + 15 * MINUTE).remaining

    assert (before, after) == (Decimal("9.000"), Decimal("5.000"))


def _used_up(acme, clock):
    grant = statement.lot(acme, "Grant", "4")
    statement.charge(acme, "4")
    return grant


def _expired(acme, clock):
    grant = statement.lot(acme, "Grant", "4", expires_at=TOMORROW)
    clock.set(TOMORROW)
    return grant


def _voided(acme, clock):
    grant = statement.lot(acme, "Grant", "4")
    grants.void(grant=grant, by=people.vera(), reason=WHY)
    return grant


def _cancelled(acme, clock):
    grant = statement.lot(acme, "Grant", "4", effective_at=TOMORROW)
    grants.cancel(grant=grant, by=None, reason=WHY)
    return grant


def _future(acme, clock):
    return statement.lot(acme, "Grant", "4", effective_at=TOMORROW)


NOT_VOIDABLE = {
    "used up": (_used_up, grants.GrantUsedUp),
    "expired": (_expired, grants.GrantExpired),
    "voided": (_voided, grants.AlreadyVoided),
    "cancelled": (_cancelled, grants.AlreadyCancelled),
    "to come": (_future, grants.GrantNotStarted),
}


@pytest.mark.parametrize("state", NOT_VOIDABLE)
def test_a_grant_with_nothing_to_take_cannot_be_voided(acme, clock, state):
    prepare, error = NOT_VOIDABLE[state]
    grant = prepare(acme, clock)
    bob = people.bob(acme)
    before, signed = statement.of(acme), statement.corrections(acme)

    with pytest.raises(error):
        grants.void_preview(grant=grant)
    with pytest.raises(error):
        grants.void(grant=grant, by=bob, reason=WHY)

    after = statement.of(acme)
    assert after[: len(before)] == before
    assert [line for line in after if " Voided " in line] == [
        line for line in before if " Voided " in line
    ]
    assert statement.corrections(acme) == signed


def test_a_refused_void_of_a_future_grant_says_to_cancel_it(acme, vera):
    april = statement.lot(acme, "April", "10", effective_at=TOMORROW)

    with pytest.raises(grants.GrantNotStarted, match=r"; cancel it instead\.$"):
        grants.void(grant=april, by=vera, reason=WHY)


@pytest.mark.parametrize("act", [grants.cancel, grants.void])
def test_no_grant_is_taken_back_without_a_reason(acme, vera, act):
    grant = statement.lot(acme, "Order 7", "10", effective_at=TOMORROW)

    with pytest.raises(
        corrections.ReasonMissing, match=r"^Write why, in at least 10 characters\.$"
    ):
        act(grant=grant, by=vera, reason="a mistake")

    assert refreshed(grant).cancelled_at is None


# Retries


def _cancel(acme, vera, key):
    grant = CreditGrant.objects.get(reference="April")
    return grants.cancel(grant=grant, by=vera, reason=WHY, key=key)


def _void(acme, vera, key):
    grant = CreditGrant.objects.get(reference="Order 7")
    return grants.void(grant=grant, by=vera, reason=WHY, key=key)


def _adjust_up(acme, vera, key):
    return grants.adjust(company=acme, amount=Decimal(1), by=vera, reason=WHY, key=key)


def _adjust_down(acme, vera, key):
    return grants.adjust(company=acme, amount=Decimal(-1), by=vera, reason=WHY, key=key)


@pytest.mark.parametrize("act", [_cancel, _void, _adjust_up, _adjust_down])
def test_the_same_key_corrects_once_and_another_body_is_a_conflict(acme, vera, act):
    statement.lot(acme, "April", "10", effective_at=TOMORROW)
    statement.lot(acme, "Order 7", "10")

    first = act(acme, vera, Key.of("form 1", body="one"))
    again = act(acme, vera, Key.of("form 1", body="one"))
    with pytest.raises(IdempotencyConflict):
        act(acme, vera, Key.of("form 1", body="another"))

    assert again.pk == first.pk
    assert len(statement.corrections(acme)) == 1
    CreditGrant.objects.filter(reference="").update(reference="Goodwill")
    assert len(statement.of(acme)) in (1, 2)


def _charge(acme, vera, key):
    terms = {"use": statement.use(), "work": statement.work_of("4"), "rates": statement.MILLS}
    return charging.charge(company=acme, key=key, **terms)


def _reserve(acme, vera, key):
    terms = {"use": statement.use(), "amount": Decimal(3), "rates": statement.MILLS}
    return charging.reserve(company=acme, key=key, **terms)


def _refund(acme, vera, key):
    event = UsageEvent.objects.get(company=acme)
    return charging.refund(usage_event=event, by=vera, reason=WHY, key=key)


def _issue(acme, vera, key):
    terms = {"source": Source.INTRODUCTORY, "amount": Decimal(2), "reference": "Pilot"}
    return grants.issue(company=acme, by=vera, key=key, **terms)


@pytest.mark.parametrize("bodies", ["one body", "a body each"])
def test_one_text_is_another_key_for_each_kind_of_act(acme, vera, bodies):
    """Of the ledger, too: an order and a refund may both be number 7."""
    statement.lot(acme, "April", "10", effective_at=TOMORROW)
    statement.lot(acme, "Order 7", "10", priority=1)
    statement.lot(acme, "Lasting", "10")
    acts = [_charge, _reserve, _refund, _issue, _adjust_down, _cancel, _void]
    keys = {
        act: Key.of("7", body=act.__name__ if bodies == "a body each" else "one") for act in acts
    }

    first = {act: act(acme, vera, keys[act]) for act in acts}
    again = {act: act(acme, vera, keys[act]) for act in acts}

    assert again == first
    assert statement.held(acme) == {"Order 7": "3.0"}
    assert refreshed(first[_cancel]).cancelled_at == NOON
    assert statement.of(acme)[2:] == [
        "02 Mar 12:00 Used -4.0 = 16.0 (Order 7 -4.0)",
        "02 Mar 12:00 Refunded +4.0 = 20.0 (Order 7 +4.0)",
        "02 Mar 12:00 Added +2.0 = 22.0 (Pilot +2.0)",
        "02 Mar 12:00 Adjusted -1.0 = 21.0 (Order 7 -1.0)",
        "02 Mar 12:00 Voided -6.0 = 15.0 (Order 7 -6.0)",
    ]
