"""Answers in words: the best choice of a category, the quotes that answer a text question."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import AnswerType, Confidence, Evidence, Verdict
from trackers.analyzers.offline import lexicon
from trackers.analyzers.offline.embedding import Embedder, unit
from trackers.analyzers.offline.examples import row_sums
from trackers.analyzers.offline.reading import Reading
from trackers.analyzers.offline.scorers import BEST_COUNT, SCORE_DIGITS, QuestionScorer

NONE = "none"
QUOTE_SEPARATOR = " … "
# On conversations about something else the best of fourteen choices stays below this in 95 of
# 100.
CHOICE_SCORE_MIN = 0.3
# Up to this far below nothing is decided. How far is a choice, not a measurement.
CHOICE_UNSURE_MARGIN = 0.05
CHOICE_LEAD_HIGH = 0.3
CHOICE_LEAD_MEDIUM = 0.1
_WORD_SHARE = 0.5


@dataclass(frozen=True, slots=True)
class Choice:
    """How much the passages resemble a choice; ``score`` is that of the best passages."""

    name: str
    score: float
    passage_scores: NDArray[np.float64]


def in_words(answer_type: AnswerType, verdict: Verdict, evidence: Sequence[Evidence]) -> str:
    """Return the verdict, or the quotes for a text question; empty when it is not answered."""
    if answer_type is not AnswerType.TEXT:
        return verdict.value
    if verdict is Verdict.NO:
        return ""
    return QUOTE_SEPARATOR.join(passage.quote for passage in evidence)


def rank_choices(
    names: Sequence[str], reading: Reading, scorer: QuestionScorer, embedder: Embedder | None
) -> list[Choice]:
    """Order the choices by how much the passages resemble them; equals stay in order."""
    choices = [_choice(name, reading, scorer, embedder) for name in names]
    return sorted(choices, key=lambda choice: -choice.score)


def judge_choices(ranked: Sequence[Choice], threshold: float | None) -> tuple[Verdict, Confidence]:
    """Judge whether the first choice is the answer, and how far it leads the second.

    A score just below the threshold is unsure.
    """
    limit = CHOICE_SCORE_MIN if threshold is None else threshold
    if not ranked or ranked[0].score < limit - CHOICE_UNSURE_MARGIN:
        return Verdict.NO, Confidence.MEDIUM
    if ranked[0].score < limit:
        return Verdict.UNSURE, Confidence.LOW
    lead = ranked[0].score - (ranked[1].score if len(ranked) > 1 else 0.0)
    if lead >= CHOICE_LEAD_HIGH:
        return Verdict.YES, Confidence.HIGH
    return Verdict.YES, Confidence.MEDIUM if lead >= CHOICE_LEAD_MEDIUM else Confidence.LOW


def _choice(
    name: str, reading: Reading, scorer: QuestionScorer, embedder: Embedder | None
) -> Choice:
    """Score passages by the share of the choice's words in them and by its vector."""
    wanted = lexicon.query(name)
    passage_scores = np.array(
        [sum(stem in stems for stem in wanted) / max(len(wanted), 1) for stems in reading.stems]
    )
    best_count = 1
    if embedder is not None and reading.vectors is not None and scorer.center is not None:
        vector = unit(embedder.vectors([name]) - scorer.center)[0]
        passage_scores *= _WORD_SHARE
        passage_scores += row_sums(unit(reading.vectors - scorer.center), vector)
        best_count = BEST_COUNT
    passage_scores = np.round(passage_scores, SCORE_DIGITS)
    best = float(np.sort(passage_scores)[::-1][:best_count].mean())
    return Choice(name, round(min(max(best, 0.0), 1.0), SCORE_DIGITS), passage_scores)
