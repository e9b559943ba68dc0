"""The few-shot scorer: which passages resemble the example phrases rather than ordinary talk."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.offline import bm25, logistic, questions
from trackers.analyzers.offline.lexicon import FORM_COUNT
from trackers.analyzers.offline.reading import Reading

FORM_DEVIATION_FLOOR = 0.1
RIDGE = 0.005
COUNTER_EXAMPLES_SHARE_MAX = 0.5
COUNTER_EXAMPLE_SHARE_MAX = 0.05
TERMS_MAX = 300


@dataclass(frozen=True, slots=True)
class PassageScorer:
    """A linear score of passages; above zero resembles the examples more than ordinary talk.

    ``vector`` is None where there were no word vectors.
    """

    vector: NDArray[np.float32] | None
    terms: Mapping[str, float]
    form: NDArray[np.float32]
    intercept: float

    def scores(self, reading: Reading) -> NDArray[np.float64]:
        scores: NDArray[np.float64] = self.intercept + row_sums(reading.forms, self.form)
        if self.vector is not None and reading.vectors is not None:
            scores += row_sums(reading.vectors, self.vector)
        known = self.terms.keys()
        scores += reading.term_factors * [
            sum(self.terms[term] for term in sorted(known & terms)) for terms in reading.terms
        ]
        return scores


def row_sums(rows: NDArray[np.float32], weights: NDArray[np.float32]) -> NDArray[np.float64]:
    """Multiply rows by a vector without BLAS. See Note [Same findings everywhere]."""
    sums: NDArray[np.float64] = (rows * weights).sum(axis=1).astype(np.float64)
    return sums


@dataclass(frozen=True, slots=True)
class Shots:
    """The texts a few-shot scorer is fitted on, and how much parts of them count.

    ``question`` is the topic of the question; ``question_weight`` is its pull beside all the
    examples together, ``form_scale`` that of the form beside word vectors of length one.
    """

    question_text: str
    question: Reading
    examples: Reading
    counter_examples: Reading
    background: Reading
    question_weight: float
    form_scale: float


def fit(shots: Shots) -> PassageScorer:
    """Fit the scorer; with no example phrases the question alone stands for them."""
    idfs = _idfs(shots)
    terms = list(idfs)
    form_mean = shots.background.forms.mean(axis=0)
    form_factor = shots.form_scale / (shots.background.forms.std(axis=0) + FORM_DEVIATION_FLOOR)
    parts = (shots.question, shots.examples, shots.counter_examples, shots.background)
    # How a question is put says nothing of how what it is after is said.
    expected = questions.expected_form(shots.question_text, form_mean)[None, :]
    forms = np.vstack([expected, *(part.forms for part in parts[1:])])
    columns = [(forms - form_mean) * form_factor, _presence(parts, idfs)]
    if shots.background.vectors is not None:
        columns.append(_centered_vectors(parts))
    answers, row_weights = weigh(
        question_weight=shots.question_weight,
        example_count=len(shots.examples),
        counter_example_count=len(shots.counter_examples),
        background_count=len(shots.background),
    )
    found = logistic.fit(
        rows=np.hstack(columns), answers=answers, row_weights=row_weights, ridge=RIDGE
    )
    form_weights, term_weights, vector = np.split(
        found.weights, [FORM_COUNT, FORM_COUNT + len(terms)]
    )
    intercept = found.intercept - float(form_weights @ (form_factor * form_mean))
    if vector.size and shots.background.vectors is not None:
        intercept -= float(vector @ shots.background.vectors.mean(axis=0))
    scaled = {
        term: float(weight) * idfs[term] for term, weight in zip(terms, term_weights, strict=True)
    }
    kept = sorted(scaled, key=lambda term: (-abs(scaled[term]), term))[:TERMS_MAX]
    return PassageScorer(
        vector=vector.astype(np.float32) if vector.size else None,
        terms={term: scaled[term] for term in sorted(kept)},
        form=(form_weights * form_factor).astype(np.float32),
        intercept=intercept,
    )


def weigh(
    *,
    question_weight: float,
    example_count: int,
    counter_example_count: int,
    background_count: int,
) -> tuple[NDArray[np.bool_], NDArray[np.float64]]:
    """Return the answers and weights of the rows: question, examples, counter-examples,
    background. Yes and no weigh the same in all; the examples together weigh one beside the
    question, and a few counter-examples never outweigh the background.
    """
    counter_share = min(
        COUNTER_EXAMPLES_SHARE_MAX, counter_example_count * COUNTER_EXAMPLE_SHARE_MAX
    )
    shares = [
        (1, question_weight, True),
        (example_count, 1.0, True),
        (counter_example_count, counter_share, False),
        (background_count, 1.0 - counter_share, False),
    ]
    answers = np.concatenate([np.full(count, answer) for count, _, answer in shares])
    weights = np.concatenate([np.full(count, share / max(count, 1)) for count, share, _ in shares])
    return answers, logistic.sides_balanced(answers, weights)


def _idfs(shots: Shots) -> dict[str, float]:
    """Weigh the terms of the question and the examples by their rarity in the background."""
    vocabulary = sorted(frozenset().union(*shots.question.terms, *shots.examples.terms))
    counts = bm25.holding_counts(shots.background.terms, vocabulary)
    return {term: bm25.idf(len(shots.background), counts[term]) for term in vocabulary}


def _presence(parts: Sequence[Reading], idfs: Mapping[str, float]) -> NDArray[np.float64]:
    columns = {term: column for column, term in enumerate(idfs)}
    rows = [terms for part in parts for terms in part.terms]
    presence = np.zeros((len(rows), len(columns)))
    for row, terms in enumerate(rows):
        for term in terms & columns.keys():
            presence[row, columns[term]] = idfs[term]
    presence *= np.concatenate([part.term_factors for part in parts])[:, None]
    return presence


def _centered_vectors(parts: Sequence[Reading]) -> NDArray[np.float32]:
    background = parts[-1].vectors
    assert background is not None
    vectors = [part.vectors for part in parts if part.vectors is not None]
    centered: NDArray[np.float32] = np.vstack(vectors) - background.mean(axis=0)
    return centered
