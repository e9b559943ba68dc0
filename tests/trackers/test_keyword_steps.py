"""One word is found however people write it: with a hyphen, joined, possessive, in the plural."""

from __future__ import annotations

import pytest

from tests.trackers.test_keywords import CUSTOMER, call, found
from trackers import keyword_steps, keywords
from trackers.keyword_steps import Stems
from trackers.keywords import Matcher


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("set-up, set up, setup, SET‐UP", "set-up", ["set-up", "set up", "setup", "SET‐UP"]),
        ("set-up, set up, setup", "setup", ["set-up", "setup"]),
        ("set-up, set up, setup", "set up", ["set-up", "set up"]),
        ("an e-mail address", "email", ["e-mail"]),
        ("an e-mail address", "email address", ["e-mail address"]),
        ("an email-address", "e-mail address", ["email-address"]),
        ("an e-mail-address", "email address", ["e-mail-address"]),
        ("an e-mail-address", "address", ["address"]),
        ("state-of-the-art", "state of the art", ["state-of-the-art"]),
        ("in-house-made", "inhousemade", ["in-house-made"]),
        ("the covid-19 year", "covid19", ["covid-19"]),
        ("an e mail", "email", []),
        ("an e - mail", "email", []),
        ("Type e. Mail it.", "email", []),
        ("Type e-\nmail it.", "email", []),
        ("3-5 days, 35 days", "35", ["35"]),
        ("35 days", "3-5", []),
        ("an e-mailbox", "email", []),
        ("setups", "set-up", []),
    ],
)
def test_a_hyphen_makes_no_difference(text, term, expected):
    assert found(text, term) == expected


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("two setups, set-ups", "set-up", ["setups", "set-ups"]),
        ("e-mails", "email", ["e-mails"]),
        ("follow-ups", "followup", ["follow-ups"]),
        (
            "the customers' wish, a customer, the customer’s",
            "customer's",
            ["customers", "customer", "customer’s"],
        ),
        ("a customer's wishes", "customer's wish", ["customer's wishes"]),
        ("a customer wish", "customers' wish", ["customer wish"]),
        ("my customer's wish", "customer wish", ["customer's wish"]),
        ("the e-mail's subject", "email subject", ["e-mail's subject"]),
        ("Is it so? It's so. Its use.", "it's", ["It's"]),
        ("They let us. Let’s go.", "let's", ["Let’s"]),
        ("A customer, S or M", "customer s", ["customer, S"]),
    ],
)
def test_with_other_forms_a_possessive_is_its_word_and_a_compound_has_a_plural(
    text, term, expected
):
    assert found(text, term, forms=True) == expected


def test_without_other_forms_a_possessive_is_as_it_is_written():
    assert found("a customer, the customer’s", "customer's") == ["customer’s"]
    assert found("a customer’s wish", "customer wish") == []


@pytest.mark.parametrize(
    ("text", "term", "expected"),
    [
        ("two analyses, an analysis", "analysis", ["analyses", "analysis"]),
        ("two analyses, an analysis", "analyses", ["analyses", "analysis"]),
        ("She analyses.", "analyse", ["analyses"]),
        ("gap-analyses", "gap analysis", ["gap-analyses"]),
        ("on this basis, the bases, a base", "basis", ["basis", "bases"]),
        ("these theses", "thesis", ["theses"]),
        ("noises, buses, taxes", "noisy", []),
        ("noises, buses, taxes", "busy", []),
        ("noises, buses, taxes", "taxis", []),
    ],
)
def test_words_like_analysis_have_their_plural_and_others_keep_theirs(text, term, expected):
    assert found(text, term, forms=True) == expected


def test_that_plural_is_english():
    assert found("two analyses", "analysis", forms=True, language="de") == []


@pytest.mark.parametrize("forms", [False, True])
def test_the_four_turkish_i_are_one_letter_in_every_language(forms):
    text = "IŞIK, ışık, Işık; İSTANBUL, istanbul"

    for language in ("tr", "en", "ja"):
        assert found(text, "ışık", forms=forms, language=language) == ["IŞIK", "ışık", "Işık"]
        assert found(text, "İstanbul", forms=forms, language=language) == ["İSTANBUL", "istanbul"]


def test_capitals_of_a_turkish_word_have_its_forms_and_stand_where_they_are_quoted():
    said = call((CUSTOMER, "İyi günler. FİYATIMIZ yüksek."), language="tr")

    finding = Matcher(["fiyat"], related_forms=True).read("q", said)

    assert [one.quote for one in finding.evidence] == ["FİYATIMIZ yüksek."]
    assert found("IŞIKLAR, ışıklar", "ışık", forms=True, language="tr") == ["IŞIKLAR", "ışıklar"]


def test_a_term_has_no_more_ways_than_are_worth_their_room():
    term = "houses-a " * 5 + "analyses " * 5
    stems = Stems("en", related_forms=True)

    ways = list(keyword_steps.ways_to_say(term, keywords.words_of(term), stems))

    assert len(ways) == 64
    assert ways[0] == ("hous", "a") * 5 + ("analys",) * 5
