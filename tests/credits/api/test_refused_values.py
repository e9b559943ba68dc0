"""Bodies and parameters that are refused by name, and states as pages say them."""

from __future__ import annotations

import pytest

from billing import voiding
from tests.support import api, contracts, people

pytestmark = pytest.mark.django_db
MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "instance"}
PURCHASES = "/api/v1/purchases"


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def program(acme):
    return api.of(acme, by=api.admin(acme))


@pytest.mark.parametrize(
    ("body", "name", "detail"),
    [
        ('{"amount": "0"}', "amount", "Enter an amount above 0 and at most 1,000,000,000 credits."),
        (
            '{"amount": "-5"}',
            "amount",
            "Enter an amount above 0 and at most 1,000,000,000 credits.",
        ),
        (
            '{"amount": "12345678901234567890123"}',
            "amount",
            "Write credits with at most 15 digits before the decimal point.",
        ),
        ('{"amount": "1", "amount": "2"}', "amount", "Give it once only."),
        (
            '{"amount": "1", "starts_on": "9999-12-31"}',
            "starts_on",
            "Write a day of the years 2000 to 2199.",
        ),
        (
            '{"amount": "1", "starts_on": "1999-12-31"}',
            "starts_on",
            "Write a day of the years 2000 to 2199.",
        ),
        (
            '{"amount": "1", "starts_on": "2027-02-01", "ends_on": "2027-01-31"}',
            "ends_on",
            "The credits would end before they start; choose a later expiration date.",
        ),
    ],
)
def test_a_body_that_is_refused_names_the_field_and_why(program, acme, body, name, detail):
    answer = program.post(PURCHASES, body, "application/json", headers={"idempotency-key": "1"})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_body")
    assert problem["errors"] == [{"name": name, "detail": detail}]
    assert not acme.purchases.exists()


@pytest.mark.parametrize("limit", ["１２", "1_0", "%2B5", "+5", "%205", "5.0", "٥"])
def test_a_count_is_written_in_plain_digits(program, limit):
    problem = api.problem(program.get(f"/api/v1/ledger?limit={limit}"))

    assert problem["errors"] == [{"name": "limit", "detail": "Write a whole number from 1 to 200."}]


def test_a_reversed_purchase_is_voided_as_pages_say_it(program, acme):
    vera = people.vera()
    first = contracts.fulfilled(acme, vera, "50")
    contracts.fulfilled(acme, vera, "60")
    voiding.void(purchase=first, by=vera, reason="Ordered twice", now=contracts.NOW)

    found = {
        state: [one["number"] for one in program.get(f"{PURCHASES}?state={state}").json()["items"]]
        for state in ("VOIDED", "FULFILLED", "REQUESTED")
    }
    one = program.get(f"{PURCHASES}/{first.pk}").json()

    assert found == {"VOIDED": [1], "FULFILLED": [2], "REQUESTED": []}
    assert (one["state"], one["voided_at"]) == ("VOIDED", "2026-03-02T12:00:00Z")
