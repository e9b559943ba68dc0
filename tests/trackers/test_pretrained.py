"""The shipped set: enough of it, whole, and never changed under a code that trackers name."""

from __future__ import annotations

import pytest

from trackers import keywords, pretrained, wording
from trackers.configuring import Question

# A question that changed would be another version of trackers that are published already.
QUESTIONS = {
    "price-asked": ("CUSTOMER", "Did the customer ask what something costs?"),
    "price-objection": ("CUSTOMER", "Did the customer object to the price?"),
    "discount-asked": ("CUSTOMER", "Did the customer ask for a discount or better terms?"),
    "budget": ("CUSTOMER", "Did the customer talk about their budget?"),
    "other-vendor": ("CUSTOMER", "Did the customer name or compare another vendor?"),
    "alternatives-asked": (
        "CUSTOMER",
        "Did the customer ask for a different option than the one offered?",
    ),
    "decision-process": ("CUSTOMER", "Did the customer say who decides or has to approve?"),
    "timeline": ("CUSTOMER", "Did the customer say when they want to buy or start?"),
    "next-step": ("ANY", "Was a next step agreed on?"),
    "refusal": ("CUSTOMER", "Did the customer refuse or turn down what was offered?"),
    "cancellation": ("CUSTOMER", "Did the customer say they want to cancel or leave?"),
    "complaint": ("CUSTOMER", "Did the customer complain about the product or the service?"),
    "failure": ("REP", "Did our rep say that something failed or cannot be done?"),
    "praise": ("CUSTOMER", "Did the customer praise the product, the service or our people?"),
    "about-us": ("CUSTOMER", "Did the customer ask who we are or what our organisation does?"),
    "how-to-begin": (
        "CUSTOMER",
        "Did the customer ask how to order, pay or begin, or what happens then?",
    ),
    "customer-story": ("REP", "Did our rep tell a story of their own or of another customer?"),
    "security": ("CUSTOMER", "Did the customer ask about security or data protection?"),
    "integration": ("CUSTOMER", "Did the customer ask whether it works with other systems?"),
    "legal-terms": ("ANY", "Is it about legal advice or the terms of a contract?"),
    "meeting": ("ANY", "Is a meeting, a call or a trip being arranged?"),
}


def test_codes_and_questions_stay_as_they_were_shipped():
    found = {code: (one.side, one.question) for code, one in pretrained.shipped().items()}

    assert {code: found[code] for code in QUESTIONS} == QUESTIONS
    assert len(found) >= 10


@pytest.mark.parametrize("code", pretrained.shipped())
def test_each_has_phrases_of_its_own(code):
    one = pretrained.shipped()[code]

    assert 10 <= len(one.examples) == len({text.casefold() for text in one.examples})
    assert len(one.counter_examples) >= 5
    assert not set(one.examples) & set(one.counter_examples)
    assert all(keywords.words_of(text) for text in (*one.examples, *one.counter_examples))
    assert len(code) <= 40


def test_what_is_not_shipped_has_no_examples():
    assert pretrained.examples_of("gone") == ((), ())
    assert pretrained.edition() == 1


@pytest.mark.parametrize(
    ("question", "expected"),
    [
        ("Price?", "“Price?” is broad and may be found in nearly every conversation."),
        ("Did the customer ask about anything?", "is broad and may be found in nearly every"),
        ("Price too high? Budget too small?", "This asks several things at once."),
        ("Did they ask about " + "the price of it and " * 20, "This question is long."),
    ],
)
def test_a_broad_question_gets_a_hint_that_says_what_to_write(question, expected):
    said = wording.hints(Question(question=question, side="CUSTOMER"), example_count=10)

    assert [expected in one for one in said].count(True) == 1


def test_a_good_question_gets_no_hint():
    for example in wording.EXAMPLES:
        assert wording.hints(Question(question=example, side="CUSTOMER"), example_count=10) == []


def test_a_question_about_the_customer_that_reads_everyone_gets_a_hint():
    question = Question(question="Did the customer object to the price?", side="ANY")

    assert wording.hints(question, example_count=3) == [
        (
            "This asks about the customer and reads everyone's words. Choose “Customer” under "
            "whose words, and our rep's own phrases are not found."
        ),
        (
            "The built-in analyser goes by example phrases: there are 3, and with 10 to 20 it "
            "finds more of what you mean."
        ),
    ]


def test_common_words_as_keywords_get_a_hint():
    question = Question(kind="KEYWORD", terms=("the", "a", "price", "you and me"))

    assert wording.hints(question) == [
        (
            "“the” and “a” and “you and me” may be said in nearly every conversation. "
            "Write a rarer word or a phrase."
        )
    ]


def test_a_question_is_built_from_a_phrase_and_its_subject():
    assert wording.built("customer-asked-for", " a discount? ") == (
        "Did the customer ask for a discount?"
    )
    assert wording.built("customer-asked-for", " ") == ""
    assert wording.built("unknown", "a discount") == ""
    assert wording.built("customer-asked-for", "{0.__class__} %s") == (
        "Did the customer ask for {0.__class__} %s?"
    )
