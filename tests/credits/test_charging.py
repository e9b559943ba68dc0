"""Spending credits (SPEC §2): each figure is literal, each story ends with the books checked."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from credits import balances, charging, reconciliation
from credits.ledger import InsufficientCredits, Use
from credits.models import LedgerEntry
from credits.rating import Work
from tests.support import people

pytestmark = pytest.mark.django_db


def use() -> Use:
    return Use("ASK", "Ask anything", uuid.uuid4(), "API_REQUEST")


def test_a_charge_takes_its_price_and_names_the_lot_it_drew_on():
    acme = people.company()
    grant = people.credits_for(acme, "10")

    event = charging.charge(
        company=acme, use=use(), work=Work(long_calls=2, emails_with_text=3), rates=people.rates()
    )

    entry = LedgerEntry.objects.get(company=acme, sequence=2)
    assert event.amount == Decimal("2.300")
    assert (entry.balance_before, entry.amount, entry.balance_after) == (
        Decimal("10.000"),
        Decimal("-2.300"),
        Decimal("7.700"),
    )
    assert [(d.grant_id, d.amount) for d in entry.drawdowns.all()] == [
        (grant.pk, Decimal("-2.300"))
    ]
    assert balances.now(company=acme).available == Decimal("7.700")
    assert reconciliation.check() == []


def test_a_charge_above_what_is_available_is_refused_with_both_figures():
    acme = people.company()
    people.credits_for(acme, "0.4")

    with pytest.raises(InsufficientCredits) as refusal:
        charging.charge(company=acme, use=use(), work=Work(short_calls=1), rates=people.rates())

    assert refusal.value.required == Decimal("0.500")
    assert refusal.value.available == Decimal("0.400")
    assert refusal.value.shortfall == Decimal("0.100")
    assert balances.now(company=acme).remaining == Decimal("0.400")
    assert LedgerEntry.objects.filter(company=acme).count() == 1
    assert reconciliation.check() == []
