"""Purchases: request → approve → fulfil, or cancel; each once, by whom it may be (SPEC §2)."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing import fulfilment, purchases
from billing.models import Purchase
from credits import balances, companies, reconciliation
from credits.amounts import InexactAmount
from credits.grants import GrantExpiresBeforeItStarts
from credits.ledger import IdempotencyConflict, Key
from credits.models import Company, CreditGrant, LedgerEntry
from tests.support import contracts, people
from tests.support.contracts import NOW


def record(company, by, amount="50000", **order):
    order = {"starts_on": date(2026, 3, 2), "ends_on": date(2027, 3, 1)} | order
    return fulfilment.record(company=company, amount=Decimal(amount), by=by, now=NOW, **order)


def test_a_request_waits_and_adds_nothing(acme):
    bob = people.bob(acme)

    purchase = contracts.requested(acme, bob, "50000", note="For the autumn campaign")

    assert (purchase.number, purchase.state) == (1, "REQUESTED")
    assert (purchase.requested_by, purchase.requested_at) == (bob, NOW)
    assert balances.now(company=acme).remaining == 0
    assert not CreditGrant.objects.exists()


def test_numbers_count_a_company_s_own_purchases(acme, vera):
    beta = people.company("Beta")

    numbers = [contracts.requested(company, vera).number for company in (acme, acme, beta, acme)]

    assert numbers == [1, 2, 1, 3]


def test_a_fulfilled_purchase_adds_its_credits_for_its_days(acme, vera):
    bob = people.bob(acme)
    purchase = contracts.requested(acme, bob)
    purchases.approve(purchase=purchase, by=vera, now=NOW)

    done = fulfilment.fulfil(
        purchase=purchase,
        by=vera,
        starts_on=date(2026, 7, 1),
        ends_on=date(2027, 6, 30),
        now=NOW,
        order_reference=" PO-7 ",
    )

    assert (done.state, done.order_reference, done.fulfilled_by) == ("FULFILLED", "PO-7", vera)
    assert (done.requested_by, done.approved_by) == (bob, vera)
    assert done.grant.amount == Decimal("50000.000")
    assert done.grant.source == "PURCHASE"
    assert done.grant.reference == "Purchase #1"
    assert done.grant.effective_at == datetime(2026, 7, 1, tzinfo=UTC)
    # The expiration date is the last day they can be spent.
    assert done.grant.expires_at == datetime(2027, 7, 1, tzinfo=UTC)
    assert Purchase.objects.get(pk=purchase.pk).grant == done.grant


@pytest.mark.parametrize(
    ("time_zone", "starts_at", "ends_at"),
    [
        ("Europe/Berlin", "2026-06-30T22:00Z", "2027-06-30T22:00Z"),
        ("Asia/Kolkata", "2026-06-30T18:30Z", "2027-06-30T18:30Z"),
        ("America/Los_Angeles", "2026-07-01T07:00Z", "2027-07-01T07:00Z"),
    ],
)
def test_its_days_are_the_company_s_own(clock, vera, time_zone, starts_at, ends_at):
    company = people.company(time_zone=time_zone)

    done = record(company, vera, starts_on=date(2026, 7, 1), ends_on=date(2027, 6, 30))

    assert done.grant.effective_at == datetime.fromisoformat(starts_at)
    assert done.grant.expires_at == datetime.fromisoformat(ends_at)


def test_the_contract_says_how_long_a_purchase_lives(acme):
    assert fulfilment.last_day(acme, date(2026, 7, 1)) == date(2027, 6, 30)

    contracts.contract(acme, "2026-01-01", purchase_months=6)

    assert fulfilment.last_day(acme, date(2026, 7, 1)) == date(2026, 12, 31)


def test_the_preview_says_the_balance_before_and_after(acme):
    people.credits_for(acme, "12400")

    seen = fulfilment.preview(
        company=acme,
        amount=Decimal(50000),
        starts_on=date(2026, 3, 1),
        ends_on=date(2027, 2, 28),
    )

    assert (seen.before, seen.after) == (12400, 62400)
    assert seen.starts_at is None


def test_the_preview_of_a_later_start_counts_what_happens_until_then(acme):
    people.credits_for(acme, "12400")
    people.credits_for(acme, "2400", expires_at=datetime(2026, 11, 1, tzinfo=UTC))
    people.credits_for(acme, "600", effective_at=datetime(2026, 10, 1, tzinfo=UTC))

    seen = fulfilment.preview(
        company=acme,
        amount=Decimal(50000),
        starts_on=date(2026, 12, 1),
        ends_on=date(2027, 11, 30),
    )

    assert (seen.before, seen.after) == (13000, 63000)
    assert seen.starts_at == datetime(2026, 12, 1, tzinfo=UTC)


def test_one_person_records_an_order_in_one_act(acme, vera):
    people.credits_for(acme, "12400")

    done = record(acme, vera, order_reference="PO-7")

    assert done.state == "FULFILLED"
    assert {done.requested_by, done.approved_by, done.fulfilled_by} == {vera}
    assert balances.now(company=acme).remaining == Decimal(62400)
    assert LedgerEntry.objects.get(company=acme, sequence=2).actor_ref == vera.public_id
    assert reconciliation.check() == []


def test_an_order_is_recorded_once_in_whatever_case(acme, vera):
    for _ in range(2):
        record(acme, vera, "1")
    record(acme, vera, order_reference="PO-7")

    with pytest.raises(purchases.AlreadyRecorded, match=r"^Already recorded as #3\.$") as refusal:
        record(acme, vera, order_reference=" po-7")

    assert refusal.value.purchase.number == 3
    assert Purchase.objects.count() == 3
    assert balances.now(company=acme).remaining == Decimal(50002)


def test_two_purchases_without_an_order_are_two(acme, vera):
    record(acme, vera)
    record(acme, vera)

    assert balances.now(company=acme).remaining == Decimal(100000)


def test_another_company_may_have_the_same_order(acme, vera):
    record(acme, vera, order_reference="PO-7")

    assert record(people.company("Beta"), vera, order_reference="PO-7").state == "FULFILLED"


def test_the_same_form_twice_is_one_purchase(acme, vera):
    key = Key.of("purchase form 1", amount="50000")

    first, second = record(acme, vera, key=key), record(acme, vera, key=key)

    assert first == second
    assert balances.now(company=acme).remaining == Decimal(50000)
    with pytest.raises(IdempotencyConflict):
        record(acme, vera, "60000", key=Key.of("purchase form 1", amount="60000"))


@pytest.mark.parametrize("limit", ["50000", "0"])
def test_above_the_limit_an_order_waits_for_a_second_person(acme, vera, victor, limit):
    contracts.contract(acme, "2026-01-01", approval_limit=Decimal(limit))

    waiting = record(acme, vera, "50000.001")

    assert waiting.state == "REQUESTED"
    assert balances.now(company=acme).remaining == 0
    with pytest.raises(purchases.SecondPersonNeeded):
        purchases.approve(purchase=waiting, by=vera, now=NOW)
    approved = purchases.approve(purchase=waiting, by=victor, now=NOW)
    days = {"starts_on": date(2026, 3, 2), "ends_on": date(2027, 3, 1), "now": NOW}
    with pytest.raises(purchases.SecondPersonNeeded):
        fulfilment.fulfil(purchase=approved, by=victor, **days)
    assert fulfilment.fulfil(purchase=approved, by=vera, **days).state == "FULFILLED"
    assert balances.now(company=acme).remaining == Decimal("50000.001")


def test_at_the_limit_one_person_is_enough(acme, vera):
    contracts.contract(acme, "2026-01-01", approval_limit=Decimal(50000))

    assert record(acme, vera, "50000").state == "FULFILLED"


def test_a_company_s_own_request_does_not_count_as_the_vendor_s_second_person(acme, vera):
    contracts.contract(acme, "2026-01-01", approval_limit=Decimal(100))
    purchase = contracts.requested(acme, people.bob(acme))
    purchases.approve(purchase=purchase, by=vera, now=NOW)

    with pytest.raises(purchases.SecondPersonNeeded, match="neither asked for it nor fulfils it"):
        fulfilment.fulfil(
            purchase=purchase,
            by=vera,
            starts_on=date(2026, 3, 2),
            ends_on=date(2027, 3, 1),
            now=NOW,
        )

    assert not CreditGrant.objects.exists()


def test_a_limit_that_was_raised_later_does_not_reopen_what_was_approved(acme, vera, victor):
    terms = contracts.contract(acme, "2026-01-01", approval_limit=Decimal(100))
    purchase = contracts.requested(acme, vera)
    purchases.approve(purchase=purchase, by=victor, now=NOW)
    terms.approval_limit = None
    terms.save()

    with pytest.raises(purchases.SecondPersonNeeded):
        fulfilment.fulfil(
            purchase=purchase,
            by=victor,
            starts_on=date(2026, 3, 2),
            ends_on=date(2027, 3, 1),
            now=NOW,
        )


def test_what_is_not_approved_is_not_fulfilled(acme, vera):
    purchase = contracts.requested(acme, vera)

    with pytest.raises(purchases.NotApproved) as refusal:
        fulfilment.fulfil(
            purchase=purchase,
            by=vera,
            starts_on=date(2026, 3, 2),
            ends_on=date(2027, 3, 1),
            now=NOW,
        )

    assert str(refusal.value) == "Purchase #1 is not approved yet; approve it first."
    assert not CreditGrant.objects.exists()


def test_a_cancelled_purchase_keeps_its_reason_and_is_never_fulfilled(acme, vera):
    purchase = contracts.approved(acme, vera, order_reference="PO-7")

    done = purchases.cancel(purchase=purchase, by=vera, reason=" Ordered twice ", now=NOW)

    assert (done.state, done.cancelled_by, done.cancel_reason) == (
        "CANCELLED",
        vera,
        "Ordered twice",
    )
    with pytest.raises(purchases.AlreadyDecided, match="Purchase #1 is cancelled already"):
        fulfilment.fulfil(
            purchase=purchase,
            by=vera,
            starts_on=date(2026, 3, 2),
            ends_on=date(2027, 3, 1),
            now=NOW,
        )
    # The order can be recorded again, rightly this time.
    assert record(acme, vera, order_reference="PO-7").number == 2


def test_a_fulfilled_purchase_is_not_cancelled_and_not_fulfilled_again(acme, vera):
    done = record(acme, vera)

    with pytest.raises(purchases.AlreadyDecided, match="Purchase #1 is fulfilled already"):
        purchases.cancel(purchase=done, by=vera, reason="Ordered twice", now=NOW)
    with pytest.raises(purchases.AlreadyDecided):
        purchases.approve(purchase=done, by=vera, now=NOW)
    with pytest.raises(purchases.AlreadyDecided):
        fulfilment.fulfil(
            purchase=done, by=vera, starts_on=date(2026, 3, 2), ends_on=date(2027, 3, 1), now=NOW
        )

    assert CreditGrant.objects.count() == 1


def test_a_short_reason_cancels_nothing(acme, vera):
    purchase = contracts.requested(acme, vera)

    with pytest.raises(purchases.ReasonMissing, match="at least 10 characters"):
        purchases.cancel(purchase=purchase, by=vera, reason="  too     ", now=NOW)

    assert Purchase.objects.get().state == "REQUESTED"


@pytest.mark.parametrize(
    ("amount", "refusal"),
    [
        ("0", purchases.AmountRefused),
        ("-1", purchases.AmountRefused),
        ("1000000000.001", purchases.AmountRefused),
        ("0.0001", InexactAmount),
        ("NaN", InexactAmount),
    ],
)
def test_an_amount_that_is_none_is_refused(acme, vera, amount, refusal):
    with pytest.raises(refusal):
        contracts.requested(acme, vera, amount)

    assert not Purchase.objects.exists()


def test_days_in_the_wrong_order_are_refused(acme, vera):
    wrong = {"starts_on": date(2026, 7, 2), "ends_on": date(2026, 7, 1)}

    with pytest.raises(purchases.DaysRefused):
        contracts.requested(acme, vera, **wrong)
    with pytest.raises(purchases.DaysRefused):
        record(acme, vera, **wrong)

    assert not Purchase.objects.exists()


def test_an_order_that_is_over_leaves_nothing_half_written(acme, vera):
    with pytest.raises(GrantExpiresBeforeItStarts):
        record(acme, vera, starts_on=date(2025, 1, 1), ends_on=date(2026, 3, 1))

    assert not Purchase.objects.exists()
    assert not CreditGrant.objects.exists()


def test_nothing_is_bought_for_a_closed_company(acme, vera):
    purchase = contracts.approved(acme, vera)
    Company.objects.filter(pk=acme.pk).update(
        closed_at=NOW + timedelta(minutes=1), closed_by=vera, closing_reason="Contract ended"
    )
    days = {"starts_on": date(2026, 3, 2), "ends_on": date(2027, 3, 1), "now": NOW}

    with pytest.raises(companies.CompanyClosed):
        record(acme, vera)
    with pytest.raises(companies.CompanyClosed):
        fulfilment.fulfil(purchase=purchase, by=vera, **days)

    assert not CreditGrant.objects.exists()
    assert (
        purchases.cancel(purchase=purchase, by=vera, reason="Company closed", now=NOW).state
        == "CANCELLED"
    )
