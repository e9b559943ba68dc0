"""Closing a company: everything it could spend or be given ends, nothing is deleted (SPEC §10)."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from django.db import connection, transaction
from django.urls import reverse

from billing import allocations, closing, purchases
from billing.models import Purchase
from credits import balances, charging, companies, grants, invitations, reconciliation
from credits.ledger import Key
from credits.models import Company, CreditGrant, LedgerEntry, Reservation, Source, UsageEvent
from tests.concurrency.test_behind_a_lock import wait_until_somebody_waits
from tests.support import contracts, conversations, people, statement
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


WRITES = {
    "a grant": lambda company, used, vera: grants.issue(
        company=company, source=Source.ADJUSTMENT, amount=Decimal(10), by=vera
    ),
    "a grant to come": lambda company, used, vera: grants.issue(
        company=company,
        source=Source.ADJUSTMENT,
        amount=Decimal(10),
        by=vera,
        effective_at=datetime(2026, 6, 1, tzinfo=UTC),
    ),
    "an adjustment up": lambda company, used, vera: grants.adjust(
        company=company, amount=Decimal(10), by=vera, reason="Goodwill after the outage"
    ),
    "an adjustment down": lambda company, used, vera: grants.adjust(
        company=company, amount=Decimal(-10), by=vera, reason="Goodwill taken back again"
    ),
    "a charge": lambda company, used, vera: statement.charge(company, "10"),
    "a free use": lambda company, used, vera: charging.charge(
        company=company,
        use=statement.use(),
        work=statement.work_of("1"),
        rates=statement.MILLS,
        is_free=True,
    ),
    "a reservation": lambda company, used, vera: statement.reserve(company, "10"),
    "a refund": lambda company, used, vera: charging.refund(
        usage_event=used, by=vera, reason="It answered nothing", replace_expired=True
    ),
}


@pytest.mark.parametrize("write", WRITES)
def test_a_closed_company_neither_receives_nor_spends(busy, vera, write):
    used = UsageEvent.objects.get(company=busy)
    close(busy, vera)
    before = (LedgerEntry.objects.count(), CreditGrant.objects.count(), Reservation.objects.count())

    with pytest.raises(
        companies.CompanyClosed,
        match=r"^Acme is closed; nothing is added or used there any more\.$",
    ):
        WRITES[write](busy, used, vera)

    assert (
        LedgerEntry.objects.count(),
        CreditGrant.objects.count(),
        Reservation.objects.count(),
    ) == before
    assert UsageEvent.objects.count() == 1
    assert balances.now(company=busy).remaining == 0
    assert reconciliation.check() == []


def test_a_retry_still_gets_the_answer_it_had_before_the_closing(busy, vera):
    key = Key.of("order-118", amount="10")
    terms = {"company": busy, "source": Source.ADJUSTMENT, "amount": Decimal(10), "by": vera}
    first = grants.issue(**terms, key=key)
    close(busy, vera)

    assert grants.issue(**terms, key=key) == first


def test_work_under_way_at_the_closing_is_not_charged(busy, vera):
    held = Reservation.objects.get(company=busy)
    close(busy, vera)

    with pytest.raises(charging.AlreadyReleased):
        statement.capture(held, "300")

    assert balances.now(company=busy).remaining == 0
    assert reconciliation.check() == []


def test_what_waits_for_a_closing_finds_the_company_closed(committed):
    acme, vera = people.company(time_zone="UTC"), people.vera()

    def give():
        try:
            people.credits_for(acme, "10")
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as threads:
        with transaction.atomic():
            close(acme, vera)
            giving = threads.submit(give)
            wait_until_somebody_waits()
        with pytest.raises(companies.CompanyClosed):
            giving.result()

    assert balances.now(company=acme).remaining == 0


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


@pytest.mark.parametrize(
    ("who", "page"),
    [
        ("alice", "billing_purchase_request"),
        ("alice", "trackers_tracker_add"),
        ("alice", "credits_apikey_add"),
        ("vera", "billing_purchase_add"),
        ("vera", "billing_contract_add"),
        ("vera", "credits_creditgrant_add"),
    ],
)
def test_who_might_change_it_were_it_open_is_told_that_it_is_closed(busy, vera, who, page):
    alice = people.alice(busy)
    close(busy, vera)

    answer = signed_in({"alice": alice, "vera": vera}[who], busy).get(reverse(f"admin:{page}"))

    assert answer.status_code == 403
    assert "Acme is closed; nothing is added or used there any more." in text_of(answer)
    assert "Your role" not in text_of(answer)


def test_who_might_not_anyway_is_told_that_it_is_the_role(busy, vera):
    vic = people.vic(busy)
    close(busy, vera)

    answer = signed_in(vic, busy).get(reverse("admin:billing_purchase_request"))

    assert answer.status_code == 403
    assert "Your role does not allow this" in text_of(answer)


@pytest.mark.parametrize("is_chosen", [True, False])
def test_a_use_of_a_closed_company_is_not_refunded_from_any_list(busy, vera, is_chosen):
    event = UsageEvent.objects.get(company=busy)
    close(busy, vera)
    client = signed_in(vera, busy if is_chosen else None)

    answer = client.get(reverse("admin:credits_usageevent_refund", args=[event.pk]))

    assert answer.status_code == 403
    assert "Acme is closed; nothing is added or used there any more." in text_of(answer)


def test_nobody_is_invited_into_a_closed_company(busy, vera, mailoutbox):
    dana = people.newcomer(busy)
    close(busy, vera)
    again = reverse("admin:credits_company_invite", args=[busy.pk, dana.memberships.get().pk])

    page = text_of(signed_in(vera).post(again, follow=True))
    with pytest.raises(companies.CompanyClosed):
        invitations.invite(
            company=busy, email="erin@acme.example", name="Erin", role="VIEWER", by=vera
        )

    refusal = "Acme is closed; nothing is added or used there any more. No invitation was sent."
    assert refusal in page
    assert mailoutbox == []


def test_the_dialog_says_in_numbers_what_ends_of_its_trackers(busy, vera):
    client = signed_in(vera)
    url = reverse("admin:credits_company_close", args=[busy.pk])
    conversations.published(busy, people.alice(busy))

    form = client.get(url).context["form"]
    page = text_of(
        client.post(
            url, {"key": str(form["key"].value()), "reason": "The contract has ended", "step": ""}
        )
    )

    facts = " ".join(re.sub(r"<[^>]*>", " ", page).split())
    assert "Trackers unpublished 1 Backfills stopped 0" in facts
    assert "Queued or waiting conversations skipped 0" in facts
