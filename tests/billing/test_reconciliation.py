"""``check_ledger`` compares what was ordered with what was granted, both ways (I12, I15)."""

from __future__ import annotations

import uuid
from datetime import date
from decimal import Decimal

import pytest

from billing import allocations, fulfilment, voiding
from billing import contracts as agreements
from billing.models import Allocation, Contract, Purchase, TopUp
from credits import grants, reconciliation
from credits.models import CreditGrant, Source
from tests.support import contracts
from tests.support.contracts import NOW
from tests.support.corrupting import corrupt


@pytest.fixture
def purchase(acme, vera):
    """Purchase #1 of 5,000.0 credits, for 2 Mar 2026 to 1 Mar 2199."""
    return contracts.fulfilled(acme, vera, "5000")


def found(company) -> list[str]:
    return [
        f"{one.invariant} {one.subject}: {one.detail}"
        for one in reconciliation.check(company_id=company.pk)
    ]


def test_a_purchase_set_back_and_fulfilled_again_leaves_credits_that_nobody_bought(
    acme, vera, purchase
):
    first = purchase.grant_id
    corrupt(
        acme,
        "UPDATE billing_purchase SET state = 'APPROVED', fulfilled_at = NULL,"
        " fulfilled_by_id = NULL, grant_id = NULL",
    )
    alone = found(acme)

    fulfilment.fulfil(
        purchase=purchase, by=vera, starts_on=date(2026, 3, 2), ends_on=date(2199, 3, 1), now=NOW
    )

    orphan = f"I12 grant {first}: was bought, and no fulfilled purchase brought it"
    assert alone == [
        (
            "I12 purchase #1: is APPROVED, its trail says it was fulfilled 1 times and reversed 0"
            " times"
        ),
        orphan,
    ]
    assert found(acme) == [
        (
            "I12 purchase #1: is FULFILLED, its trail says it was fulfilled 2 times and reversed"
            " 0 times"
        ),
        orphan,
    ]


def test_an_allocation_deleted_and_issued_again_leaves_credits_that_nobody_allocated(acme, clock):
    contracts.seated(acme, "2026-03-01", 10)
    allocations.run(company=acme, now=clock())
    first = Allocation.objects.get().grant_id
    corrupt(acme, "DELETE FROM billing_allocationline", "DELETE FROM billing_allocation")
    alone = found(acme)

    allocations.run(company=acme, now=clock())

    orphan = f"I15 grant {first}: was allocated, and no allocation brought it"
    assert CreditGrant.objects.filter(company=acme).count() == 2
    assert (alone, found(acme)) == ([orphan], [orphan])


def test_credits_of_a_purchase_that_there_is_not_are_named(acme, vera):
    grant = grants.issue(company=acme, source=Source.PURCHASE, amount=Decimal(10), by=vera)

    assert found(acme) == [
        f"I12 grant {grant.pk}: was bought, and no fulfilled purchase brought it"
    ]


LIES = {
    "another first day": (
        "UPDATE billing_purchase SET starts_on = '2026-03-03'",
        (
            "I12 purchase #1: is for 2026-03-03 to 2199-03-01, its grant is usable from"
            " 2026-03-02 00:00:00+00 until 2199-03-02 00:00:00+00"
        ),
    ),
    "another last day": (
        "UPDATE billing_purchase SET ends_on = '2199-02-28'",
        (
            "I12 purchase #1: is for 2026-03-02 to 2199-02-28, its grant is usable from"
            " 2026-03-02 00:00:00+00 until 2199-03-02 00:00:00+00"
        ),
    ),
    "another person": (
        (
            "UPDATE billing_purchase SET fulfilled_by_id ="
            " (SELECT id FROM credits_user WHERE id <> fulfilled_by_id LIMIT 1)"
        ),
        "I12 purchase #1: was fulfilled by another than its grant was",
    ),
}


@pytest.mark.parametrize("lie", LIES)
def test_a_purchase_that_says_otherwise_than_its_grant_is_named(acme, victor, purchase, lie):
    statement, expected = LIES[lie]
    before = found(acme)

    corrupt(acme, statement)

    assert (before, found(acme)) == ([], [expected])


@pytest.mark.parametrize("column", ["fulfilled_by_id", "fulfilled_at"])
def test_a_fulfilled_purchase_without_its_person_or_time_is_named(acme, purchase, column):
    corrupt(
        acme,
        "ALTER TABLE billing_purchase DROP CONSTRAINT purchase_is_fulfilled_by_and_at",
        "ALTER TABLE billing_purchase DROP CONSTRAINT purchase_state_follows_its_steps",
        "ALTER TABLE billing_purchase"
        " DROP CONSTRAINT purchase_is_fulfilled_by_a_person_with_a_grant",
        f"UPDATE billing_purchase SET {column} = NULL",
    )

    assert (
        "I12 purchase #1: is FULFILLED, by somebody, at a time and with a grant, or not so"
        in found(acme)
    )


def test_a_reversal_that_was_undone_is_named(acme, vera, purchase):
    voiding.void(purchase=purchase, by=vera, reason="Ordered twice", now=NOW)
    before = found(acme)

    corrupt(
        acme, "UPDATE billing_purchase SET voided_at = NULL, voided_by_id = NULL, void_reason = ''"
    )

    assert before == []
    assert found(acme) == [
        (
            "I12 purchase #1: is FULFILLED, its trail says it was fulfilled 1 times and reversed 1"
            " times"
        )
    ]


def test_a_purchase_in_a_zone_that_has_changed_is_in_order(acme, vera, purchase):
    from billing import zoning

    zoning.change(
        company=acme, time_zone="Pacific/Auckland", by=vera, reason="They moved house", now=NOW
    )

    assert found(acme) == []
    assert Purchase.objects.get().company.time_zone == "Pacific/Auckland"


def test_an_allocation_that_starts_at_another_time_than_its_grant_is_named(acme, clock):
    contracts.seated(acme, "2026-03-01", 10)
    allocations.run(company=acme, now=clock())

    corrupt(acme, "UPDATE billing_allocation SET starts_at = starts_at - interval '1 day'")

    assert found(acme) == [
        (
            "I15 allocation of period 1: starts at 2026-02-28 00:00:00+00, its grant at"
            " 2026-03-01 00:00:00+00"
        )
    ]


def test_a_missed_allocation_with_a_grant_is_named(acme, clock):
    contracts.seated(acme, "2026-03-01", 10)
    allocations.run(company=acme, now=clock())

    corrupt(
        acme,
        "ALTER TABLE billing_allocation"
        " DROP CONSTRAINT allocation_has_a_grant_when_it_brought_credits",
        "UPDATE billing_allocation SET state = 'MISSED'",
    )

    grant = CreditGrant.objects.get(company=acme)
    assert found(acme) == [
        "I15 allocation of period 1: is MISSED of 20000.000 with a grant",
        f"I15 grant {grant.pk}: was allocated, and no allocation brought it",
    ]


@pytest.fixture
def topped_up(acme, clock, vera):
    """10 seats from the first day, 2 more recorded late: a top-up of 4,000.0 credits."""
    kind = contracts.seated(acme, "2026-03-01", 10)
    allocations.run(company=acme, now=clock())
    contracts.count(kind, 12, "2026-03-01", by=vera)
    contract = Contract.objects.get(company=acme)
    return agreements.top_up(
        contract=contract,
        owed=agreements.owed_now(contract, clock()),
        by=vera,
        reason="Seats were recorded late",
        now=clock(),
        key=uuid.uuid4(),
    )


def test_a_top_up_of_another_amount_is_named(acme, topped_up):
    before = found(acme)

    corrupt(acme, "UPDATE billing_topup SET amount = 5000")

    assert before == []
    assert found(acme) == [
        f"I15 top-up {topped_up.pk}: of 5000.000 is not what its adjustment says"
    ]


def test_a_top_up_that_was_deleted_is_named(acme, topped_up):
    corrupt(acme, "DELETE FROM billing_topup")

    assert not TopUp.objects.exists()
    assert found(acme) == [
        f"I15 top-up {topped_up.pk}: gave an adjustment, and there is no such top-up"
    ]
