"""The pages of contracts and seats: what a change would do, said before it is done."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from billing import allocations
from billing.models import Allocation, Contract, SeatCount, TopUp
from credits import balances
from tests.billing.admin.test_purchases import confirmed
from tests.support import contracts, pages, people
from tests.support.browsing import signed_in, text_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def today():
    return timezone.now().date()


@pytest.fixture
def acme(today):
    """A company in UTC with ten seats and a running period of a year."""
    company = people.company(time_zone="UTC")
    contracts.seated(company, (today - timedelta(days=9)).isoformat(), 10, period="YEAR")
    allocations.run(company=company, now=timezone.now())
    return company


@pytest.fixture
def vera():
    return people.vera()


@pytest.fixture
def client(acme, vera):
    return signed_in(vera, acme)


def act(name: str) -> str:
    return reverse(f"admin:billing_contract_{name}", args=[Contract.objects.get().pk])


def seats(today, **changes) -> dict[str, str]:
    return {
        "seat_name": "Seat",
        "seat_count": "12",
        "seat_credits": "2000",
        "effective_on": (today - timedelta(days=9)).isoformat(),
        "note": "Two were forgotten",
        "key": str(uuid.uuid4()),
    } | changes


def terms(today, **changes) -> dict[str, str]:
    return {
        "starts_on": (today - timedelta(days=9)).isoformat(),
        "ends_on": "",
        "period": "YEAR",
        "introductory_amount": "",
        "introductory_days": "90",
        "approval_limit": "",
        "purchase_months": "12",
        "key": str(uuid.uuid4()),
    } | changes


def test_late_seats_are_recorded_and_topped_up_by_a_person(acme, vera, client, today):
    form = seats(today)

    page = pages.read(client.post(act("seats"), form))
    confirmed(client, act("seats"), form)
    offered = pages.read(client.get(reverse("admin:billing_contract_change", args=[pk()])))
    before = balances.now(company=acme).remaining
    top_up = {"reason": "Two seats were forgotten", "key": str(uuid.uuid4())}
    confirmed(client, act("top-up"), top_up)

    assert "10 → 12 seats" in page.text
    assert "By this, 4,000.0 credits are owed for the running period" in page.text
    assert "before this" not in page.text
    assert SeatCount.objects.count() == 2
    assert offered.figure("owed") == "4000.0"
    assert before == Decimal(20000)
    assert balances.now(company=acme).remaining == Decimal(24000)
    assert TopUp.objects.get().made_by == vera
    shown = pages.read(client.get(reverse("admin:billing_contract_change", args=[pk()])))
    assert shown.all(data_status="owed") == []


def pk():
    return Contract.objects.get().pk


def test_a_top_up_twice_is_one(acme, client, today):
    confirmed(client, act("seats"), seats(today))
    form = {"reason": "Two seats were forgotten", "key": str(uuid.uuid4())}

    confirmed(client, act("top-up"), form)
    again = client.post(act("top-up"), form | {"step": "confirm", "seen": "x"})
    other = client.post(act("top-up"), form | {"key": str(uuid.uuid4())})

    assert again.status_code == 302
    assert "have changed or were given" in text_of(other)
    assert balances.now(company=acme).remaining == Decimal(24000)


def test_looking_at_what_seats_would_do_records_none(client, today):
    client.post(act("seats"), seats(today))

    assert SeatCount.objects.count() == 1


def test_changed_terms_are_shown_from_what_to_what(client, today):
    form = terms(today, approval_limit="50000", introductory_amount="500")

    page = pages.read(client.post(act("terms"), form))
    confirmed(client, act("terms"), form)

    assert "never → 50,000.0" in page.text
    assert "500.0 introductory credits are given." in page.text
    contract = Contract.objects.get()
    assert (contract.approval_limit, contract.introductory_amount) == (50000, 500)
    assert contract.introductory_grant.amount == 500


def test_the_first_day_stays_once_a_period_was_written(client, today):
    answer = client.post(act("terms"), terms(today, starts_on=today.isoformat()))

    assert "Periods have been counted from this contract" in text_of(answer)
    assert Contract.objects.get().starts_on == today - timedelta(days=9)


def test_a_company_without_a_contract_is_given_one(vera, today):
    beta = people.company("Beta", time_zone="UTC")
    client = signed_in(vera, beta)
    form = terms(today) | {"seat_name": "Seat", "seat_count": "3", "seat_credits": "1500.5"}
    url = reverse("admin:billing_contract_add")

    page = pages.read(client.post(url, form))
    confirmed(client, url, form)

    assert page.figure("allocation-amount") == "4501.5"
    assert balances.now(company=beta).remaining == Decimal("4501.5")
    again = client.get(url)
    assert again["Location"] == reverse("admin:billing_contract_change", args=[pk()])


def test_an_allocation_shows_how_it_was_computed(acme, client):
    allocation = Allocation.objects.get()

    listed = text_of(client.get(reverse("admin:billing_allocation_changelist")))
    page = text_of(client.get(reverse("admin:billing_allocation_change", args=[allocation.pk])))
    grant = text_of(
        client.get(reverse("admin:credits_creditgrant_change", args=[allocation.grant_id]))
    )

    assert 'data-metric="allocation-amount" data-value="20000.0"' in listed
    assert "10 Seat ×" in listed
    assert 'data-metric="line-amount" data-value="20000.0"' in page
    assert f"/admin/billing/allocation/{allocation.pk}/change/" in grant


@pytest.mark.parametrize("model", ["contract", "seatcount", "allocation", "purchase"])
def test_a_list_asks_the_database_as_often_for_ten_companies_as_for_one(acme, vera, today, model):
    client = signed_in(vera)
    url = reverse(f"admin:billing_{model}_changelist")
    contracts.fulfilled(acme, vera, "1")

    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as asked:
            assert client.get(url).status_code == 200
        return len(asked)

    client.get(url)
    few = queries()
    for number in range(9):
        other = people.company(f"Other {number}", time_zone="UTC")
        contracts.seated(other, today.isoformat(), 3)
        allocations.run(company=other, now=timezone.now())
        contracts.fulfilled(other, vera, "1")

    assert queries() == few
    assert few <= 16


@pytest.mark.parametrize(
    ("count", "sentences"),
    [
        (
            "12",
            ["4,000.0 credits were owed for the running period before this."],
        ),
        (
            "13",
            [
                "By this, 2,000.0 credits are owed for the running period",
                "4,000.0 credits were owed for the running period before this.",
            ],
        ),
        (
            "11",
            [
                "By this, 2,000.0 credits less are owed for the running period.",
                "4,000.0 credits were owed for the running period before this.",
            ],
        ),
    ],
)
def test_what_seats_add_is_said_apart_from_what_was_owed_before(client, today, count, sentences):
    confirmed(client, act("seats"), seats(today))

    page = pages.read(client.post(act("seats"), seats(today, seat_count=count)))

    for sentence in sentences:
        assert sentence in page.text
    assert page.text.count("By this,") == len(sentences) - 1


def test_seats_from_before_the_contract_are_not_recorded(client, today):
    first = today - timedelta(days=9)
    form = seats(today, effective_on=(first - timedelta(days=1)).isoformat())

    page = text_of(client.post(act("seats"), form))

    day = f"{first.day} {first:%b %Y}"
    assert f"The contract starts on {day}; record its seats from that day on." in page
    assert 'value="confirm"' not in page
    assert SeatCount.objects.count() == 1
