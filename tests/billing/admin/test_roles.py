"""Who may open which page of contracts and purchases: roles × pages, by direct address."""

from __future__ import annotations

import pytest
from django.urls import reverse

from billing.models import Contract, Purchase
from tests.credits.admin.test_roles import person
from tests.support import contracts, people
from tests.support.browsing import signed_in

READS = [
    f"billing_{model}_changelist" for model in ("contract", "seatcount", "allocation", "purchase")
]
STAFF = [
    *("billing_purchase_add", "billing_contract_add"),
    *("billing_contract_seats", "billing_contract_terms", "billing_contract_top-up"),
    *("billing_purchase_approve", "billing_purchase_fulfil"),
    *("billing_purchase_cancel", "billing_purchase_void"),
    *("credits_company_close", "credits_company_add", "credits_company_zone"),
]
OF_A_COMPANY = ["billing_purchase_request"]
ALLOWED = {
    "superuser": {*READS, *STAFF},
    "vendor staff": {*READS, *STAFF},
    "vendor auditor": {*READS},
    "tech admin": {*READS, *OF_A_COMPANY},
    "business admin": {*READS, *OF_A_COMPANY},
    "viewer": set(),
}


def address(name: str, acme) -> str:
    if name.endswith(("changelist", "_add", "_request")):
        return reverse(f"admin:{name}")
    if name.startswith("credits_company"):
        return reverse(f"admin:{name}", args=[acme.pk])
    model = Contract if "_contract_" in name else Purchase
    return reverse(f"admin:{name}", args=[model.objects.get(company=acme).pk])


@pytest.mark.django_db
@pytest.mark.parametrize("standing", ALLOWED)
def test_each_standing_opens_its_pages_and_no_others(standing):
    acme = people.company()
    contracts.seated(acme, "2026-03-01")
    contracts.requested(acme, people.vera())
    client = signed_in(person(standing, acme), acme)

    names = [*READS, *STAFF, *OF_A_COMPANY]
    answers = {name: client.get(address(name, acme)).status_code for name in names}
    allowed = {name for name, code in answers.items() if code in (200, 302)}

    assert allowed == ALLOWED[standing]
    assert {code for code in answers.values() if code not in (200, 302)} <= {403}


@pytest.mark.django_db
@pytest.mark.parametrize("standing", set(ALLOWED) - {"superuser", "vendor staff"})
def test_nobody_else_decides_by_posting_past_the_pages(standing):
    acme = people.company()
    contracts.seated(acme, "2026-03-01")
    contracts.approved(acme, people.vera())
    client = signed_in(person(standing, acme), acme)
    before = list(Purchase.objects.values()), list(Contract.objects.values())
    form = {
        "step": "confirm",
        "amount": "1",
        "reason": "Because I say so",
        "starts_on": "2026-03-01",
        "key": "01a214f9-d902-708e-a7c8-b00dbbff38ae",
    }

    answers = {client.post(address(name, acme), form).status_code for name in STAFF}

    assert answers == {403}
    assert (list(Purchase.objects.values()), list(Contract.objects.values())) == before
