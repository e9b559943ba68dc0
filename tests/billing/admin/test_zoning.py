"""The form that changes a company's time zone says in numbers what moves before it does."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime

import pytest
from django.urls import reverse
from django.utils import timezone

from billing import allocations
from billing.models import Allocation, ZoneChange
from credits.models import Company
from tests.billing.admin.test_purchases import confirmed, seen_on
from tests.support import contracts, pages, people
from tests.support.browsing import signed_in, text_of

PAGO_PAGO = "Pacific/Pago_Pago"


@pytest.fixture
def acme(db):
    """A company in Kiritimati whose year began with this one's January."""
    company = people.company(time_zone="Pacific/Kiritimati")
    first = timezone.now().date().replace(month=1, day=1)
    contracts.seated(company, first.isoformat(), 10, period="YEAR")
    allocations.run(company=company, now=timezone.now())
    return company


@pytest.fixture
def vera():
    return people.vera()


@pytest.fixture
def client(acme, vera):
    return signed_in(vera)


def url(company) -> str:
    return reverse("admin:credits_company_zone", args=[company.pk])


def wish(**changes) -> dict[str, str]:
    return {
        "time_zone": PAGO_PAGO,
        "reason": "The head office has moved.",
        "key": str(uuid.uuid4()),
    } | changes


def test_the_confirmation_says_in_numbers_what_moves_and_changes_nothing(acme, client):
    year = timezone.now().year

    page = pages.read(client.post(url(acme), wish()))

    for words in (
        "Pacific/Kiritimati → Pacific/Pago_Pago",
        f"1 Jan {year + 1} 00:00 UTC+14 = 30 Dec {year} 23:00 SST",
        f"Period 2 starts 1 Jan {year + 1} 00:00 UTC+14 (stays)",
        f"1 Jan {year + 2} 00:00 UTC+14 → 2 Jan {year + 2} 01:00 UTC+14 (25 h later)",
        "A company has one time zone",
    ):
        assert words in page.text
    assert page.figure("issued-anew") == "0.0"
    assert page.figure("used-before") == page.figure("used-after") == "0.0"
    assert not ZoneChange.objects.exists()
    assert Allocation.objects.count() == 1


def test_a_confirmation_is_done_once_and_the_company_s_page_says_what_is_ahead(acme, client):
    form = wish()
    seen = seen_on(text_of(client.post(url(acme), form)))
    confirm = form | {"seen": seen, "step": "confirm"}

    first, second = client.post(url(acme), confirm), client.post(url(acme), confirm)

    page = pages.read(client.get(first["Location"]))
    assert first["Location"] == second["Location"]
    change = ZoneChange.objects.get()
    year = timezone.now().year
    assert change.effective_at == datetime(year, 12, 31, 10, tzinfo=UTC)
    assert page.all(data_status="zone-ahead")
    assert (
        "is in Pacific/Pago_Pago from its next period on, which starts "
        f"1 Jan {year + 1} 00:00 UTC+14. Until then days are those of Pacific/Kiritimati."
    ) in page.text
    assert Company.objects.get(pk=acme.pk).time_zone == "Pacific/Kiritimati"


def test_without_a_running_period_it_counts_at_once(client):
    other = people.company("Other", time_zone="UTC")

    answer = client.get(confirmed(client, url(other), wish())["Location"])

    assert "Other is in Pacific/Pago_Pago now." in text_of(answer)
    assert Company.objects.get(pk=other.pk).time_zone == PAGO_PAGO


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"time_zone": "Pacific/Kiritimati"}, "The company has this time zone, and no other"),
        ({"time_zone": "Mars/Olympus"}, "Select a valid choice."),
        ({"reason": "moved"}, "Ensure this value has at least 10 characters"),
    ],
)
def test_what_makes_no_sense_is_said_in_one_sentence(acme, client, changes, sentence):
    answer = client.post(url(acme), wish(**changes))

    (errors,) = answer.context["form"].errors.values()
    assert [error[: len(sentence)] for error in errors] == [sentence]
    assert not ZoneChange.objects.exists()
