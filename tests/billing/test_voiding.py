"""Reversing a purchase: what is left is taken back, the rest is told (SPEC §2, UX E2, E3)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection

from billing import fulfilment, purchases, voiding
from billing.models import Purchase
from credits import balances, grants, reconciliation
from credits.models import CreditGrant, LedgerEntry
from tests.support import contracts, statement
from tests.support.contracts import NOW


@pytest.fixture
def purchase(acme, vera):
    return contracts.fulfilled(acme, vera, order_reference="PO-7")


def void(purchase, by):
    return voiding.void(purchase=purchase, by=by, reason="Ordered twice", now=NOW)


def test_an_unused_purchase_is_taken_back_whole(acme, vera, purchase):
    done = void(purchase, vera)

    assert (done.state, done.voided_by, done.void_reason) == ("FULFILLED", vera, "Ordered twice")
    assert balances.now(company=acme).remaining == 0
    assert statement.of(acme) == [
        "02 Mar 12:00 Added +50000.0 = 50000.0 (Purchase #1 +50000.0)",
        "02 Mar 12:00 Voided -50000.0 = 0.0 (Purchase #1 -50000.0)",
    ]
    # Linked both ways: the row names its grant, the entry its grant, the grant the purchase.
    assert LedgerEntry.objects.get(kind="VOIDED").grant.purchase == done


def test_of_a_used_one_only_the_rest_is_taken_back(acme, vera, purchase):
    statement.charge(acme, "41000")

    seen = voiding.preview(purchase=purchase)
    void(purchase, vera)

    assert seen.sentence == "41,000.0 of 50,000.0 already used; 9,000.0 can be taken back."
    assert (seen.used, seen.taken, seen.leaves) == (41000, 9000, 9000)
    assert balances.now(company=acme).remaining == 0
    assert reconciliation.check() == []


def test_what_work_holds_is_taken_back_when_it_comes_back(acme, vera, purchase):
    held = statement.reserve(acme, "1000")

    seen = voiding.preview(purchase=purchase)
    void(purchase, vera)

    assert seen.sentence == (
        "0.0 of 50,000.0 already used; 1,000.0 held by work under way; 49,000.0 can be taken back."
    )
    assert balances.now(company=acme).remaining == Decimal(1000)
    statement.capture(held, "400")
    assert balances.now(company=acme).remaining == 0
    assert reconciliation.check() == []


def test_one_that_has_not_started_leaves_no_entry(acme, clock, vera):
    purchase = fulfilment.record(
        company=acme,
        amount=Decimal(50000),
        by=vera,
        starts_on=date(2026, 12, 1),
        ends_on=date(2027, 11, 30),
        now=NOW,
    )

    seen = voiding.preview(purchase=purchase)
    void(purchase, vera)
    clock.set(datetime(2026, 12, 2, tzinfo=UTC))

    assert (seen.taken, seen.leaves) == (50000, 0)
    assert balances.now(company=acme).sequence == 0
    assert CreditGrant.objects.get().cancelled_at is not None


def test_of_one_that_is_used_up_nothing_can_be_taken(acme, vera, purchase):
    statement.charge(acme, "50000")

    with pytest.raises(voiding.NothingLeft) as refusal:
        void(purchase, vera)

    assert str(refusal.value) == (
        "All 50,000.0 credits of purchase #1 are used; nothing can be taken back."
    )
    assert Purchase.objects.get().voided_at is None


def test_one_reversed_before_is_not_reversed_again(vera, purchase):
    void(purchase, vera)

    with pytest.raises(voiding.AlreadyReversed):
        void(purchase, vera)

    assert LedgerEntry.objects.filter(kind="VOIDED").count() == 1


def test_one_that_added_nothing_is_cancelled_instead(acme, vera):
    purchase = contracts.requested(acme, vera)

    with pytest.raises(voiding.NotFulfilled):
        void(purchase, vera)


def test_a_short_reason_takes_nothing_back(acme, vera, purchase):
    with pytest.raises(purchases.ReasonMissing):
        voiding.void(purchase=purchase, by=vera, reason="oops", now=NOW)

    assert balances.now(company=acme).remaining == Decimal(50000)


def test_a_grant_taken_back_by_itself_is_written_down_on_its_purchase(acme, vera, purchase):
    grants.void(grant=purchase.grant, by=vera, reason="Taken on the grant's page")

    done = void(purchase, vera)

    assert done.voided_by == vera
    assert LedgerEntry.objects.filter(kind="VOIDED").count() == 1


def test_the_order_may_be_recorded_again_in_its_place(acme, vera, purchase):
    reversed_ = void(purchase, vera)

    again = fulfilment.record(
        company=acme,
        amount=Decimal(5000),
        by=vera,
        starts_on=date(2026, 3, 2),
        ends_on=date(2027, 3, 1),
        now=NOW,
        order_reference="PO-7",
        replaces=reversed_,
    )

    assert (again.number, again.replaces) == (2, reversed_)
    assert Purchase.objects.get(pk=purchase.pk).replaced_by == again
    assert balances.now(company=acme).remaining == Decimal(5000)


# Past the guards that keep a grant and a purchase what they are.
LIES = {
    "its grant is of 50000.000 ADJUSTMENT, not of 50000.000": (
        "UPDATE credits_creditgrant SET source = 'ADJUSTMENT'"
    ),
    "its grant is of 50000.000 PURCHASE, not of 5.000": "UPDATE billing_purchase SET amount = 5",
    "reversed, but its grant is not taken back": (
        "UPDATE billing_purchase SET voided_at = now(), voided_by_id = fulfilled_by_id,"
        " void_reason = 'Ordered twice'"
    ),
}


@pytest.mark.parametrize("detail", LIES)
def test_the_check_of_the_books_finds_a_purchase_that_lies(acme, purchase, detail):
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(LIES[detail])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    found = [one for one in reconciliation.check() if one.subject == "purchase #1"]

    assert [(one.invariant, one.detail) for one in found] == [("I12", detail)]
