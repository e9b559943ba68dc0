"""The database refuses briefs and runs that contradict themselves."""

from __future__ import annotations

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support import briefs as support
from tests.support import conversations, people
from tests.support.breaking import copy_refused_by, update_refused_by
from tests.support.briefs import NEWS, RISKS, ScriptedSearch
from trackers import web_search

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(acme, monkeypatch, settings):
    """A charged run of two sections: a page of the web, and a quoted question."""
    settings.WEB_SEARCH = "tests.support.briefs.ScriptedSearch"
    monkeypatch.setattr(web_search, "in_use", ScriptedSearch)
    people.credits_for(acme, "20")
    conversations.ingest(acme, conversations.record("one"))
    question = support.Section(RISKS.kind, RISKS.title, "What is too expensive?")
    brief = support.brief(acme, people.alice(acme), NEWS, question)
    return support.run(support.program(acme), brief)


def test_a_brief_is_what_it_says(run):
    brief, now = run.brief, timezone.now()

    assert copy_refused_by(brief, id=new_id()) == "brief_name_is_unique_in_a_company"
    assert update_refused_by(brief, entity_type="TEAM") == "brief_entity_type_is_known"
    assert (
        update_refused_by(brief, created_at=now + people.days(1))
        == "brief_is_changed_after_it_was_made"
    )


def test_a_section_has_what_its_kind_needs_and_a_place(run):
    section = run.brief.sections.get(kind="CONVERSATIONS")
    rule = "brief_section_has_what_its_kind_needs"

    assert copy_refused_by(section, id=new_id()) == "brief_section_has_one_place"
    assert update_refused_by(section, question="") == rule
    assert update_refused_by(section, kind="TRACKER") == rule
    assert update_refused_by(section, kind="NEWS") == rule
    assert update_refused_by(section, title="") == "brief_section_has_a_title"


def test_a_run_is_about_one_entity_and_costs_at_most_its_estimate(run):
    rule = "brief_run_costs_no_more_than_its_estimate"

    assert update_refused_by(run, account_id=None) == "brief_run_is_about_what_its_type_says"
    assert update_refused_by(run, entity_type="DEAL") == "brief_run_is_about_what_its_type_says"
    assert update_refused_by(run, period="SOMETIME") == "brief_run_period_is_known"
    assert update_refused_by(run, credits=run.estimate + 1) == rule
    assert update_refused_by(run, action="CONTINUOUS") == rule
    assert update_refused_by(run, action="MANUAL", estimate=0, credits=0) == (
        "brief_run_by_hand_names_its_person"
    )
    assert update_refused_by(run, erased_at=timezone.now()) == (
        "brief_run_that_is_erased_holds_no_facts"
    )


def test_a_result_is_charged_only_when_it_is_done(run):
    result = run.results.get(kind="CONVERSATIONS")
    rule = "brief_result_is_charged_when_done"

    assert copy_refused_by(result, id=new_id()) == "brief_result_has_one_place"
    assert update_refused_by(result, usage_ref=None) == rule
    assert update_refused_by(result, state="PENDING") == rule
    assert update_refused_by(result, kind="TRACKER") == rule
    assert update_refused_by(result, credits=result.estimate + 1) == (
        "brief_result_costs_no_more_than_its_estimate"
    )
    assert update_refused_by(result, reason="Because.") == "brief_result_says_why_it_is_missing"


def test_citations_and_pages_have_their_rank(run):
    citation = run.results.get(kind="CONVERSATIONS").citations.first()
    page = run.results.get(kind="WEB").pages.get()

    assert copy_refused_by(citation) == "brief_citation_has_its_rank"
    assert update_refused_by(citation, end=citation.start) == "brief_citation_is_not_empty"
    assert copy_refused_by(page) == "brief_page_has_its_rank"
