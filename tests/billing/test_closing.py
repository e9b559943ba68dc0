"""Closing a company: everything it could spend or be given ends, nothing is deleted (SPEC §10)."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.urls import reverse

from billing import allocations, closing, purchases
from billing.models import Purchase
from credits import balances, companies, reconciliation
from credits.models import Company, CreditGrant, LedgerEntry, Reservation
from tests.support import contracts, people, statement
from tests.support.browsing import signed_in, text_of
from tests.support.contracts import NOW

CALLS = []


def remember(*, company, by, now) -> None:
    CALLS.append((company, by, now))


def fail(*, company, by, now) -> None:
    raise RuntimeError("The key store is gone.")


@pytest.fixture
def busy(acme, clock, vera):
    """Allocations now and next, a purchase, a request, and work under way."""
    contracts.seated(acme, "2026-03-01", 10)
    clock.set(datetime(2026, 3, 30, 12, tzinfo=UTC))
    allocations.run(company=acme, now=clock())
    contracts.fulfilled(acme, vera, "500")
    contracts.requested(acme, people.bob(acme), "7000")
    statement.charge(acme, "120")
    statement.reserve(acme, "300")
    return acme


def close(company, by):
    return closing.close(company=company, by=by, reason="The contract has ended", now=NOW)


def test_the_preview_says_in_numbers_what_ends(busy):
    found = closing.preview(company=busy)

    assert found == closing.Preview(
        remaining=Decimal(20380),
        held=Decimal(300),
        reservations=1,
        future_grants=1,
        future_credits=Decimal(20000),
        open_purchases=1,
        others=(
            ("Trackers unpublished", 0),
            ("Backfills stopped", 0),
            ("Queued or waiting conversations skipped", 0),
            ("Conversations read just now, thrown away uncharged", 0),
        ),
    )


def test_closing_takes_back_all_that_is_left(busy, clock, vera):
    done = close(busy, vera)

    # The ledger's clock, not the older one of the form: nothing it wrote before is after it.
    assert (done.closed_at, done.closed_by, done.closing_reason) == (
        datetime(2026, 3, 30, 12, tzinfo=UTC),
        vera,
        "The contract has ended",
    )
    assert statement.of(busy)[-2:] == [
        "30 Mar 12:00 Voided -19880.0 = 500.0 (Period 1 -19880.0)",
        "30 Mar 12:00 Voided -500.0 = 0.0 (Purchase #1 -500.0)",
    ]
    assert Reservation.objects.get().state == "RELEASED"
    assert CreditGrant.objects.filter(cancelled_at__isnull=False).count() == 1
    assert [(one.number, one.state) for one in Purchase.objects.order_by("number")] == [
        (1, "FULFILLED"),
        (2, "CANCELLED"),
    ]
    clock.set(datetime(2026, 5, 30, tzinfo=UTC))
    assert allocations.run(company=busy, now=clock()) == []
    assert allocations.run_all(now=clock()) == 0
    assert balances.now(company=busy).remaining == 0
    assert reconciliation.check() == []


def test_a_company_without_anything_is_closed_too(acme, vera):
    assert close(acme, vera).closed_by == vera


def test_a_closed_company_is_not_closed_again(busy, vera, victor):
    close(busy, vera)
    count = LedgerEntry.objects.count()

    with pytest.raises(companies.CompanyClosed, match="Acme is closed"):
        close(busy, victor)

    assert Company.objects.get(pk=busy.pk).closed_by == vera
    assert LedgerEntry.objects.count() == count


def test_a_short_reason_closes_nothing(busy, vera):
    with pytest.raises(purchases.ReasonMissing):
        closing.close(company=busy, by=vera, reason="over", now=NOW)

    assert Company.objects.get(pk=busy.pk).closed_at is None


def test_what_else_ends_is_named_in_the_settings(busy, vera, settings):
    settings.COMPANY_CLOSING = [f"{__name__}.remember"]
    CALLS.clear()

    close(busy, vera)

    assert [(busy, vera, NOW)] == CALLS


def test_all_of_it_happens_or_nothing(busy, vera, settings):
    settings.COMPANY_CLOSING = [f"{__name__}.fail"]

    with pytest.raises(RuntimeError):
        close(busy, vera)

    assert Company.objects.get(pk=busy.pk).closed_at is None
    assert balances.now(company=busy).remaining == Decimal(20380)
    assert Purchase.objects.get(number=2).state == "REQUESTED"


def test_a_closing_has_its_person_instant_and_reason(acme, vera):
    from tests.support.breaking import update_refused_by

    rule = "company_is_closed_by_and_at_with_a_reason"
    whole = {"closed_at": NOW, "closed_by_id": vera.pk, "closing_reason": "The contract ended"}

    for missing in whole:
        part = {name: value for name, value in whole.items() if name != missing}
        assert update_refused_by(acme, **part) == rule


def test_its_people_see_that_it_is_closed_and_still_read_everything(busy, vera):
    alice = people.alice(busy)
    close(busy, vera)
    client = signed_in(alice, busy)

    page = text_of(client.get(reverse("admin:credits_page")))
    answers = {
        name: client.get(reverse(f"admin:{name}")).status_code
        for name in (
            "credits_ledgerentry_changelist",
            "credits_usageevent_changelist",
            "credits_creditgrant_changelist",
            "billing_allocation_changelist",
            "billing_purchase_changelist",
            "credits_reports",
        )
    }

    assert 'data-status="closed"' in page
    assert "Acme is closed since 30 Mar 2026 12:00 UTC." in page
    assert "Request more credits" not in page
    assert set(answers.values()) == {200}


@pytest.mark.parametrize("who", ["alice", "vera"])
def test_nothing_is_changed_in_a_closed_company(busy, vera, who):
    alice = people.alice(busy)
    close(busy, vera)
    client = signed_in({"alice": alice, "vera": vera}[who], busy)

    answers = {
        name: client.get(reverse(f"admin:{name}")).status_code
        for name in (
            "billing_purchase_request",
            "billing_purchase_add",
            "billing_contract_add",
            "credits_creditgrant_add",
            "trackers_tracker_add",
        )
    }

    assert set(answers.values()) == {403}
