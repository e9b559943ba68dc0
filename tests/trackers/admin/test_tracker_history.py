"""A tracker's history says what was asked before and after, as its versions say it today."""

from __future__ import annotations

import html
from dataclasses import replace

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.trackers.admin.conftest import signed_in
from trackers import configuring, mentions, publishing
from trackers.configuring import Question, Settings
from trackers.mentions import Person
from trackers.models import Tracker

pytestmark = pytest.mark.django_db

PRICE = Question(question="Did they object to the price?", details="Any price.", side="CUSTOMER")
DISCOUNT = replace(
    PRICE,
    question="Did they ask for a <b>discount</b>?",
    details="",
    side="ANY",
    answer_type="CATEGORY",
    choices=("price", "time"),
)


@pytest.fixture
def alice(world):
    return signed_in(world.alice)


def saved(world, question, tracker=None) -> Tracker:
    return configuring.save(
        company=world.acme,
        tracker_id=tracker and tracker.pk,
        edit_number=tracker and tracker.edit_number,
        settings=Settings(name="Prices"),
        question=question,
        by=world.bob,
        now=timezone.now(),
    )


def published(world, tracker) -> Tracker:
    return publishing.publish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=world.alice, now=timezone.now()
    )


def history(client, tracker) -> list[list[str]]:
    """Return what each row says, newest first."""
    address = reverse("admin:trackers_tracker_history", args=[tracker.pk])
    return [row.changes for row in client.get(address).context["rows"]]


def test_a_version_that_came_into_force_says_what_it_asks_and_what_was_asked_before(world, alice):
    tracker = published(world, saved(world, PRICE))
    tracker = published(world, saved(world, DISCOUNT, tracker))

    assert history(alice, tracker)[0] == [
        "Version 2 came into force.",
        "Question: Did they object to the price? → Did they ask for a <b>discount</b>?",
        "Additional details: Any price. → none",
        "Answer type: Yes or no → One of several choices",
        "Choices: none → price; time",
        "Whose words: Customer → Anyone",
    ]


def test_a_question_that_waits_as_a_draft_is_compared_with_the_one_in_force(world, alice):
    tracker = published(world, saved(world, PRICE))
    tracker = saved(world, replace(PRICE, question="Did they hesitate?"), tracker)
    tracker = saved(world, replace(PRICE, question="Did they refuse the price?"), tracker)

    # What was drafted in between is kept nowhere.
    assert history(alice, tracker)[:2] == [
        [
            "The question was changed.",
            "Question, since version 1: Did they object to the price? → Did they refuse the price?",
        ],
        ["The question was changed."],
    ]


def test_a_draft_keeps_its_words_in_the_history_once_it_is_in_force(world, alice):
    tracker = published(world, saved(world, PRICE))
    tracker = published(world, saved(world, replace(PRICE, question="Refused?"), tracker))
    tracker = saved(world, replace(PRICE, question="Agreed?"), tracker)

    said = [row[-1] for row in history(alice, tracker)]

    assert said == [
        "Question, since version 2: Refused? → Agreed?",
        "Question: Did they object to the price? → Refused?",
        "Question, since version 1: Did they object to the price? → Refused?",
        "Version 1 came into force.",
        "Created.",
    ]


def test_a_draft_that_was_taken_back_leaves_no_words(world, alice):
    tracker = published(world, saved(world, PRICE))
    tracker = saved(world, replace(PRICE, question="Did they hesitate?"), tracker)
    tracker = saved(world, PRICE, tracker)

    assert history(alice, tracker)[:2] == [["The question was changed."]] * 2


def test_keywords_are_compared_as_words_to_look_for(world, alice):
    tracker = published(world, saved(world, Question(kind="KEYWORD", terms=("price",))))
    words = Question(kind="KEYWORD", terms=("price", "cost"), related_forms=True)
    tracker = published(world, saved(world, words, tracker))

    assert history(alice, tracker)[0][1:] == [
        "Terms: price → price; cost",
        "Other forms of a word: no → yes",
    ]


def test_no_markup_of_a_question_reaches_the_page(world, alice):
    tracker = published(world, saved(world, PRICE))
    tracker = saved(world, DISCOUNT, tracker)

    page = alice.get(reverse("admin:trackers_tracker_history", args=[tracker.pk])).content.decode()

    assert "<b>discount" not in page
    assert "Did they ask for a <b>discount</b>?" in html.unescape(page)


def test_an_erasure_reaches_what_the_history_says_of_a_question(world, alice):
    named = replace(PRICE, question="Did carl@globex.example object?", details="")
    tracker = published(world, saved(world, named))
    tracker = published(world, saved(world, replace(named, question="Did they agree?"), tracker))

    mentions.erase(company=world.acme, person=Person(("carl@globex.example",)))

    assert history(alice, tracker)[0][1] == "Question: Did [erased] object? → Did they agree?"
    assert "carl" not in str(history(alice, tracker))


def test_the_history_takes_as_many_queries_for_many_versions_as_for_two(
    world, alice, django_assert_max_num_queries
):
    tracker = published(world, saved(world, PRICE))
    tracker = published(world, saved(world, replace(PRICE, question="Question 0?"), tracker))
    history(alice, tracker)
    with django_assert_max_num_queries(40) as few:
        history(alice, tracker)
    for number in range(1, 6):
        asked = replace(PRICE, question=f"Question {number}?")
        tracker = published(world, saved(world, asked, tracker))

    with django_assert_max_num_queries(40) as many:
        assert len(history(alice, tracker)) == 14
    assert len(many) == len(few)
