from __future__ import annotations

import pytest

from trackers.analyzers.offline import lexicon, questions


@pytest.mark.parametrize(
    ("question", "topic"),
    [
        ("Did the customer ask about the price?", "price?"),
        ("Is the e-mail about a delayed delivery?", "delayed delivery?"),
        ("Which competitors were named?", "Which competitors were named?"),
        ("Did the rep say anything?", "anything?"),
        ("Did they ask?", "Did they ask?"),
        ("", ""),
    ],
)
def test_a_topic_is_what_follows_the_frame(question, topic):
    assert questions.topic(question) == topic


def test_somebody_asking_is_expected_to_sound_like_a_question():
    ordinary = lexicon.form(lexicon.tokens("We sell software."))

    asked = questions.expected_form("Did the customer ask about the price?", ordinary)
    told = questions.expected_form("Did the rep explain the price?", ordinary)

    assert asked[lexicon.FORM_ASKING].tolist() == [1.0, 1.0]
    assert told.tolist() == ordinary.tolist()


def test_terms_keep_pairs_and_forget_endings_and_figures():
    words = lexicon.tokens("Booking costs $20, doesn\u2019t it?")

    stemmed = lexicon.stems(words)

    assert stemmed == ["book", "cost", "$", "#", "doesn't", "it", "?"]
    assert "book cost" in lexicon.terms(stemmed)


def test_a_query_has_each_stem_that_can_find_something_once():
    assert lexicon.query("prices, the price or pricing?") == ["pric", "price"]
