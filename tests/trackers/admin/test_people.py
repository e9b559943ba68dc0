"""Teams, members, accounts and deals, as imports named them."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.support import conversations
from tests.trackers.admin.conftest import call, canary_call, signed_in
from trackers.models import CustomerAccount, Deal, Team, TeamMember

MODELS = {"team": Team, "teammember": TeamMember, "customeraccount": CustomerAccount, "deal": Deal}
OWN = {
    "team": "EMEA Sales",
    "teammember": "rep@acme.example",
    "customeraccount": "Globex",
    "deal": "Globex robots",
}
CANARIES = {
    "team": "Canary team",
    "teammember": "canary@globex.example",
    "customeraccount": "Canary account",
    "deal": "Canary deal",
}


def list_of(name):
    return reverse(f"admin:trackers_{name}_changelist")


def page_of(name, row):
    return reverse(f"admin:trackers_{name}_change", args=[row.pk])


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def row_of(name: str, company):
    """Return the company's only row; of its members the one who owns the call."""
    rows = MODELS[name].objects.filter(company=company)
    return (rows.exclude(team=None) if name == "teammember" else rows).get()


@pytest.mark.parametrize("name", MODELS)
def test_a_company_s_people_see_its_own_rows_and_no_others(world, name):
    conversations.ingest(world.globex, canary_call())
    conversations.ingest(world.acme, call("call-1"))
    own, theirs = row_of(name, world.acme), row_of(name, world.globex)
    client = signed_in(world.alice)

    pages = text_of(client.get(list_of(name))) + text_of(client.get(page_of(name, own)))

    assert OWN[name] in pages
    assert CANARIES[name] not in pages
    assert client.get(page_of(name, theirs)).status_code == 302
    assert CANARIES[name] in text_of(signed_in(world.gina).get(page_of(name, theirs)))


@pytest.mark.parametrize("name", MODELS)
def test_a_vendor_person_sees_every_company_s_rows(world, name):
    conversations.ingest(world.globex, canary_call())
    conversations.ingest(world.acme, call("call-1"))

    page = text_of(signed_in(world.vera).get(list_of(name)))

    assert OWN[name] in page
    assert CANARIES[name] in page


@pytest.mark.parametrize("name", MODELS)
def test_nobody_writes_them_here(world, name):
    conversations.ingest(world.acme, call("call-1"))
    row = row_of(name, world.acme)
    client = signed_in(world.alice)

    assert client.post(page_of(name, row), {"name": "Changed"}).status_code == 403
    assert client.get(reverse(f"admin:trackers_{name}_add")).status_code == 403
    delete = reverse(f"admin:trackers_{name}_delete", args=[row.pk])
    assert client.post(delete, {"post": "yes"}).status_code == 403


@pytest.mark.parametrize(
    ("name", "key"),
    [("team", "team"), ("teammember", "owner"), ("customeraccount", "account"), ("deal", "deal")],
)
def test_each_leads_to_its_conversations(world, name, key):
    other = {"account": {"name": "Initech", "type": ""}, "deal": {"name": "Ink", "stage": ""}}
    conversations.ingest(
        world.acme,
        call("call-1", title="Robots"),
        call("call-2", title="Ink", team="Support", owner="sam@acme.example", **other),
    )
    row = next(row for row in MODELS[name].objects.all() if OWN[name] in str(row))
    client = signed_in(world.bob)

    link = f"{reverse('admin:trackers_conversation_changelist')}?{key}__id__exact={row.pk}"

    assert f'href="{link}"' in text_of(client.get(page_of(name, row)))
    found = text_of(client.get(link))
    assert (">Robots<" in found, ">Ink<" in found) == (True, False)


@pytest.mark.parametrize("name", MODELS)
def test_an_empty_list_says_what_will_come(world, name):
    page = text_of(signed_in(world.bob).get(list_of(name)))

    assert 'data-status="EMPTY"' in page
    assert "appear here when" in page


def test_a_team_counts_its_members(world):
    conversations.ingest(
        world.acme, call("call-1", owner="rita@acme.example"), call("call-2", owner="sam@x.example")
    )

    page = text_of(signed_in(world.bob).get(list_of("team")))

    assert 'data-metric="members" data-value="2">2</span>' in page


def test_a_hostile_name_is_escaped(world):
    conversations.ingest(world.acme, call("call-1", team="<script>alert(1)</script>"))
    client = signed_in(world.alice)
    team = Team.objects.get(company=world.acme)

    for page in (text_of(client.get(list_of("team"))), text_of(client.get(page_of("team", team)))):
        assert "<script>alert(1)" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page


@pytest.mark.parametrize("name", MODELS)
def test_the_lists_take_as_many_queries_for_many_rows_as_for_one(world, name):
    client = signed_in(world.bob)

    def queries():
        with CaptureQueriesContext(connection) as captured:
            text_of(client.get(list_of(name)))
        return len(captured)

    def named(n):
        return call(
            f"call-{n}",
            team=f"Team {n}",
            owner=f"rep{n}@acme.example",
            account={"name": f"Account {n}", "type": "prospect"},
            deal={"name": f"Deal {n}", "stage": "won"},
        )

    conversations.ingest(world.acme, named(0), named(1))
    few = queries()
    conversations.ingest(world.acme, *(named(n) for n in range(2, 12)))

    assert queries() == few
    assert few <= 12
