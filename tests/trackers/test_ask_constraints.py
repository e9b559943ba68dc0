"""The database refuses contacts, questions and citations that contradict themselves."""

from __future__ import annotations

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support import asks, people
from tests.support.breaking import copy_refused_by, update_refused_by
from trackers import reuse
from trackers.models import AskCitation, Contact

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    asks.globex(company)
    people.credits_for(company, "10")
    return company


@pytest.fixture
def asked(acme):
    return asks.ask(acme, "Is it too expensive for them?")


def test_an_address_is_one_contact(asked):
    contact = Contact.objects.get()

    refused = copy_refused_by(contact, id=new_id())

    assert refused == "contact_email_is_unique_in_a_company"


def test_a_question_is_about_what_its_type_says(asked):
    rule = "ask_is_about_what_its_type_says"
    contact = Contact.objects.get()

    assert update_refused_by(asked, entity_type="DEAL") == rule
    assert update_refused_by(asked, account_id=None) == rule
    assert update_refused_by(asked, contact_id=contact.pk) == rule
    assert update_refused_by(asked, entity_type="PLANET") == rule


def test_a_question_has_a_period_and_its_span(asked):
    assert update_refused_by(asked, period="LAST_DECADE") == "ask_period_is_known"
    assert (
        update_refused_by(asked, since=timezone.now(), until=asked.asked_at - people.days(9))
        == "ask_span_ends_after_it_starts"
    )


def test_a_question_costs_what_its_action_says(acme, asked):
    rule = "ask_costs_what_its_action_says"
    reuse.switch(company=acme, is_on=True, by=people.alice(acme))
    again = asks.ask(acme, "Is it too expensive for them?")

    assert update_refused_by(asked, action="MANUAL") == rule
    assert update_refused_by(asked, action="BACKFILL") == rule
    assert update_refused_by(asked, credits="-1") == rule
    assert update_refused_by(asked, saved="1") == rule
    assert update_refused_by(again, credits="1") == rule
    assert update_refused_by(again, reused_from_id=None) == rule


def test_an_erased_question_holds_no_words(asked):
    assert update_refused_by(asked, erased_at=timezone.now()) == "ask_that_is_erased_holds_no_words"


def test_a_citation_is_a_passage_at_its_rank(asked):
    citation = AskCitation.objects.get(ask=asked, rank=1)

    assert copy_refused_by(citation) == "ask_citation_has_its_rank"
    rule = "ask_citation_is_a_passage"
    assert update_refused_by(citation, end=citation.start) == rule
    assert update_refused_by(citation, rank=0) == rule
    assert update_refused_by(citation, first_position=citation.last_position + 1) == rule
