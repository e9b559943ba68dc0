"""The database refuses suggestions and kept changes that contradict themselves (SPEC §6)."""

from __future__ import annotations

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support import conversations
from tests.support.breaking import copy_refused_by, update_refused_by
from trackers.models import AdviceRun, Narrowing, Suggestion

pytestmark = pytest.mark.django_db


@pytest.fixture
def run(acme):
    return AdviceRun.objects.create(company=acme, computed_at=timezone.now())


@pytest.fixture
def suggestion(acme, run):
    return Suggestion.objects.create(
        company=acme,
        run=run,
        tracker=conversations.tracker(acme),
        kind="EMAILS",
        edit_number=1,
        conversations_before=4,
        conversations_after=3,
        credits_before=2,
        credits_after=1,
        read_count=4,
        found_count=1,
    )


def test_a_company_has_one_advice_run(run):
    assert copy_refused_by(run, id=new_id()) == "company_has_one_advice_run"


def test_a_tracker_has_one_suggestion_of_a_kind(suggestion):
    assert copy_refused_by(suggestion, id=new_id()) == "tracker_has_one_suggestion_of_a_kind"


def test_a_suggestion_saves_credits(suggestion):
    assert update_refused_by(suggestion, credits_after=2) == "suggestion_saves_credits"
    assert update_refused_by(suggestion, credits_after=-1) == "suggestion_saves_credits"


def test_a_suggestion_names_its_filter_if_it_is_one_and_no_other(suggestion):
    rule = "suggestion_of_a_filter_names_it"
    assert update_refused_by(suggestion, kind="FILTER") == rule
    assert update_refused_by(suggestion, kind="FILTER", field="DEAL_STAGE") == rule
    assert update_refused_by(suggestion, kind="NO_FILTER", values=["won"], field="X") == rule
    assert update_refused_by(suggestion, field="DEAL_STAGE", values=["won"]) == rule


def test_a_suggestion_names_the_tracker_that_another_repeats_and_no_other(suggestion):
    rule = "suggestion_of_a_duplicate_names_the_other"
    assert update_refused_by(suggestion, kind="DUPLICATE") == rule
    assert update_refused_by(suggestion, twin_id=suggestion.tracker_id) == rule
    assert update_refused_by(suggestion, twin_edit_number=1) == rule
    twin = {"kind": "DUPLICATE", "twin_id": suggestion.tracker_id}
    assert update_refused_by(suggestion, **twin) == rule


def test_a_suggestion_loses_no_more_than_was_found_in_what_was_read(suggestion):
    rule = "suggestion_counts_fit_each_other"
    assert update_refused_by(suggestion, lost_count=2) == rule
    assert update_refused_by(suggestion, found_count=5) == rule


def test_a_change_of_a_tracker_is_kept_once(acme):
    kept = Narrowing.objects.create(
        company=acme,
        tracker=conversations.tracker(acme),
        edit_number=2,
        calls_before=True,
        emails_before=False,
        filters_before=[],
        made_at=timezone.now(),
    )

    assert copy_refused_by(kept, id=new_id()) == "narrowing_is_one_change_of_a_tracker"
