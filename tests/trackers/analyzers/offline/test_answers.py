from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from tests.trackers.analyzers.offline.samples import (
    PRICE_QUESTION,
    bob_says,
    calls,
    conversation,
    only,
)
from trackers.analyzers.base import AnswerType, Side, TrackerQuestion, Verdict
from trackers.analyzers.offline.answers import Choice, judge_choices


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

    @pytest.mark.parametrize(
        ("best", "verdict"),
        [(0.31, "YES"), (0.3, "YES"), (0.299, "UNSURE"), (0.25, "UNSURE"), (0.249, "NO")],
    )
    def test_a_choice_just_below_the_threshold_is_unsure(self, best, verdict):
        nothing = np.zeros(1)
        ranked = [Choice("the price", best, nothing), Choice("crashes", 0.1, nothing)]

        assert judge_choices(ranked, None)[0].value == verdict

    def test_an_unsure_category_names_its_choice_and_quotes_it(self, analyzer):
        line = "Honestly, the price is far too high for us."
        calibration = analyzer.calibrate([self.TOPIC], calls(60))
        sure = only(analyzer, conversation(bob_says(line)), self.TOPIC, calibration)
        strict = replace(self.TOPIC, threshold=sure.score + 0.01)

        finding = only(analyzer, conversation(bob_says(line)), strict, calibration)

        assert (finding.verdict, finding.answer) == (Verdict.UNSURE, "the price")
        assert [passage.quote for passage in finding.evidence] == [line]

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
