"""The database refuses previews and reviews that contradict themselves."""

from __future__ import annotations

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support import conversations, people
from tests.support.breaking import copy_refused_by, update_refused_by
from trackers import lessons
from trackers.models import (
    ConversationVectors,
    Preview,
    PreviewQuote,
    PreviewResult,
    Review,
    Utterance,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def call(acme):
    return conversations.conversation(acme, "call-1")


@pytest.fixture
def preview(acme):
    tracker = conversations.tracker(acme)
    version = tracker.versions.get()
    return Preview.objects.create(
        company=acme,
        tracker=tracker,
        version=version,
        asked=lessons.asked(version),
        conversation_count=1,
        begun_at=NOW,
        begun_by=people.alice(acme),
    )


@pytest.fixture
def result(acme, preview, call):
    return PreviewResult.objects.create(
        company=acme,
        preview=preview,
        conversation=call,
        revision=1,
        verdict="YES",
        confidence="HIGH",
        score="0.9",
    )


@pytest.fixture
def review(acme, preview, call):
    return Review.objects.create(
        company=acme,
        tracker=preview.tracker,
        version=preview.version,
        asked=preview.asked,
        conversation=call,
        revision=1,
        verdict="YES",
        score="0.9",
        is_yes=True,
        utterance=Utterance.objects.filter(conversation=call).first(),
        start=0,
        end=4,
        judged_at=NOW,
        judged_by=preview.begun_by,
    )


def test_a_preview_reads_ten_conversations_at_most_and_is_metered_when_it_is_finished(preview):
    count = "preview_reads_one_to_ten_conversations"
    assert update_refused_by(preview, conversation_count=0) == count
    assert update_refused_by(preview, conversation_count=11) == count
    metered = "preview_is_finished_if_and_only_if_it_is_metered"
    assert update_refused_by(preview, finished_at=NOW) == metered
    assert update_refused_by(preview, usage_ref=new_id()) == metered


def test_a_preview_finds_one_known_thing_in_a_conversation(result):
    assert copy_refused_by(result, id=new_id()) == "preview_reads_a_conversation_once"
    assert update_refused_by(result, verdict="MAYBE") == "preview_result_verdict_is_known"
    assert update_refused_by(result, confidence="SOME") == "preview_result_verdict_is_known"


def test_a_preview_s_quote_is_of_something_and_ranks_once(acme, result, call):
    said = Utterance.objects.filter(conversation=call).first()
    quote = PreviewQuote.objects.create(
        company=acme, result=result, rank=1, utterance=said, start=0, end=4
    )

    assert copy_refused_by(quote) == "preview_quote_rank_is_unique"
    assert update_refused_by(quote, start=4) == "preview_quote_is_not_empty"


def test_one_review_of_a_text_and_question_is_in_force(review):
    assert copy_refused_by(review, id=new_id()) == "review_in_force_is_one_per_question_and_text"
    assert update_refused_by(review, verdict="MAYBE") == "review_verdict_is_known"


def test_a_review_names_a_whole_passage_or_none_and_teaches_only_with_one(review):
    passage = "review_names_a_passage_or_none"
    assert update_refused_by(review, end=None) == passage
    assert update_refused_by(review, end=0) == passage
    assert update_refused_by(review, utterance_id=None) == passage
    nothing = {"utterance_id": None, "start": None, "end": None}
    assert (
        update_refused_by(review, is_learned=True, **nothing) == "review_that_taught_has_a_passage"
    )


def test_the_vectors_of_a_text_are_stored_once(acme, call):
    stored = ConversationVectors.objects.create(
        company=acme, conversation=call, revision=1, model="one", vectors=b"1"
    )

    assert copy_refused_by(stored, model="two") == "vectors_are_stored_once_per_text"
