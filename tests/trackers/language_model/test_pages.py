"""The switch, the page of requests, and the test of the connection."""

from __future__ import annotations

import re

import pytest
from django.test import Client
from django.urls import reverse

from credits.models import AuditEvent
from tests.support import conversations, language_models, pages, people
from tests.support.language_models import (
    failing,
)
from tests.trackers.language_model.acting import (
    arrive,
    run,
)
from trackers import (
    language_model,
)
from trackers.models import (
    LlmAttempt,
    LlmSwitch,
)

pytestmark = pytest.mark.django_db


def signed_in(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


def test_switching_on_says_first_what_leaves_the_site_and_is_audited(acme, server, settings):
    alice = people.alice(acme)
    client, url = signed_in(alice), reverse("admin:trackers_llmattempt_switch")

    page = client.get(url)
    shown = page.content.decode()
    assert not LlmSwitch.objects.exists()
    for words in ("the words that were said", "cannot be called back", "scripted-1"):
        assert words in shown
    assert language_models.KEY not in shown
    form = page.context["form"]
    client.post(
        url, {"key": str(form["key"].value()), "step": "confirm", "seen": page.context["seen"]}
    )

    assert LlmSwitch.objects.get().is_on
    event = AuditEvent.objects.filter(company=acme, action="CHANGED").latest("pk")
    assert event.subject_type == "trackers.llmswitch"
    assert set(event.changed_fields) == {"on", "model"}


@pytest.mark.parametrize(
    ("is_on", "words", "said"),
    [
        (False, "Turn the language model on", "The language model is on."),
        (True, "Turn the language model off", "The language model is off."),
    ],
)
def test_what_switches_the_model_says_which_way(acme, server, is_on, words, said):
    alice = people.alice(acme)
    language_model.switch(company=acme, is_on=is_on, by=alice)
    client, url = signed_in(alice), reverse("admin:trackers_llmattempt_switch")

    listed, asked = client.get(reverse("admin:trackers_llmattempt_changelist")), client.get(url)
    done = client.post(url, pages.confirmation_of(asked), follow=True)

    assert pages.words_of_links(listed, url) == [words]
    assert pages.confirming_button(asked) == words
    assert said in done.content.decode()
    assert language_model.is_on(acme.pk) is not is_on


def test_what_is_not_there_cannot_be_switched_on(acme, settings):
    settings.LLM = None

    with pytest.raises(language_model.NotSetUp):
        language_model.switch(company=acme, is_on=True, by=people.alice(acme))


@pytest.mark.parametrize("name", ["bob", "vic"])
def test_only_a_tech_admin_switches(acme, server, name):
    user = getattr(people, name)(acme)

    answer = signed_in(user).get(reverse("admin:trackers_llmattempt_switch"))

    assert answer.status_code == 403


def test_the_operator_sees_tokens_beside_the_credits(acme, tracker, now, server):
    arrive(acme, now, "call-1")
    run(tracker)

    shown = signed_in(people.vera()).get(reverse("admin:trackers_llmattempt_changelist"))

    page = shown.content.decode()
    assert 'data-metric="llm-tokens-in" data-value="120"' in page
    assert 'data-metric="llm-tokens-out" data-value="30"' in page
    assert re.search(r'data-metric="llm-credits-used"[^>]*data-value="0.5', page)
    assert language_models.KEY not in page


def test_the_connection_is_tested_with_a_made_up_call_and_shows_the_answer(acme, server):
    conversations.conversation(acme, "call-1")
    client = signed_in(people.vera())
    url = reverse("admin:trackers_llmattempt_test")

    assert server.requests == []
    page = client.post(url).content.decode()

    assert "That is too expensive for us" in page
    assert "Schema, strict" in page
    row = LlmAttempt.objects.get()
    assert (row.purpose, row.company) == ("CONNECTION", None)
    server.always = failing(401)
    assert "refused the request (401)" in client.post(url).content.decode()
