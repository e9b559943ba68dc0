"""One company is current; the choice is among one's own, and nobody learns of others (SPEC §1)."""

from __future__ import annotations

import pytest
from django.test import Client

from config import admin_site
from credits.models import Membership, Role
from tests.support import pages, people

pytestmark = pytest.mark.django_db
CHOOSE = "/admin/company/"


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def globex():
    return people.company("Globex")


def choose(client, company) -> int:
    return client.post(CHOOSE, {"company": "" if company is None else company.pk}).status_code


def title(client) -> str:
    return client.get("/admin/credits/").context["title"]


def chooser(client) -> list[tuple[str, bool]]:
    options = pages.read(client.get("/admin/credits/")).all(tag="option")
    return [(option["value"], "selected" in option) for option in options]


def test_a_person_of_two_companies_chooses_which_is_current(client, acme, globex):
    alice = people.alice(acme)
    Membership.objects.create(user=alice, company=globex, role=Role.VIEWER)
    client.force_login(alice)
    assert title(client) == "Credits — Acme"

    assert choose(client, globex) == 302

    assert title(client) == "Credits — Globex"
    assert chooser(client) == [(str(acme.pk), False), (str(globex.pk), True)]


def test_the_role_is_that_of_the_current_company(client, acme, globex):
    alice = people.alice(acme)
    Membership.objects.create(user=alice, company=globex, role=Role.VIEWER)
    people.credits_for(acme, "1")
    people.credits_for(globex, "1")
    client.force_login(alice)
    assert "Last ledger entries" in pages.read(client.get("/admin/credits/")).text

    choose(client, globex)

    assert "Last ledger entries" not in pages.read(client.get("/admin/credits/")).text


def test_another_company_is_not_there_rather_than_forbidden(client, acme, globex):
    client.force_login(people.alice(acme))

    refused = client.post(CHOOSE, {"company": globex.pk})
    unknown = client.post(CHOOSE, {"company": 999_999})

    assert (refused.status_code, unknown.status_code) == (404, 404)
    assert refused.content == unknown.content
    assert "Globex" not in refused.content.decode()
    assert title(client) == "Credits — Acme"


@pytest.mark.parametrize("nonsense", ["", "0x1", "1 OR 1=1", "٣", "-1", "9" * 60])
def test_nonsense_is_no_company(client, acme, nonsense):
    client.force_login(people.alice(acme))

    assert client.post(CHOOSE, {"company": nonsense}).status_code == 404
    assert title(client) == "Credits — Acme"


def test_a_person_of_one_company_has_no_chooser(client, acme):
    client.force_login(people.alice(acme))

    assert chooser(client) == []


def test_vendor_people_choose_one_company_and_go_back_to_all(client, acme, globex):
    people.credits_for(acme, "10")
    client.force_login(people.vera())
    assert title(client) == "Credits — all companies"

    choose(client, acme)
    assert title(client) == "Credits — Acme"
    assert chooser(client) == [("", False), (str(acme.pk), True), (str(globex.pk), False)]

    choose(client, None)
    assert title(client) == "Credits — all companies"


def test_vendor_people_without_a_choice_see_what_each_company_has_left(client, acme, globex):
    people.credits_for(acme, "1234.5")
    client.force_login(people.audrey())

    page = pages.read(client.get("/admin/credits/"))

    assert [one["data-value"] for one in page.all(data_metric="remaining")] == ["1234.5", "0.0"]
    assert "Acme Europe/Berlin 1,234.5 0.0" in page.text
    assert [one["aria-label"] for one in page.all(tag="button") if "aria-label" in one] == [
        "Choose Acme",
        "Choose Globex",
    ]


def test_with_many_companies_the_chooser_leads_to_the_list_of_all(client, acme, monkeypatch):
    monkeypatch.setattr(admin_site, "CHOICES_MAX", 2)
    for name in ("Globex", "Initech"):
        people.company(name)
    client.force_login(people.vera())
    assert chooser(client) == [("", False)]
    assert len(pages.read(client.get("/admin/credits/")).all(data_metric="remaining")) == 3

    choose(client, acme)

    assert chooser(client) == [("", False), (str(acme.pk), True)]


def test_without_any_company_vendor_people_are_told_what_to_do(client):
    client.force_login(people.vera())

    page = pages.read(client.get("/admin/credits/"))

    assert "There is no company yet." in page.text


def test_a_membership_that_ended_takes_the_choice_with_it(client, acme, globex):
    alice = people.alice(acme)
    there = Membership.objects.create(user=alice, company=globex, role=Role.VIEWER)
    client.force_login(alice)
    choose(client, globex)

    there.delete()

    assert title(client) == "Credits — Acme"


def test_a_choice_is_a_form_of_this_site(acme):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people.alice(acme))

    assert strict.post(CHOOSE, {"company": acme.pk}).status_code == 403
    assert strict.get(CHOOSE).status_code == 405


def test_somebody_not_signed_in_chooses_nothing(client, acme):
    answer = client.post(CHOOSE, {"company": acme.pk})

    assert answer.status_code == 302
    assert answer["Location"].startswith("/admin/login/")
