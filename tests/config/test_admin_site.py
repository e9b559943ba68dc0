"""The shell every page has: who gets in, what the sidebar offers, and the demo's badge."""

from __future__ import annotations

import pytest
from django.contrib import admin
from django.test import Client

from config import navigation
from config.admin_site import TallystickAdminSite
from credits import overview
from credits.models import User
from tests.support import pages, people
from tests.support.people import PASSWORD

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company("Acme")


@pytest.fixture
def every_page_exists(monkeypatch):
    """Let each item of the sidebar have an address, whatever this installation registers."""
    monkeypatch.setattr(navigation.shown, "page_address", lambda name: f"/somewhere/{name}/")


def sidebar(client, user) -> dict[str, list[str]]:
    client.force_login(user)
    groups = client.get("/admin/credits/").context["sidebar_navigation"]
    return {group["title"]: [item["title"] for item in group["items"]] for group in groups}


def test_the_site_is_ours_and_not_unfold_s():
    assert type(admin.site._wrapped) is TallystickAdminSite


def test_the_root_leads_to_the_credits_page(client, acme):
    client.force_login(people.alice(acme))

    assert client.get("/", follow=True).redirect_chain == [("/admin/credits/", 302)]


def test_the_index_is_the_credits_page(client, acme):
    client.force_login(people.vic(acme))

    assert client.get("/admin/").context["title"] == "Credits — Acme"


def test_somebody_not_signed_in_is_asked_to_and_lands_where_they_wanted(client, acme):
    alice = people.alice(acme)
    asked = client.get("/admin/credits/", follow=True)

    landed = client.post(
        asked.request["PATH_INFO"] + "?next=/admin/credits/",
        {"username": alice.email.upper(), "password": PASSWORD},
        follow=True,
    )

    assert landed.context["title"] == "Credits — Acme"


def test_a_person_of_no_company_reads_one_sentence_and_can_sign_out(client):
    nora = User.objects.create_user("nora@nowhere.example", PASSWORD)
    client.force_login(nora)

    answer = client.get("/admin/credits/", follow=True)
    page = pages.read(answer)

    assert answer.status_code == 403
    assert "You are signed in as nora@nowhere.example, but belong to no company yet" in page.text
    assert [one["action"] for one in page.all(tag="form")] == ["/admin/logout/"]
    out = pages.read(client.post("/admin/logout/"))
    assert "You are signed out of Tallystick." in out.text
    assert "_auth_user_id" not in client.session


def test_a_viewer_is_offered_credits_and_results_only(client, acme, every_page_exists):
    assert sidebar(client, people.vic(acme)) == {
        "Overview": ["Credits", "Guide to credits"],
        "Trackers": ["Results"],
    }


def test_a_business_admin_is_offered_their_company_s_pages(client, acme, every_page_exists):
    offered = {
        "Overview": ["Credits", "Suggestions", "Alerts", "Guide to credits"],
        "Trackers": ["AI trackers", "Results", "Backfills", "Waiting for credits"],
        "Ask and briefs": ["Ask anything", "Questions", "Briefs", "Brief runs"],
        "Conversations": [
            "Conversations",
            "Imports",
            "Accounts",
            "Deals",
            "Contacts",
            "Teams",
            "Team members",
        ],
        "Reports": [
            "Credit reports",
            "Export jobs",
            "Usage",
            "Ledger",
            "Drawdowns",
            "Grants",
            "Reservations",
            "Rate cards",
            "Audit trail",
        ],
        "Contract": ["Contract", "Seats", "Allocations", "Purchases"],
        "Integrations": ["Limits", "Language model"],
    }

    assert sidebar(client, people.bob(acme)) == offered
    keys = {"Integrations": ["API keys", "Limits", "MCP clients", "Language model"]}
    assert sidebar(client, people.alice(acme)) == offered | keys
    assert len(offered) <= 7


def test_vendor_people_are_offered_everything(client, acme, every_page_exists):
    everything = {
        "Overview": ["Credits", "Suggestions", "Alerts", "Guide to credits"],
        "Trackers": ["AI trackers", "Results", "Backfills", "Waiting for credits"],
        "Ask and briefs": ["Questions", "Briefs", "Brief runs"],
        "Conversations": [
            *("Conversations", "Accounts", "Deals", "Contacts", "Teams", "Team members"),
        ],
        "Reports": [
            "Credit reports",
            "Export jobs",
            "Usage",
            "Ledger",
            "Drawdowns",
            "Grants",
            "Reservations",
        ],
        "Vendor": [
            *("Companies", "Contracts", "Seats", "Allocations", "Purchases"),
            *("People", "Memberships", "Rate cards", "Limits"),
        ],
        "System": ["Audit trail", "Language model", "Jobs &amp; schedule"],
    }
    assert len(everything) <= 7

    assert sidebar(client, people.vera()) == everything
    assert sidebar(client, people.audrey()) == everything


def test_a_page_that_does_not_exist_here_is_left_out(client, acme, monkeypatch):
    monkeypatch.setattr(
        navigation.shown,
        "page_address",
        lambda name: "/x/" if name == "admin:credits_page" else None,
    )

    assert sidebar(client, people.vera()) == {"Overview": ["Credits"]}


@pytest.mark.parametrize("path", ["/admin/credits/", "/admin/"])
def test_the_page_one_is_on_is_marked(client, acme, path):
    client.force_login(people.alice(acme))

    groups = client.get(path).context["sidebar_navigation"]

    marked = [item["title"] for group in groups for item in group["items"] if item["active"]]
    assert marked == ["Credits"]


@pytest.mark.parametrize(
    ("path", "title"),
    [
        ("/admin/credits/usageevent/", "Usage"),
        ("/admin/credits/usageevent/reports/", "Credit reports"),
    ],
)
def test_of_two_items_the_page_is_under_the_longer_is_marked(client, acme, path, title):
    client.force_login(people.alice(acme))

    groups = client.get(path).context["sidebar_navigation"]

    marked = [item["title"] for group in groups for item in group["items"] if item["active"]]
    assert marked == [title]


def test_made_up_figures_are_called_so(client, acme):
    alice = people.alice(acme)
    client.force_login(alice)
    assert "Demo data" not in pages.read(client.get("/admin/credits/")).text
    acme.is_demo = True
    acme.save()

    assert "Demo data" in pages.read(client.get("/admin/credits/")).text
    assert "Demo data" in pages.read(client.get("/admin/password_change/")).text
    client.force_login(people.vera())
    assert "Demo data" in pages.read(client.get("/admin/credits/")).text


def test_a_page_loads_nothing_from_elsewhere(client, acme):
    client.force_login(people.alice(acme))

    page = pages.read(client.get("/admin/credits/"))

    sources = [one.get("src") or one.get("href", "") for one in page.elements]
    assert [source for source in sources if "//" in source] == []
    assert len(page.all(tag="h1")) == 1


@pytest.mark.parametrize("path", ["/admin/", "/admin/credits/", "/admin/password_change/"])
@pytest.mark.parametrize("who", ["nobody's vendor", "vendor of one", "member of an empty company"])
def test_every_page_opens_without_any_data(client, path, who):
    if who != "nobody's vendor":
        empty = people.company("Empty")
    client.force_login(people.vic(empty) if who.startswith("member") else people.vera())

    assert client.get(path).status_code == 200


def test_what_is_not_there_and_what_is_not_sent_are_one_sentence_each(acme):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(people.alice(acme))

    missing = strict.get("/admin/credits/no-such-page/")
    unsent = strict.post("/admin/company/", {"company": acme.pk})

    assert missing.status_code == 404
    assert "There is no such page, or what it showed is not of the company" in missing.text
    assert unsent.status_code == 403
    assert "nothing was saved; go back, reload the page and send it again." in unsent.text


def test_a_failure_is_one_sentence_and_no_traceback(acme, monkeypatch):
    def broken(**_):
        raise RuntimeError("canary of a traceback")

    monkeypatch.setattr(overview, "of", broken)
    client = Client(raise_request_exception=False)
    client.force_login(people.alice(acme))

    failed = client.get("/admin/credits/")

    assert failed.status_code == 500
    assert "nothing was half-written; try again" in failed.text
    assert "canary" not in failed.text
