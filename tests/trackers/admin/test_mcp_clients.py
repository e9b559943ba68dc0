"""Connect an AI client: the form, its snippets with a new key, and the test of the connection."""

from __future__ import annotations

import json
import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from credits import limits
from credits.identifiers import new_id
from credits.models import ApiKey, AuditEvent, AuditText, Integration, SpendingLimit
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.pages import Page
from trackers.mcp import snippets

ADD = "admin:credits_integration_add"


def page_of(response) -> Page:
    page = Page()
    page.feed(response.content.decode())
    return page


@pytest.fixture
def acme(db):
    return people.company()


def form(**changes):
    return {
        "id": str(new_id()),
        "client": "CURSOR",
        "name": "Sales assistant",
        "context": "SHARED",
        "person": "",
        "scopes": ["balance:read", "ask", "brief"],
        "life_days": "90",
    } | changes


def key_in(response) -> str:
    return re.search(r"tsk_[a-z2-7]{8}_[A-Za-z0-9_-]{43}", response.content.decode())[0]


def test_a_tech_admin_gets_a_snippet_with_a_new_key_once(acme):
    browser = signed_in(people.alice(acme))

    response = browser.post(reverse(ADD), form())

    made, key = Integration.objects.get(company=acme), ApiKey.objects.get(company=acme)
    text = key_in(response)
    assert (made.name, made.kind, made.context, made.person) == (
        "Sales assistant",
        "MCP",
        "SHARED",
        None,
    )
    assert (key.integration, key.name) == (made, "Sales assistant")
    assert key.scopes == ["balance:read", "ask", "brief"]
    assert key.expires_at < timezone.now() + timedelta(days=91)
    shown = response.context["snippets"]
    assert len(shown) == len(snippets.Client.choices)
    assert json.loads(shown[0][1].text) == {
        "mcpServers": {
            "tallystick": {
                "url": "http://testserver/mcp",
                "headers": {"Authorization": f"Bearer {text}"},
            }
        }
    }
    again = browser.get(reverse("admin:credits_integration_change", args=[made.pk]))
    assert text not in again.content.decode()
    events = AuditEvent.objects.filter(company=acme, action="ADDED")
    assert sorted(event.subject_type for event in events) == [
        "credits.apikey",
        "credits.integration",
    ]
    assert not AuditText.objects.filter(changes__icontains=text).exists()


def test_a_personal_client_names_its_person_for_good(acme):
    alice, vic = people.alice(acme), people.vic(acme)
    browser = signed_in(alice)

    nobody = browser.post(reverse(ADD), form(context="PERSONAL"))
    browser.post(reverse(ADD), form(context="PERSONAL", person=str(vic.pk)))

    assert "names the person" in page_of(nobody).text
    made = Integration.objects.get(company=acme)
    assert (made.context, made.person) == ("PERSONAL", vic)


def test_a_client_of_whom_took_part_in_nothing_comes_with_a_warning(acme):
    alice, vic = people.alice(acme), people.vic(acme)
    member = {"id": "v", "role": "internal", "name": "Vic", "email": vic.email}
    browser = signed_in(alice)

    made = browser.post(reverse(ADD), form(context="PERSONAL", person=str(vic.pk)))
    page = browser.get(reverse("admin:credits_integration_change", args=[made.context["row"].pk]))
    conversations.conversation(
        acme,
        "c1",
        owner=None,
        participants=[member, {"id": "c", "role": "external", "email": "carl@globex.example"}],
        utterances=[{"id": "u0", "speaker": "c", "text": "That is too expensive."}],
    )
    after = browser.get(reverse("admin:credits_integration_change", args=[made.context["row"].pk]))
    shared = browser.post(reverse(ADD), form(name="For everybody"))

    words = f"neither {vic.get_full_name()} nor anybody of their team took part in a call or e-mail"
    assert words in page_of(made).text
    assert words in page_of(page).text
    assert "neither" not in page_of(after).text
    assert "neither" not in page_of(shared).text


def test_a_client_is_made_with_a_limit_that_holds_for_all_its_keys(acme):
    browser = signed_in(people.alice(acme))

    browser.post(reverse(ADD), form(limit="12.5", limit_window="DAY"))
    refused = browser.post(reverse(ADD), form(name="Another", limit="a lot"))
    negative = browser.post(reverse(ADD), form(name="Another", limit="-1"))

    made, limit = Integration.objects.get(), SpendingLimit.objects.get()
    assert (limit.subject, limit.integration, limit.name) == (
        "INTEGRATION",
        made,
        "Sales assistant",
    )
    assert (limit.credits, limit.window, limit.is_hard) == (Decimal("12.5"), "DAY", True)
    page = browser.get(reverse("admin:credits_integration_change", args=[made.pk]))
    assert "12.5 a day" in page_of(page).text
    for response in (refused, negative):
        assert response.context["form"].errors.keys() == {"limit"}


def test_nobody_of_another_company_stands_behind_a_client(acme):
    stranger = people.vic(people.company("Beta"))

    response = signed_in(people.alice(acme)).post(
        reverse(ADD), form(context="PERSONAL", person=str(stranger.pk))
    )

    assert stranger.email not in response.content.decode()
    assert not Integration.objects.exists()


def test_a_second_submit_and_a_taken_name_make_nothing(acme):
    browser, sent = signed_in(people.alice(acme)), form()
    browser.post(reverse(ADD), sent)

    twice = browser.post(reverse(ADD), sent)
    taken = browser.post(reverse(ADD), form())

    assert "made its key already" in page_of(twice).text
    assert "has this name already" in page_of(taken).text
    assert ApiKey.objects.filter(company=acme).count() == 1
    assert Integration.objects.filter(company=acme).count() == 1


@pytest.mark.parametrize("who", ["bob", "vic"])
def test_only_a_tech_admin_connects_clients(acme, who):
    browser = signed_in(getattr(people, who)(acme))

    answers = [
        browser.get(reverse(ADD)),
        browser.post(reverse(ADD), form()),
        browser.get(reverse("admin:credits_integration_changelist")),
    ]

    assert [answer.status_code for answer in answers] == [403, 403, 403]
    assert not Integration.objects.exists()


def test_the_list_says_what_each_client_reads_and_its_keys(acme):
    alice, vic = people.alice(acme), people.vic(acme)
    browser = signed_in(alice)
    browser.post(reverse(ADD), form())
    browser.post(reverse(ADD), form(name="Vic's", context="PERSONAL", person=str(vic.pk)))

    listed = page_of(browser.get(reverse("admin:credits_integration_changelist"))).text

    assert "all conversations" in listed
    assert "conversations of Vic and their team" in listed


@pytest.mark.parametrize("client", snippets.Client.values)
def test_each_snippet_holds_the_key_and_nothing_breaks_out_of_it(client, settings):
    settings.EMBEDDED = False
    hostile = 'https://host"; rm -rf /'

    snippet = snippets.of(client, site=hostile, key="tsk_k")

    assert "tsk_k" in snippet.text
    if client == "CLAUDE_CODE":
        assert "'https://host\"; rm -rf //mcp'" in snippet.text
    else:
        assert "tsk_k" in json.dumps(json.loads(snippet.text))
    assert str(settings.PROJECT) not in snippet.text


def test_the_connection_test_says_what_a_client_sees(committed):
    acme = people.company()
    people.credits_for(acme, "100")
    browser = signed_in(people.alice(acme))
    text = key_in(browser.post(reverse(ADD), form()))
    made = Integration.objects.get(company=acme)
    address = reverse("admin:credits_integration_try", args=[made.pk])

    works = browser.post(address, {"text": text, "client": "CURSOR"})
    ApiKey.objects.filter(company=acme).update(revoked_at=timezone.now())
    revoked = browser.post(address, {"text": text, "client": "CURSOR"})
    other_key = browser.post(address, {"text": "tsk_aaaaaaaa_" + "x" * 43, "client": "CURSOR"})

    assert (
        "It works. An AI client sees 5 tools: ask_account, ask_deal, generate_brief, "
        "get_credit_balance, estimate_cost. 100.0 credits can be spent now." in page_of(works).text
    )
    assert "The test failed. The server refused the key (HTTP 401)." in page_of(revoked).text
    assert text in works.content.decode()
    assert other_key.status_code == 302


def test_the_page_of_a_client_shows_its_limits_and_those_of_its_keys(acme):
    browser = signed_in(people.alice(acme))
    browser.post(reverse(ADD), form())
    browser.post(reverse(ADD), form(name="Another"))
    client, another = Integration.objects.order_by("pk")
    key = client.api_keys.get()
    page = reverse("admin:credits_integration_change", args=[client.pk])
    before = browser.get(page).content.decode()
    for subject, credits in (
        (limits.of_integration(client), "40"),
        (limits.of_key(key), "12.5"),
        (limits.of_integration(another), "99"),
    ):
        limits.set(company=acme, subject=subject, window="DAY", credits=Decimal(credits), by=None)

    after = browser.get(page).content.decode()

    assert "The client has no limit of its own." in before
    assert "The client has no limit of its own." not in after
    assert after.count('data-metric="limit-left"') == 2
    assert 'data-value="40.0"' in after
    assert 'data-value="12.5"' in after
    assert 'data-value="99.0"' not in after
