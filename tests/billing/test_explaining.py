"""What a grant was made for stands in the explanation of its entries."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

from billing import allocations, fulfilment, purchases
from billing.models import Purchase
from credits import explained, explanations
from credits.models import LedgerEntry, Scope
from tests.support import api, contracts, people
from tests.support.contracts import NOW


def made_for(company, sequence) -> list[str]:
    found = explanations.entry(company=company, sequence=sequence, with_words=False)
    assert found.breaches() == []
    (step,) = [step for step in explained.steps(found) if step.title == "Made for"]
    return list(step.sentences)


def test_a_purchase_is_named_with_its_order_and_who_approved_it(acme, vera, victor):
    purchase = fulfilment.record(
        company=acme,
        amount=Decimal(1500),
        by=vera,
        now=NOW,
        starts_on=date(2026, 3, 2),
        ends_on=date(2027, 3, 1),
        order_reference="PO-77",
    )
    if purchase.approved_at is None:
        purchases.approve(purchase=purchase, by=victor, now=NOW)
    if Purchase.objects.get().grant_id is None:
        fulfilment.fulfil(
            purchase=Purchase.objects.get(),
            by=vera,
            now=NOW,
            starts_on=date(2026, 3, 2),
            ends_on=date(2027, 3, 1),
        )

    sentences = made_for(acme, 1)
    told = api.of(acme, Scope.LEDGER_READ).get("/api/v1/ledger/1/explanation").json()

    row = Purchase.objects.get()
    assert sentences == [
        "Purchase #1, 1,500.0 credits, order reference PO-77.",
        f"Requested by {vera.get_full_name()}, 2 Mar 2026 12:00 UTC.",
        f"Approved by {row.approved_by.get_full_name()}, 2 Mar 2026 12:00 UTC.",
        f"Fulfilled by {vera.get_full_name()}, 2 Mar 2026 12:00 UTC.",
    ]
    assert told["origin"]["name"] == "Purchase #1"
    assert [(one["did"], one["person_id"]) for one in told["origin"]["acts"]] == [
        ("requested", str(vera.public_id)),
        ("approved", str(row.approved_by.public_id)),
        ("fulfilled", str(vera.public_id)),
    ]


def test_an_allocation_is_its_seats_times_credits(acme, clock, vera):
    contracts.seated(acme, "2026-03-01", 10)
    contracts.count(contracts.seat_type(acme, "Light seat", "500.5"), 3, "2026-03-01", by=vera)
    allocations.run(company=acme, now=clock())

    assert made_for(acme, 1) == [
        (
            "Allocation of period 1, 1 Mar 2026 to 31 Mar 2026, "
            "3 Light seat × 500.5 + 10 Seat × 2,000.0 = 21,501.5 credits."
        )
    ]


def test_a_grant_made_by_hand_has_no_origin(acme):
    people.credits_for(acme, "10")

    found = explanations.entry(
        company=acme, sequence=LedgerEntry.objects.get().sequence, with_words=False
    )

    assert found.origin is None
