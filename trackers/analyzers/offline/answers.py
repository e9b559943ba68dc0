"""Answers in words: the best choice of a category, the quotes that answer a text question."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import Evidence, Verdict
from trackers.analyzers.offline import lexicon
from trackers.analyzers.offline.embedding import Embedder, unit
from trackers.analyzers.offline.examples import row_sums
from trackers.analyzers.offline.reading import Reading
from trackers.analyzers.offline.scorers import BEST_COUNT, SCORE_DIGITS, QuestionScorer

NONE = "none"
QUOTE_SEPARATOR = " … "
# A choice must resemble a passage about as much as its own words would; below this it is noise.
CHOICE_SCORE_MIN = 0.3
WORD_SHARE = 0.5


def extract(verdict: Verdict, evidence: Sequence[Evidence]) -> str:
    """Join the quotes; empty when the conversation does not answer the question."""
    if verdict is Verdict.NO:
        return ""
    return QUOTE_SEPARATOR.join(passage.quote for passage in evidence)


def choose(
    choices: Sequence[str],
    reading: Reading,
    scorer: QuestionScorer,
    passage_scores: NDArray[np.float64],
    embedder: Embedder | None,
) -> str | None:
    """Return the choice that the passages resemble most, the first of equals; None when none
    does, or when there is no choice to make.
    """
    if not choices:
        return None
    scores = [choice_score(choice, reading, scorer, embedder) for choice in choices]
    best = int(np.argmax(scores))
    return choices[best] if scores[best] >= CHOICE_SCORE_MIN else None


def choice_score(
    choice: str, reading: Reading, scorer: QuestionScorer, embedder: Embedder | None
) -> float:
    """Measure the passages that resemble a choice most: its words in them, and its vector."""
    stems = lexicon.query(choice)
    held = [
        sum(stem in passage for stem in stems) / len(stems) if stems else 0.0
        for passage in reading.stems
    ]
    scores = WORD_SHARE * np.array(held)
    if embedder is not None and reading.vectors is not None and scorer.center is not None:
        vector = unit(embedder.vectors([choice]) - scorer.center)[0]
        scores += row_sums(unit(reading.vectors - scorer.center), vector)
    best = np.sort(scores)[::-1][:BEST_COUNT]
    return round(float(best.mean()), SCORE_DIGITS)
