"""The page to ask on, the answer with what it cites, and the switch for reuse (issue 5)."""

from __future__ import annotations

import re

import pytest
from django.urls import reverse

from credits import balances
from credits.models import Role, UsageEvent
from tests.support import asks, conversations, pages, people
from tests.support.browsing import signed_in
from trackers import analyzers, reuse
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.models import AskRequest, Conversation, Deal, Utterance

pytestmark = pytest.mark.django_db
ASK = "/admin/trackers/askrequest/ask/"
LIST = "/admin/trackers/askrequest/"
REUSE = "/admin/trackers/askrequest/reuse/"


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", OfflineAnalyzer)


@pytest.fixture
def acme():
    company = people.company()
    asks.globex(company)
    return company


def form(**changes) -> dict[str, str]:
    return {
        "entity_type": "ACCOUNT",
        "entity": "Globex",
        "period": "ALL_CONVERSATIONS",
        "question": "Is it too expensive for them?",
    } | changes


def text(page) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page.content.decode()).split())


def test_the_page_says_what_the_analyzer_is_and_offers_sample_questions(acme):
    page = signed_in(people.bob(acme)).get(ASK)

    said = text(page)
    assert "finds passages that resemble your question and quotes them" in said
    assert "does not understand negation, sarcasm or who agreed to what" in said
    assert "Asking here costs 0 credits" in said
    assert "What did they say about the price?" in said


def test_an_answer_opens_the_conversation_at_the_turn(acme):
    browser = signed_in(people.bob(acme))

    answer = browser.post(ASK, form(), follow=True)

    row = AskRequest.objects.get()
    assert answer.redirect_chain[-1][0] == reverse(
        "admin:trackers_askrequest_change", args=[row.pk]
    )
    call = Conversation.objects.get(external_id="short")
    turn = Utterance.objects.get(conversation=call, external_id="u0")
    link = f"/admin/trackers/conversation/{call.pk}/change/?turns=1#turn-{turn.pk}"
    assert f'href="{link}"' in answer.content.decode()
    assert f'id="turn-{turn.pk}"' in browser.get(link).content.decode()
    assert "That is too expensive for us." in text(answer)


def test_of_deals_that_share_a_name_the_page_tells_the_ids(acme):
    conversations.ingest(acme, asks.call("other", account={"name": "Initech"}))

    page = signed_in(people.bob(acme)).post(ASK, form(entity_type="DEAL", entity="Globex robots"))

    said = text(page)
    assert "Several deals are named “Globex robots”: " in said
    assert f"{Deal.objects.get(account__name='Initech').pk} (of Initech)" in said
    assert "Did you mean" not in said


def test_asking_at_the_page_is_a_use_of_0_at_zero_credits(acme):
    bob = people.bob(acme)

    signed_in(bob).post(ASK, form())

    event = UsageEvent.objects.get()
    assert (event.action, str(event.amount), event.user_ref) == (
        "MANUAL",
        "0.000",
        bob.public_id,
    )
    assert balances.now(company=acme).remaining == 0


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"question": " "}, "Write the question to ask."),
        ({"entity": "lobe"}, "There is no such account in your company. Did you mean “Globex”?"),
        ({"entity": "Nowhere"}, "There is no such account in your company."),
        (
            {"period": "CUSTOM_RANGE", "first_day": "2026-10-02", "last_day": "2026-10-01"},
            "Write a first day and a last day that is not before it.",
        ),
        (
            {"period": "CUSTOM_RANGE"},
            "Write a first day and a last day that is not before it.",
        ),
        ({"period": "CUSTOM_RANGE", "first_day": "May"}, "Write a day like 2026-11-01."),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_asked(acme, changes, said):
    page = signed_in(people.bob(acme)).post(ASK, form(**changes))

    assert page.status_code == 200
    assert said in text(page)
    assert not AskRequest.objects.exists()


def test_days_are_local_and_the_last_one_counts(acme):
    browser = signed_in(people.bob(acme))

    browser.post(ASK, form(period="CUSTOM_RANGE", first_day="2026-10-01", last_day="2026-10-02"))

    row = AskRequest.objects.get()
    assert (row.calls, row.emails) == (2, 0)
    assert row.since.isoformat() == "2026-09-30T22:00:00+00:00"
    assert row.until.isoformat() == "2026-10-02T22:00:00+00:00"


def test_the_page_of_an_account_leads_to_asking_about_it(acme):
    browser = signed_in(people.bob(acme))
    account = asks.account(acme)
    address = f"{ASK}?entity_type=ACCOUNT&entity={account.id}"

    page = browser.get(f"/admin/trackers/customeraccount/{account.id}/change/")

    assert address in page.content.decode().replace("&amp;", "&")
    assert 'value="Globex"' in browser.get(address).content.decode()


def test_a_tech_admin_switches_reuse_and_a_business_admin_does_not(acme):
    alice, bob = signed_in(people.alice(acme)), signed_in(people.bob(acme))

    asked = alice.get(REUSE)
    fields = dict(re.findall(r'name="([^"]+)" value="([^"]*)"', asked.content.decode()))
    done = alice.post(REUSE, fields | {"step": "confirm"}, follow=True)

    assert "Saved so far" in text(asked)
    assert "Answer reuse is on." in text(done)
    assert reuse.is_on(acme)
    assert bob.get(REUSE).status_code == 403


@pytest.mark.parametrize(
    ("is_on", "words", "said"),
    [
        (False, "Turn reuse on", "Answer reuse is on."),
        (True, "Turn reuse off", "Answer reuse is off."),
    ],
)
def test_what_switches_reuse_says_which_way(acme, is_on, words, said):
    alice = people.alice(acme)
    reuse.switch(company=acme, is_on=is_on, by=alice)
    browser = signed_in(alice)

    listed, asked = browser.get(LIST), browser.get(REUSE)
    done = browser.post(REUSE, pages.confirmation_of(asked), follow=True)

    assert pages.words_of_links(listed, REUSE) == [words]
    assert pages.confirming_button(asked) == words
    assert said in text(done)
    assert reuse.is_on(acme) is not is_on


def test_what_somebody_else_turned_on_meanwhile_is_not_turned_off_by_the_button_that_said_on(acme):
    alice, lee = people.alice(acme), people.member(acme, Role.TECH_ADMIN, "Lee")
    browser = signed_in(alice)
    asked = browser.get(REUSE)
    reuse.switch(company=acme, is_on=True, by=lee)

    again = browser.post(REUSE, pages.confirmation_of(asked))

    assert pages.confirming_button(asked) == "Turn reuse on"
    assert pages.confirming_button(again) == "Turn reuse off"
    assert reuse.is_on(acme)


def test_the_list_says_what_reuse_saved(acme):
    people.credits_for(acme, "10")
    reuse.switch(company=acme, is_on=True, by=people.alice(acme))
    asks.ask(acme)
    again = asks.ask(acme)
    browser = signed_in(people.bob(acme))

    listed = browser.get(LIST).content.decode()

    assert 'data-metric="reuse-saved" data-value="1.6"' in listed
    page = browser.get(f"{LIST}{again.pk}/change/")
    assert "Reused: this is the answer of" in text(page)


def test_a_question_that_was_erased_shows_no_words(acme):
    browser = signed_in(people.bob(acme))
    browser.post(ASK, form())
    row = AskRequest.objects.get()
    row.citations.all().delete()
    AskRequest.objects.update(question="", answer="", erased_at=row.asked_at)

    page = browser.get(f"{LIST}{row.pk}/change/")

    assert "This question and its answer were erased" in text(page)
    assert "Erased question" in text(browser.get(LIST))


def test_a_contact_is_listed_with_its_account_or_as_a_lead(acme):
    asks.conversations.ingest(
        acme,
        asks.call(
            "lead",
            account=None,
            deal=None,
            participants=[
                {"id": "c", "name": "Lea", "email": "lea@initech.example", "role": "external"}
            ],
            utterances=[],
        ),
    )
    browser = signed_in(people.bob(acme))

    page = text(browser.get("/admin/trackers/contact/"))

    assert "carl@globex.example" in page
    assert "Lead: no account" in page


def test_the_credits_page_says_what_reuse_saved(acme):
    people.credits_for(acme, "10")
    reuse.switch(company=acme, is_on=True, by=people.alice(acme))
    browser = signed_in(people.bob(acme))
    asks.ask(acme)
    before = browser.get("/admin/credits/").content.decode()

    asks.ask(acme)

    after = browser.get("/admin/credits/").content.decode()
    assert "reused-saved" not in before
    assert 'data-metric="reused-saved" data-value="1.6"' in after
