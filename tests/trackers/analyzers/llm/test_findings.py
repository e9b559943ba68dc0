"""What is made of an answer: a yes only with words that were said, pieces put together."""

from __future__ import annotations

import pytest

from tests.support.language_models import (
    answering,
    found,
    verdict,
    well,
)
from tests.trackers.analyzers.llm.texts import OBJECTION, call, question, read
from trackers.analyzers.base import (
    AnswerType,
    Side,
)

LONG = call(
    *(("rep", f"Point {at} of our proposal is the delivery.") for at in range(30)),
    ("customer", "That is too expensive for us."),
)


def test_several_questions_of_one_side_are_one_request_and_others_another(analyzer, server):
    asked = [question("a"), question("b"), question("rep", Side.REP), question("c")]

    findings = read(analyzer, OBJECTION, *asked)

    assert [one.question_id for one in findings] == ["a", "b", "rep", "c"]
    assert [len(one.questions) for one in server.requests] == [3, 1]


def test_where_nobody_of_the_side_spoke_nothing_is_sent(analyzer, server):
    (finding,) = read(analyzer, call(("rep", "Hello?")))

    assert (finding.verdict, server.requests) == ("NO", [])


@pytest.mark.parametrize(
    "evidence",
    [
        [],
        None,
        "That is too expensive for us",
        [{"utterance_id": "u2", "quote": "We love it and sign today."}],
        # Said, but by somebody else, on another line, or on none that was sent.
        [{"utterance_id": "u1", "quote": "Here is our proposal."}],
        [{"utterance_id": "u1", "quote": "That is too expensive for us"}],
        [{"utterance_id": "u9", "quote": "That is too expensive for us"}],
        [{"utterance_id": 2, "quote": "That is too expensive for us"}],
        ["u2"],
    ],
)
def test_a_yes_without_words_that_were_said_is_unsure_and_no_hit(analyzer, server, evidence):
    answer = verdict("t1", "yes", 1.0) | {"evidence": evidence}
    server.always = answering({"answers": [answer]})

    (finding,) = read(analyzer)

    assert (finding.verdict, finding.answer, finding.evidence) == ("UNSURE", "UNSURE", ())
    assert (finding.score, finding.confidence) == (0.5, "LOW")


def test_of_a_model_that_invents_without_end_only_the_first_quotes_are_looked_for(analyzer, server):
    said = {"utterance_id": "u2", "quote": "That is too expensive for us"}
    invented = [said | {"quote": f"We love number {at}."} for at in range(12)]
    server.always = answering({"answers": [verdict("t1", "yes") | {"evidence": [*invented, said]}]})

    (finding,) = read(analyzer)

    assert finding.verdict == "UNSURE"


@pytest.mark.parametrize(
    ("value", "answer"),
    [
        ("They said “too expensive for us”.", "They said “too expensive for us”."),
        ("They said “we gladly pay double”.", ""),
        ("They said ‘we pay’.", ""),
    ],
)
def test_an_answer_in_words_that_quotes_what_nobody_said_is_not_shown(
    analyzer, server, value, answer
):
    yes = found("t1", "u2", "too expensive for us") | {"value": value}
    server.always = answering({"answers": [yes]})

    (finding,) = read(analyzer, OBJECTION, question("a", answer_type=AnswerType.TEXT))

    assert (finding.verdict, finding.answer) == ("YES", answer)
    assert [one.quote for one in finding.evidence] == ["too   expensive for us"]


@pytest.mark.parametrize(
    "sure",
    [None, "high", True, -3, 1e400, float("nan"), 10**400],
    ids=["none", "text", "truth", "negative", "infinite", "not a number", "enormous"],
)
def test_a_confidence_that_is_none_is_no_error(analyzer, server, sure):
    server.always = answering({"answers": [verdict("t1", "no", sure)]})

    (finding,) = read(analyzer)

    assert finding.verdict == "NO"
    assert 0 <= finding.score <= 0.5


def test_a_choice_is_one_of_the_trackers_own_or_unsure(analyzer, server):
    asked = question(answer_type=AnswerType.CATEGORY, choices=("Price", "Time"))

    def chose(value):
        said = {"utterance_id": "u2", "quote": "That is too expensive for us"}
        answer = verdict("t1", "yes") | {"value": value, "evidence": [said]}
        server.always = answering({"answers": [answer]})
        (finding,) = read(analyzer, OBJECTION, asked)
        return finding.verdict, finding.answer

    assert chose("price ") == ("YES", "Price")
    assert chose("Weather") == ("UNSURE", "none")


def test_any_piece_that_says_yes_makes_it_a_yes(analyzer_at, server):
    (finding,) = read(analyzer_at(chunk_tokens=200), LONG)

    assert finding.verdict == "YES"
    # Pieces in which the customer says nothing are not sent.
    assert len(server.requests) == 1


def test_where_one_piece_is_unsure_the_whole_is_never_a_no(analyzer_at, server):
    long = call(*(("customer", f"Point {at} is about the weather.") for at in range(60)))
    server.script = [well, answering({"answers": [verdict("t1", "unsure")]})]

    (finding,) = read(analyzer_at(chunk_tokens=300), long)

    assert len(server.requests) > 2
    assert finding.verdict == "UNSURE"


def test_one_piece_that_cannot_be_told_keeps_the_call_from_being_a_no(analyzer_at, server):
    server.script = [
        answering({"answers": [verdict("t1", "no", 0.0)]}),
        answering({"answers": [verdict("t1", "unsure", 0.0)]}),
    ]
    server.always = answering({"answers": [verdict("t1", "no", 0.0)]})
    words = "We talk about the delivery of all of it. " * 8
    long = call(*(("customer", words) for _ in range(6)))

    (finding,) = read(analyzer_at(chunk_tokens=200), long)

    assert len(server.requests) > 2
    assert finding.verdict == "UNSURE"


def test_more_questions_than_a_model_can_keep_apart_are_several_requests(analyzer, server):
    read(analyzer, OBJECTION, *(question(f"q{at}") for at in range(9)))

    assert [len(one.questions) for one in server.requests] == [8, 1]


def test_of_many_examples_a_few_go_with_the_question(analyzer, server):
    many = tuple(f"{at} " + "It is too expensive. " * 30 for at in range(20))

    read(analyzer, OBJECTION, question("a", examples=many, counter_examples=many))

    (asked,) = server.requests[0].questions
    for kind in ("would_be_yes", "would_be_no"):
        assert [len(one) for one in asked[kind]] == [200] * 8
