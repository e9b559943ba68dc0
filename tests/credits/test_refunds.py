"""Refunding a charge (SPEC §2): back to its lots, in reverse of the order drawn."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest

from credits import balances, charging, corrections, grants
from credits.amounts import InexactAmount
from credits.ledger import IdempotencyConflict, Key
from credits.models import Correction, CreditGrant, LedgerEntry, UsageEvent
from tests.credits.conftest import NOON
from tests.support import statement
from tests.support.people import days

TOMORROW = NOON + days(1)
WHY = "The answer was about another deal"


@pytest.fixture
def charged(acme):
    """A charge of 9: all 4 of Short, all 3 of Middle, 2 of the 5 of Lasting."""
    statement.lot(acme, "Lasting", "5")
    statement.lot(acme, "Middle", "3", expires_at=NOON + days(2))
    statement.lot(acme, "Short", "4", expires_at=TOMORROW)
    return statement.charge(acme, "9")


def fates(preview) -> list[tuple]:
    return [
        (part.grant.reference, part.amount, part.is_expired, part.is_voided)
        for part in preview.parts
    ]


def test_a_whole_refund_goes_back_in_reverse_of_the_order_drawn(acme, charged, vera):
    entry = charging.refund(usage_event=charged, by=vera, reason=WHY)

    assert (entry.kind, entry.cause, entry.corrects_sequence) == ("REFUNDED", "REFUND", 4)
    assert (entry.grant_id, entry.actor_ref) == (None, vera.public_id)
    assert statement.left(acme) == {"Lasting": "5.0", "Middle": "3.0", "Short": "4.0"}
    assert statement.of(acme)[3:] == [
        "02 Mar 12:00 Used -9.0 = 3.0 (Short -4.0, Middle -3.0, Lasting -2.0)",
        "02 Mar 12:00 Refunded +9.0 = 12.0 (Lasting +2.0, Middle +3.0, Short +4.0)",
    ]


def test_part_refunds_go_on_where_the_last_one_ended(acme, charged, vera):
    for amount in ("1", "1.5", "3"):
        charging.refund(usage_event=charged, amount=Decimal(amount), by=vera, reason=WHY)
    charging.refund(usage_event=charged, by=vera, reason=WHY)

    assert statement.of(acme)[4:] == [
        "02 Mar 12:00 Refunded +1.0 = 4.0 (Lasting +1.0)",
        "02 Mar 12:00 Refunded +1.5 = 5.5 (Lasting +1.0, Middle +0.5)",
        "02 Mar 12:00 Refunded +3.0 = 8.5 (Middle +2.5, Short +0.5)",
        "02 Mar 12:00 Refunded +3.5 = 12.0 (Short +3.5)",
    ]


def test_a_refund_names_its_charge_its_person_and_why(acme, charged, vera):
    entry = charging.refund(usage_event=charged, amount=Decimal(2), by=vera, reason=WHY)

    correction = Correction.objects.get(company=acme)
    assert (correction.kind, correction.amount, correction.entry) == ("REFUNDED", 2, entry)
    assert (correction.usage_event_id, correction.grant_id) == (charged.pk, None)
    assert (correction.by, correction.reason, correction.created_at) == (vera, WHY, NOON)
    assert entry.cause_ref == correction.pk


def test_what_goes_back_to_an_expired_lot_expires_in_the_same_act(acme, charged, vera, clock):
    clock.set(TOMORROW)
    preview = charging.refund_preview(usage_event=charged, amount=Decimal(6))

    charging.refund(usage_event=charged, amount=Decimal(6), by=vera, reason=WHY)

    assert fates(preview) == [
        ("Lasting", 2, False, False),
        ("Middle", 3, False, False),
        ("Short", 1, True, False),
    ]
    assert (preview.amount, preview.charged, preview.refunded_before) == (6, 9, 0)
    assert (preview.expires_at_once, preview.voided_at_once, preview.stays) == (1, 0, 5)
    assert statement.of(acme)[4:] == [
        "03 Mar 12:00 Refunded +6.0 = 9.0 (Lasting +2.0, Middle +3.0, Short +1.0)",
        "03 Mar 12:00 Expired -1.0 = 8.0 (Short -1.0)",
    ]
    # Used up before its end, Short had no expiry of its own until now.
    assert CreditGrant.objects.get(reference="Short").expired_at == TOMORROW


def test_a_microsecond_before_the_expiry_a_refund_stays_until_then(acme, charged, vera, clock):
    clock.set(TOMORROW - timedelta(microseconds=1))

    charging.refund(usage_event=charged, by=vera, reason=WHY)
    clock.set(TOMORROW)
    balances.now(company=acme)

    assert statement.of(acme)[5:] == ["03 Mar 12:00 Expired -4.0 = 8.0 (Short -4.0)"]


def test_each_refund_to_an_expired_lot_expires_by_itself(acme, charged, vera, clock):
    clock.set(NOON + days(5))

    for _ in range(2):
        charging.refund(usage_event=charged, amount=Decimal(4), by=vera, reason=WHY)

    assert statement.of(acme)[4:] == [
        "07 Mar 12:00 Refunded +4.0 = 7.0 (Lasting +2.0, Middle +2.0)",
        "07 Mar 12:00 Expired -2.0 = 5.0 (Middle -2.0)",
        "07 Mar 12:00 Refunded +4.0 = 9.0 (Middle +1.0, Short +3.0)",
        "07 Mar 12:00 Expired -1.0 = 8.0 (Middle -1.0)",
        "07 Mar 12:00 Expired -3.0 = 5.0 (Short -3.0)",
    ]


def test_what_would_expire_at_once_comes_again_for_30_days_when_asked(acme, charged, vera, clock):
    clock.set(NOON + days(5))

    entry = charging.refund(usage_event=charged, by=vera, reason=WHY, replace_expired=True)
    clock.set(NOON + days(35))
    balances.now(company=acme)

    grant = CreditGrant.objects.get(company=acme, reference="")
    assert (grant.source, grant.amount, grant.reason) == ("ADJUSTMENT", 7, WHY)
    assert grant.expires_at == NOON + days(35)
    signed = Correction.objects.filter(company=acme).order_by("id")
    assert [(one.kind, one.amount) for one in signed] == [("REFUNDED", 9), ("ADJUSTED", 7)]
    assert (signed[0].entry, signed[1].grant) == (entry, grant)
    CreditGrant.objects.filter(pk=grant.pk).update(reference="Again")
    assert statement.of(acme)[4:] == [
        "07 Mar 12:00 Refunded +9.0 = 12.0 (Lasting +2.0, Middle +3.0, Short +4.0)",
        "07 Mar 12:00 Expired -3.0 = 9.0 (Middle -3.0)",
        "07 Mar 12:00 Expired -4.0 = 5.0 (Short -4.0)",
        "07 Mar 12:00 Adjusted +7.0 = 12.0 (Again +7.0)",
        "06 Apr 12:00 Expired -7.0 = 5.0 (Again -7.0)",
    ]


def test_nothing_comes_again_when_nothing_expires(acme, charged, vera):
    charging.refund(usage_event=charged, by=vera, reason=WHY, replace_expired=True)

    assert CreditGrant.objects.filter(company=acme).count() == 3
    assert Correction.objects.filter(company=acme).count() == 1


def test_what_goes_back_to_a_voided_lot_is_voided_in_the_same_act(acme, charged, vera):
    lasting = CreditGrant.objects.get(reference="Lasting")
    grants.void(grant=lasting, by=vera, reason="Recorded twice by mistake")
    preview = charging.refund_preview(usage_event=charged, amount=Decimal(4))

    charging.refund(usage_event=charged, amount=Decimal(4), by=vera, reason=WHY)

    assert fates(preview) == [("Lasting", 2, False, True), ("Middle", 2, False, False)]
    assert (preview.voided_at_once, preview.expires_at_once, preview.stays) == (2, 0, 2)
    assert CreditGrant.objects.get(reference="Lasting").voided == Decimal(5)
    assert statement.of(acme)[4:] == [
        "02 Mar 12:00 Voided -3.0 = 0.0 (Lasting -3.0)",
        "02 Mar 12:00 Refunded +4.0 = 4.0 (Lasting +2.0, Middle +2.0)",
        "02 Mar 12:00 Voided -2.0 = 2.0 (Lasting -2.0)",
    ]


def test_a_captured_use_is_refunded_like_a_charge(acme, vera):
    statement.lot(acme, "Lasting", "5")
    event = statement.capture(statement.reserve(acme, "3"), "2")

    charging.refund(usage_event=event, by=vera, reason=WHY)

    assert statement.of(acme)[1:] == [
        "02 Mar 12:00 Used -2.0 = 3.0 (Lasting -2.0)",
        "02 Mar 12:00 Refunded +2.0 = 5.0 (Lasting +2.0)",
    ]


def test_refunded_credits_can_be_spent_at_once(acme, vera):
    statement.lot(acme, "Only", "5", expires_at=TOMORROW)
    event = statement.charge(acme, "5")

    charging.refund(usage_event=event, amount=Decimal(2), by=vera, reason=WHY)
    statement.charge(acme, "2")

    assert statement.of(acme)[-1] == "02 Mar 12:00 Used -2.0 = 0.0 (Only -2.0)"


def test_no_more_than_the_charge_is_ever_refunded(acme, charged, vera):
    charging.refund(usage_event=charged, amount=Decimal("8.5"), by=vera, reason=WHY)

    with pytest.raises(charging.RefundExceedsCharge) as refusal:
        charging.refund(usage_event=charged, amount=Decimal("0.501"), by=vera, reason=WHY)
    with pytest.raises(charging.RefundExceedsCharge):
        charging.refund_preview(usage_event=charged, amount=Decimal("0.501"))
    charging.refund(usage_event=charged, amount=Decimal("0.5"), by=vera, reason=WHY)
    with pytest.raises(charging.AlreadyRefunded):
        charging.refund(usage_event=charged, amount=Decimal("0.001"), by=vera, reason=WHY)
    with pytest.raises(charging.AlreadyRefunded):
        charging.refund_preview(usage_event=charged)

    assert str(refusal.value) == "0.5 credits of this charge are left to refund, not 0.501."
    assert (refusal.value.required, refusal.value.left) == (Decimal("0.501"), Decimal("0.500"))
    assert len(statement.of(acme)) == 6


def test_a_use_that_cost_nothing_has_nothing_to_refund(acme, vera):
    event = charging.charge(
        company=acme,
        use=statement.use(),
        work=statement.work_of("1"),
        rates=statement.MILLS,
        is_free=True,
    )

    with pytest.raises(charging.NothingCharged):
        charging.refund_preview(usage_event=event)
    with pytest.raises(charging.NothingCharged):
        charging.refund(usage_event=event, by=vera, reason=WHY)

    assert statement.of(acme) == []


BAD_REFUNDS = {
    "nothing": ({"amount": Decimal(0)}, ValueError, r"^Enter an amount above 0\.$"),
    "less than nothing": ({"amount": Decimal(-1)}, ValueError, r"^Enter an amount above 0\.$"),
    "four places": ({"amount": Decimal("0.0001")}, InexactAmount, "three decimal places"),
    "no reason": ({"reason": "sorry"}, corrections.ReasonMissing, "at least 10 characters"),
}


@pytest.mark.parametrize("fault", BAD_REFUNDS)
def test_a_bad_refund_is_refused_in_one_sentence(acme, charged, vera, fault):
    changes, error, sentence = BAD_REFUNDS[fault]
    terms = {"usage_event": charged, "by": vera, "reason": WHY} | changes
    before = LedgerEntry.objects.count()

    with pytest.raises(error, match=sentence):
        charging.refund(**terms)

    assert LedgerEntry.objects.count() == before


def test_a_use_of_another_company_is_not_there(acme, charged, vera):
    stranger = UsageEvent(id=charged.pk, company_id=statement.company().pk)

    with pytest.raises(UsageEvent.DoesNotExist):
        charging.refund_preview(usage_event=stranger)
    with pytest.raises(UsageEvent.DoesNotExist):
        charging.refund(usage_event=stranger, by=vera, reason=WHY)

    assert len(statement.of(acme)) == 4


def test_the_same_key_refunds_once_and_another_body_is_a_conflict(acme, charged, vera):
    terms = {"usage_event": charged, "amount": Decimal(2), "by": vera, "reason": WHY}

    first = charging.refund(**terms, key=Key.of("form 1", amount="2"))
    again = charging.refund(**terms, key=Key.of("form 1", amount="2"))
    with pytest.raises(IdempotencyConflict):
        charging.refund(**terms, key=Key.of("form 1", amount="3"))

    assert again.pk == first.pk
    assert statement.of(acme)[4:] == ["02 Mar 12:00 Refunded +2.0 = 5.0 (Lasting +2.0)"]


# One key and one body, for every operation that takes a key.
OPERATIONS = {
    "issue": lambda acme, vera, charged, key: grants.issue(
        company=acme, source="PURCHASE", amount=Decimal(1), by=vera, key=key
    ),
    "charge": lambda acme, vera, charged, key: charging.charge(
        company=acme,
        use=statement.use(),
        work=statement.work_of("0.5"),
        rates=statement.MILLS,
        key=key,
    ),
    "reserve": lambda acme, vera, charged, key: charging.reserve(
        company=acme, amount=Decimal(1), use=statement.use(), rates=statement.MILLS, key=key
    ),
    "cancel": lambda acme, vera, charged, key: grants.cancel(
        grant=CreditGrant.objects.get(reference="April"), by=vera, reason=WHY, key=key
    ),
    "adjust": lambda acme, vera, charged, key: grants.adjust(
        company=acme, amount=Decimal("-0.5"), by=vera, reason=WHY, key=key
    ),
    "refund": lambda acme, vera, charged, key: charging.refund(
        usage_event=charged, amount=Decimal(1), by=vera, reason=WHY, key=key
    ),
    "void": lambda acme, vera, charged, key: grants.void(
        grant=CreditGrant.objects.get(reference="Lasting"), by=vera, reason=WHY, key=key
    ),
}


def test_a_key_belongs_to_its_operation(acme, charged, vera):
    statement.lot(acme, "April", "5", effective_at=TOMORROW)
    key = Key.of("one key", body="the same")

    first = {name: act(acme, vera, charged, key).pk for name, act in OPERATIONS.items()}
    again = {name: act(acme, vera, charged, key).pk for name, act in OPERATIONS.items()}

    assert len({str(pk) for pk in first.values()}) == 7
    assert again == first
    assert LedgerEntry.objects.filter(company=acme).count() == 4 + 5
