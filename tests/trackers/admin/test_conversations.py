"""The conversations' pages: who took part and what was said, as it was stored."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from tests.support import conversations
from tests.trackers.admin.conftest import (
    STARTED_AT,
    call,
    canary_call,
    conversation_of,
    published,
    scanned,
    signed_in,
    turns,
)
from trackers.models import Conversation, CustomerAccount, Deal

LIST = reverse("admin:trackers_conversation_changelist")
CANARIES = (
    "Canary title",
    "Canary account",
    "Canary deal",
    "Canary team",
    "canary type",
    "canary stage",
    "canary@globex.example",
    "The canary is too expensive.",
)


def page_of(conversation):
    return reverse("admin:trackers_conversation_change", args=[conversation.pk])


def text_of(response) -> str:
    assert response.status_code == 200
    return response.content.decode()


def shown_facts(page) -> dict[str, str]:
    """Read the definition list back: name to text."""
    pairs = re.findall(r"<dt>(.*?)</dt><dd>(.*?)</dd>", page, flags=re.DOTALL)
    return {name: re.sub(r"<[^>]+>", "", value).strip() for name, value in pairs}


def test_a_conversation_shows_what_was_stored_when_it_arrived(world):
    conversations.ingest(world.acme, call("call-1", title="Robots", duration_seconds=4350))

    page = text_of(signed_in(world.bob).get(page_of(conversation_of(world.acme))))

    facts = shown_facts(page)
    del facts["Arrived"]
    assert facts == {
        "Kind": "Call",
        "Started": "14 Jan 2026 11:30 CET",
        "Length": "72:30",
        "Owner": "rep@acme.example",
        "Team": "EMEA Sales",
        "Account": "Globex",
        "Account type": "prospect",
        "Deal": "Globex robots",
        "Deal stage": "evaluation",
        "External id": "call-1",
        "Source": "test",
    }
    assert "carl@globex.example" in page
    assert "Here is our proposal." in page
    assert '<span class="ts-clock">00:04</span> Carl Customer <small>Customer</small>' in page
    assert "No tracker has read this conversation." in page


def test_an_email_has_no_length_and_no_times(world):
    mail = [{"id": "u0", "speaker": "c", "start": None, "text": "Dear Rita,"}]
    conversations.ingest(
        world.acme, call("mail-1", kind="email", duration_seconds=0, utterances=mail)
    )

    page = text_of(signed_in(world.bob).get(page_of(conversation_of(world.acme))))

    assert shown_facts(page)["Length"] == "–"
    assert shown_facts(page)["Kind"] == "E-mail"
    assert 'class="ts-clock"' not in page


def test_its_results_are_on_it(world):
    tracker = published(world.acme, world.alice)
    scan = scanned(world.acme, tracker, call("call-1"))[0]

    page = text_of(signed_in(world.bob).get(page_of(scan.conversation)))

    assert reverse("admin:trackers_scan_change", args=[scan.pk]) in page
    assert ">Pricing objection</a>" in page
    assert 'data-status="YES">Found</span>' in page


def test_a_long_text_comes_in_pages(world):
    said = turns(*(f"Turn {n}." for n in range(205)))
    conversations.ingest(world.acme, call("call-1", utterances=said))
    conversation = conversation_of(world.acme)
    client = signed_in(world.bob)

    first = text_of(client.get(page_of(conversation)))
    second = text_of(client.get(page_of(conversation) + "?turns=2"))

    assert ("Turn 199." in first, "Turn 200." in first) == (True, False)
    assert ("Turn 199." in second, "Turn 204." in second) == (False, True)
    assert "Page 2 of 2" in second


def test_only_the_current_text_is_shown(world):
    conversations.ingest(world.acme, call("call-1", utterances=turns("The first text.")))
    conversations.ingest(world.acme, call("call-1", utterances=turns("The second text.")))

    page = text_of(signed_in(world.bob).get(page_of(conversation_of(world.acme))))

    assert ("The first text." in page, "The second text." in page) == (False, True)


def test_hostile_text_is_escaped(world):
    hostile = "<script>alert(1)</script>"
    conversations.ingest(
        world.acme,
        call(
            "call-1",
            title=f"{hostile} title",
            account={"name": f"{hostile} account", "type": f"{hostile} type"},
            deal={"name": f"{hostile} deal", "stage": f"{hostile} stage"},
            team=f"{hostile} team",
            utterances=turns(f"{hostile} said"),
        ),
    )
    client = signed_in(world.alice)

    page = text_of(client.get(page_of(conversation_of(world.acme)))) + text_of(client.get(LIST))

    assert hostile not in page
    for where in ("title", "account", "type", "deal", "stage", "team", "said"):
        assert f"&lt;script&gt;alert(1)&lt;/script&gt; {where}" in page


def test_nobody_sees_another_company_s_conversations(world):
    conversations.ingest(world.globex, canary_call())
    canary = conversation_of(world.globex)
    conversations.ingest(world.acme, call("call-1"))
    client = signed_in(world.alice)

    everything = text_of(client.get(page_of(conversation_of(world.acme))))
    for query in (
        "",
        "?q=canary-external-id",
        f"?team__id__exact={canary.team_id}",
        f"?owner__id__exact={canary.owner_id}",
        f"?account__id__exact={canary.account_id}",
        f"?deal__id__exact={canary.deal_id}",
    ):
        everything += text_of(client.get(LIST + query))

    assert [word for word in CANARIES if word in everything] == []
    assert "Call call-1" in everything
    assert client.get(page_of(canary)).status_code == 302
    theirs = text_of(signed_in(world.gina).get(page_of(canary)))
    assert [word for word in CANARIES if word not in theirs] == []


def test_a_viewer_sees_no_conversations_and_their_directory(world):
    conversations.ingest(world.acme, call("call-1"))
    client = signed_in(world.vic)

    assert client.get(LIST).status_code == 403
    assert client.get(page_of(conversation_of(world.acme))).status_code == 403
    for name in ("team", "teammember", "customeraccount", "deal"):
        assert client.get(reverse(f"admin:trackers_{name}_changelist")).status_code == 403


@pytest.mark.parametrize("name", ["alice", "vera"])
def test_nobody_writes_a_conversation_here(world, name):
    conversations.ingest(world.acme, call("call-1", title="As it was"))
    conversation = conversation_of(world.acme)
    client = signed_in(getattr(world, name))

    assert client.post(page_of(conversation), {"title": "Changed"}).status_code == 403
    assert client.get(reverse("admin:trackers_conversation_add")).status_code == 403
    assert Conversation.objects.get().title == "As it was"


def test_conversations_are_found_by_title_kind_team_day_account_and_deal(world):
    conversations.ingest(
        world.acme,
        call("call-1", title="Robots"),
        call(
            "mail-1",
            title="An offer",
            kind="email",
            duration_seconds=0,
            team="Support",
            account={"name": "Initech", "type": "customer"},
            deal={"name": "Printers", "stage": "won"},
            # 0:15 on the 15th in Berlin.
            started_at=STARTED_AT + timedelta(hours=12, minutes=45),
        ),
    )
    client = signed_in(world.bob)
    initech = CustomerAccount.objects.get(name="Initech")
    robots = Deal.objects.get(name="Globex robots")

    def found(query):
        page = text_of(client.get(LIST + query))
        return [title for title in ("Robots", "An offer") if f">{title}<" in page]

    assert found("") == ["Robots", "An offer"]
    assert found("?q=robot") == ["Robots"]
    assert found("?kind__exact=EMAIL") == ["An offer"]
    assert found(f"?team__id__exact={conversation_team('Support')}") == ["An offer"]
    assert found(f"?account__id__exact={initech.pk}") == ["An offer"]
    assert found(f"?deal__id__exact={robots.pk}") == ["Robots"]
    assert found("?started_at_from=2026-01-15&started_at_to=2026-01-15") == ["An offer"]
    assert found("?started_at_to=2026-01-14") == ["Robots"]


def conversation_team(name):
    return Conversation.objects.get(team__name=name).team_id


def test_an_empty_list_says_what_will_come(world):
    page = text_of(signed_in(world.bob).get(LIST))

    assert "Calls and e-mails appear here when they are imported." in page


def test_the_pages_take_as_many_queries_for_many_rows_as_for_one(world):
    client = signed_in(world.bob)

    def queries(url):
        with CaptureQueriesContext(connection) as captured:
            text_of(client.get(url))
        return len(captured)

    conversations.ingest(world.acme, call("call-0"))
    page = page_of(conversation_of(world.acme))
    text_of(client.get(page))  # Content types are looked up once in a process.
    few = queries(LIST), queries(page)
    said = turns(*(f"c: Turn {n}." for n in range(30)))
    conversations.ingest(
        world.acme,
        call("call-0", utterances=said),
        *(call(f"call-{n}", owner=f"rep{n}@acme.example") for n in range(1, 15)),
    )

    assert (queries(LIST), queries(page)) == few
    assert max(few) <= 14
