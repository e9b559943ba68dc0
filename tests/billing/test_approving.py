"""Who approves and fulfils, and under which limit (SPEC §2)."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from billing import contracts as agreed
from billing import fulfilment, purchases
from billing.models import Contract, Purchase
from credits.models import CreditGrant, User
from tests.support import contracts, people
from tests.support.contracts import NOW


def record(company, by, amount="50000", **order):
    order = {"starts_on": date(2026, 3, 2), "ends_on": date(2027, 3, 1)} | order
    return fulfilment.record(company=company, amount=Decimal(amount), by=by, now=NOW, **order)


def set_limit(company, limit, by):
    contract = Contract.objects.get(company=company)
    terms = replace(
        agreed.terms_of(contract), approval_limit=None if limit is None else Decimal(limit)
    )
    return agreed.change(contract=contract, terms=terms, by=by, now=NOW).contract


@pytest.mark.parametrize("raised", ["100000", None])
def test_nobody_raises_the_limit_to_approve_what_waits(acme, vera, victor, raised):
    contracts.contract(acme, "2026-04-01", approval_limit=Decimal(100))
    purchase = record(acme, vera, "50000")
    set_limit(acme, raised, vera)

    with pytest.raises(purchases.SecondPersonNeeded) as refusal:
        purchases.approve(purchase=purchase, by=vera, now=NOW)

    assert str(refusal.value) == (
        "Purchase #1 is above the limit of 100.0 credits: a person who neither asked for it nor "
        "fulfils it has to approve it. A limit raised after the request, or by oneself, does not "
        "count."
    )
    assert purchases.approve(purchase=purchase, by=victor, now=NOW).approval_limit == 100


def test_a_limit_that_somebody_else_raised_does_not_count_for_what_waits(acme, vera, victor):
    contracts.contract(acme, "2026-04-01", approval_limit=Decimal(100))
    purchase = record(acme, vera, "50000")
    set_limit(acme, None, victor)

    with pytest.raises(purchases.SecondPersonNeeded):
        purchases.approve(purchase=purchase, by=vera, now=NOW)


def test_nobody_raises_the_limit_before_recording_an_order(acme, vera, victor):
    """Also not in steps, and not by lowering it again in between to a limit still too high."""
    contracts.contract(acme, "2026-04-01", approval_limit=Decimal(100))
    for limit in ("5000", "60000", "55000"):
        set_limit(acme, limit, vera)

    mine, small = record(acme, vera, "50000"), record(acme, vera, "100")
    theirs = record(acme, victor, "50000")

    assert [one.state for one in (mine, small, theirs)] == ["REQUESTED", "FULFILLED", "FULFILLED"]
    with pytest.raises(purchases.SecondPersonNeeded):
        purchases.approve(purchase=mine, by=vera, now=NOW)


def test_a_limit_lowered_while_a_purchase_waits_counts_though_it_is_raised_again(
    acme, vera, victor
):
    contracts.contract(acme, "2026-04-01")
    purchase = contracts.requested(acme, vera, "50000")
    set_limit(acme, "100", victor)
    set_limit(acme, None, victor)

    with pytest.raises(purchases.SecondPersonNeeded, match=r"above the limit of 100\.0 credits"):
        purchases.approve(purchase=purchase, by=vera, now=NOW)


def test_a_limit_taken_back_to_where_it_was_raised_from_was_raised_by_nobody(acme, vera):
    contracts.contract(acme, "2026-04-01", approval_limit=Decimal(100))
    set_limit(acme, "60000", vera)
    raised = Contract.objects.get(company=acme)

    lowered = set_limit(acme, "100", vera)

    assert (raised.limit_raised_by, raised.limit_before_raise) == (vera, 100)
    assert (lowered.limit_raised_by, lowered.limit_before_raise) == (None, None)


def decided_by(nobody, acme, vera):
    days = {"starts_on": date(2026, 3, 2), "ends_on": date(2027, 3, 1)}
    purchase = contracts.requested(acme, vera)
    approved = contracts.approved(acme, vera)
    return {
        "approve": lambda: purchases.approve(purchase=purchase, by=nobody, now=NOW),
        "fulfil": lambda: fulfilment.fulfil(purchase=approved, by=nobody, now=NOW, **days),
        "record": lambda: record(acme, nobody),
    }


@pytest.mark.parametrize("act", ["approve", "fulfil", "record"])
@pytest.mark.parametrize("who", ["vic", "alice", "audrey", "victor"])
def test_who_may_not_sell_neither_approves_nor_fulfils(acme, vera, victor, who, act):
    """A viewer, the company's tech admin, an auditor, and one of the staff who was deactivated."""
    User.objects.filter(pk=victor.pk).update(is_active=False)
    nobody = {
        "vic": lambda: people.vic(acme),
        "alice": lambda: people.alice(acme),
        "audrey": people.audrey,
        "victor": lambda: victor,
    }[who]()
    acts = decided_by(nobody, acme, vera)

    with pytest.raises(purchases.NotAllowed):
        acts[act]()

    assert [one.state for one in Purchase.objects.order_by("number")] == ["REQUESTED", "APPROVED"]
    assert not CreditGrant.objects.exists()
