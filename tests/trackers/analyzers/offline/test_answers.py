from __future__ import annotations

from dataclasses import replace

import pytest

from tests.trackers.analyzers.offline.samples import (
    PRICE_QUESTION,
    bob_says,
    calls,
    conversation,
    only,
)
from trackers.analyzers.base import AnswerType, Side, TrackerQuestion, Verdict


class TestOtherAnswers:
    TOPIC = TrackerQuestion(
        id="topic",
        text="What did the customer complain about?",
        answer_type=AnswerType.CATEGORY,
        choices=("the price", "crashes of the tool", "the weather"),
        side=Side.CUSTOMER,
    )

    @pytest.mark.parametrize(
        ("line", "choice"),
        [
            ("Honestly, the price is far too high for us.", "the price"),
            ("The tool crashes every morning.", "crashes of the tool"),
            ("Such awful weather, it rains again.", "the weather"),
            ("My name is Bob.", "none"),
        ],
    )
    def test_a_category_is_the_best_choice_or_none(self, analyzer, line, choice):
        calibration = analyzer.calibrate([self.TOPIC], calls(60))

        finding = only(analyzer, conversation(bob_says(line)), self.TOPIC, calibration)

        assert finding.answer == choice
        assert finding.verdict is (Verdict.NO if choice == "none" else Verdict.YES)
        assert [passage.quote for passage in finding.evidence] == (
            [] if choice == "none" else [line]
        )

    def test_a_category_without_choices_is_none(self, analyzer):
        question = replace(self.TOPIC, choices=())

        finding = only(analyzer, calls(1)[0], question, analyzer.calibrate([question], calls(60)))

        assert (finding.answer, finding.verdict) == ("none", Verdict.NO)

    def test_a_text_answer_joins_the_quotes(self, analyzer):
        question = replace(PRICE_QUESTION, answer_type=AnswerType.TEXT)
        calibration = analyzer.calibrate([question], calls(80))

        finding = only(analyzer, calls(161)[160], question, calibration)

        assert finding.answer == " … ".join(passage.quote for passage in finding.evidence)

    def test_a_text_that_is_not_there_is_empty(self, analyzer):
        question = replace(PRICE_QUESTION, answer_type=AnswerType.TEXT)
        calibration = analyzer.calibrate([question], calls(80))

        finding = only(analyzer, conversation(bob_says("That looks tidy.")), question, calibration)

        assert (finding.verdict, finding.answer) == (Verdict.NO, "")
