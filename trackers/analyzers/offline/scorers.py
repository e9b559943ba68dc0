"""Everything fitted for one question and one kind of conversation, and its plain JSON form."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.offline.bm25 import Query
from trackers.analyzers.offline.embedding import unit
from trackers.analyzers.offline.examples import PassageScorer, row_sums
from trackers.analyzers.offline.reading import Reading

FEATURES = (
    "examples_mean",
    "examples_best",
    "question_best",
    "whole",
    "words_best",
    "example_doublings",
    "has_no_examples",
)
# Each doubling of the examples raises the scores of passages like them. Above the usual number
# a doubling raises them less (measured with up to 40 examples).
EXAMPLE_COUNT_USUAL = 5
DOUBLING_SHARE_ABOVE_USUAL = 0.7
# The mean of the best three: one lucky passage weighs less, two true ones are enough.
BEST_COUNT = 3
SCORE_DIGITS = 6
_SIGNIFICANT_DIGITS = 5


@dataclass(frozen=True, slots=True)
class WholeScorer:
    """A linear score of the conversation read as one text."""

    vector: NDArray[np.float32]
    intercept: float

    def score(self, whole: NDArray[np.float32]) -> float:
        return self.intercept + float((whole * self.vector).sum())


@dataclass(frozen=True, slots=True)
class QuestionScorer:
    """The scorers of one question; ``center``, ``question`` and ``whole`` need word vectors.

    ``example_count`` is how many phrases ``passages`` was fitted on, the question apart.
    ``question`` is the unit vector of the question seen from ``center``, the mean passage.
    """

    passages: PassageScorer
    example_count: int
    words: Query
    whole: WholeScorer | None
    center: NDArray[np.float32] | None
    question: NDArray[np.float32] | None

    def passage_scores(self, reading: Reading) -> NDArray[np.float64]:
        """Score each passage; used for the features and to order the evidence."""
        return np.round(self.passages.scores(reading), SCORE_DIGITS)

    def features(
        self, reading: Reading, passage_scores: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Describe a conversation with at least one passage by ``FEATURES``; those that need
        word vectors are zero without them.
        """
        best = np.sort(passage_scores)[::-1]
        whole = question = 0.0
        if self.whole is not None and reading.whole is not None:
            whole = self.whole.score(reading.whole)
        if self.question is not None and reading.vectors is not None:
            question = float(self.similarities(reading.vectors).max())
        words = float(self.words.scores(reading.stems).max())
        values = [
            float(best[:BEST_COUNT].mean()),
            float(best[0]),
            question,
            whole,
            words,
            _doublings(self.example_count),
            float(self.example_count == 0),
        ]
        return np.round(values, SCORE_DIGITS)

    def similarities(self, vectors: NDArray[np.float32]) -> NDArray[np.float64]:
        assert self.center is not None
        assert self.question is not None
        return row_sums(unit(vectors - self.center), self.question)

    def to_json(self) -> dict[str, Any]:
        return {
            "passages": {
                "vector": _numbers(self.passages.vector),
                "terms": {term: _number(value) for term, value in self.passages.terms.items()},
                "form": _numbers(self.passages.form),
                "intercept": _number(self.passages.intercept),
            },
            "example_count": self.example_count,
            "words": {
                "idfs": {term: _number(value) for term, value in self.words.idfs.items()},
                "length_mean": _number(self.words.length_mean),
            },
            "whole": None
            if self.whole is None
            else {
                "vector": _numbers(self.whole.vector),
                "intercept": _number(self.whole.intercept),
            },
            "center": _numbers(self.center),
            "question": _numbers(self.question),
        }


def from_json(data: Mapping[str, Any]) -> QuestionScorer:
    passages, words, whole = data["passages"], data["words"], data["whole"]
    form = _array(passages["form"])
    assert form is not None
    whole_vector = None if whole is None else _array(whole["vector"])
    return QuestionScorer(
        passages=PassageScorer(
            vector=_array(passages["vector"]),
            terms=dict(passages["terms"]),
            form=form,
            intercept=float(passages["intercept"]),
        ),
        example_count=int(data["example_count"]),
        words=Query(idfs=dict(words["idfs"]), length_mean=float(words["length_mean"])),
        whole=None
        if whole_vector is None
        else WholeScorer(vector=whole_vector, intercept=float(whole["intercept"])),
        center=_array(data["center"]),
        question=_array(data["question"]),
    )


def _doublings(example_count: int) -> float:
    """Return by how many doublings the count differs from the usual; zero without examples."""
    if example_count == 0:
        return 0.0
    doublings = math.log2(example_count / EXAMPLE_COUNT_USUAL)
    return doublings if doublings <= 0 else doublings * DOUBLING_SHARE_ABOVE_USUAL


def _number(value: float) -> float:
    return float(f"{value:.{_SIGNIFICANT_DIGITS}g}")


def _numbers(values: NDArray[np.float32] | None) -> list[float] | None:
    return None if values is None else [_number(float(value)) for value in values]


def _array(values: Sequence[float] | None) -> NDArray[np.float32] | None:
    return None if values is None else np.array(values, dtype=np.float32)
