"""Who may open which page of credits: roles × pages, by direct address (SPEC §1)."""

from __future__ import annotations

import pytest
from django.test import Client
from django.urls import reverse

from credits.models import User
from tests.support import people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.django_db

LEDGER = ["ledgerentry", "usageevent", "drawdown", "reservation", "creditgrant"]
PAGES = {
    "ledger": [f"credits_{model}_changelist" for model in LEDGER],
    "reports": [
        "credits_reports",
        "credits_usageevent_export",
        "credits_ledgerentry_export",
        "credits_exportjob_changelist",
    ],
    "rates": ["credits_ratecard_changelist"],
    "new rates": ["credits_ratecard_add"],
    "grant": ["credits_creditgrant_add"],
    "people": [
        "credits_company_changelist",
        "credits_user_changelist",
        "credits_membership_changelist",
    ],
    "new people": ["credits_company_add", "credits_user_add", "credits_membership_add"],
    "schedule": ["credits_jobrun_changelist"],
    "keys": ["credits_apikey_changelist", "credits_apikey_add"],
    "never": [f"credits_{model}_add" for model in (*LEDGER[:4], "jobrun", "exportjob")],
}
READS = {"ledger", "reports", "rates"}
ALLOWED = {
    # The vendor makes no key that acts as a company.
    "superuser": {*PAGES} - {"never", "keys"},
    "vendor staff": {*PAGES} - {"never", "keys"},
    "vendor auditor": READS | {"people", "schedule"},
    "tech admin": READS | {"keys"},
    "business admin": READS,
    "viewer": set(),
}


def person(standing: str, company) -> User:
    match standing:
        case "superuser":
            return User.objects.create_superuser("root@vendor.example", people.PASSWORD)
        case "vendor staff":
            return people.vera()
        case "vendor auditor":
            return people.audrey()
        case "tech admin":
            return people.alice(company)
        case "business admin":
            return people.bob(company)
        case _:
            return people.vic(company)


@pytest.mark.parametrize("standing", ALLOWED)
def test_each_standing_opens_its_pages_and_no_others(standing):
    acme = people.company()
    client = signed_in(person(standing, acme), acme)

    answers = {
        name: client.get(reverse(f"admin:{name}")).status_code
        for names in PAGES.values()
        for name in names
    }

    assert answers == {
        name: 200 if kind in ALLOWED[standing] else 403
        for kind, names in PAGES.items()
        for name in names
    }


def test_a_person_without_a_standing_sees_nothing():
    stranger = User.objects.create_user("stranger@nowhere.example", people.PASSWORD)
    client = signed_in(stranger)

    answers = {
        client.get(reverse(f"admin:{name}")).status_code
        for names in PAGES.values()
        for name in names
    }

    assert answers == {302}  # To the sign-in page.


def test_nobody_signed_in_sees_nothing():
    answers = {
        Client().get(reverse(f"admin:{name}")).status_code
        for names in PAGES.values()
        for name in names
    }

    assert answers == {302}
