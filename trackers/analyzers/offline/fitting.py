"""Fitting the scorers of a question against what is ordinarily said, from texts alone."""

from __future__ import annotations

import hashlib
import heapq
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import ConversationText, Kind, Side, TrackerQuestion
from trackers.analyzers.offline import (
    background,
    bm25,
    examples,
    lexicon,
    logistic,
    passages,
    questions,
)
from trackers.analyzers.offline.embedding import Embedder, unit
from trackers.analyzers.offline.reading import Reading, joined, read, read_phrases
from trackers.analyzers.offline.scorers import QuestionScorer, WholeScorer

# Below this the built-in sentences are the background. With them yes is said too readily; with the
# few conversations themselves too rarely where most of them are about what is asked. Measured on
# lots of 45 without their own labels: F1 .59 to .68 on typed service chats, but .42 to .13 on our
# own sample's 22 sales calls, whose price talk became the background of the price question.
SAMPLE_CONVERSATIONS_MIN = 50
SAMPLE_CONVERSATIONS_MAX = 400
BACKGROUND_PASSAGES_MAX = 1_000
EXAMPLES_MAX = 100
PHRASE_CHARACTERS_MAX = 2_000
# The question's pull beside the example phrases. A whole e-mail given as an example is mostly
# about other things, so there the question has to count more.
QUESTION_WEIGHT = {Kind.CALL: 0.3, Kind.EMAIL: 2.0}
# Enough to tell asking from telling, too little to make every question resemble an example
# that asks; nearly irrelevant in e-mails.
FORM_SCALE = {Kind.CALL: 0.13, Kind.EMAIL: 0.05}
WHOLE_QUESTION_WEIGHT = 0.5
WHOLE_RIDGE = 0.01
DETAILS_WEIGHT = 0.5
_BUILT_IN_WHOLE_SENTENCES = 12


@dataclass(frozen=True, slots=True)
class Corpus:
    """What is ordinarily said on one side in one kind of conversation: passages, and
    conversations read as one text (None without word vectors).
    """

    passages: Reading
    wholes: NDArray[np.float32] | None


def corpus(
    sample: Sequence[ConversationText], *, kind: Kind, side: Side, embedder: Embedder | None
) -> Corpus:
    """Draw the background from the sample, or from the built-in sentences when there are fewer
    than ``SAMPLE_CONVERSATIONS_MIN`` conversations of that kind with words on that side.

    The draw depends on the conversations in the sample, not on their order.
    """
    chosen = sorted((one for one in sample if one.kind == kind), key=lambda one: _hash(one.id))
    del chosen[SAMPLE_CONVERSATIONS_MAX:]
    drawn: dict[int, list[int]] = {place: [] for place in range(len(chosen))}
    for _, place, index in heapq.nsmallest(BACKGROUND_PASSAGES_MAX, _passages(chosen, side)):
        drawn[place].append(index)
    kept: list[Reading] = []
    wholes: list[NDArray[np.float32]] = []
    for place, conversation in enumerate(chosen):
        reading = read(conversation, side, embedder)
        if len(reading):
            kept.append(reading.only(sorted(drawn[place])))
        if reading.whole is not None:
            wholes.append(reading.whole)
    if len(kept) < SAMPLE_CONVERSATIONS_MIN:
        return _built_in(kind, embedder)
    return Corpus(joined(kept), np.array(wholes) if wholes else None)


def _passages(chosen: Sequence[ConversationText], side: Side) -> Iterator[tuple[str, int, int]]:
    """Yield a hash to draw by, and the places of conversation and passage."""
    for place, conversation in enumerate(chosen):
        for index, passage in enumerate(passages.on_side(conversation, side)):
            yield _hash(passage.text, str(place), str(index)), place, index


def fit(
    question: TrackerQuestion, kind: Kind, ordinary: Corpus, embedder: Embedder | None
) -> QuestionScorer:
    asked = _question_reading(question, embedder)
    shots = examples.Shots(
        question_text=question.text,
        question=asked,
        examples=_phrases(question.examples, embedder),
        counter_examples=_phrases(question.counter_examples, embedder),
        background=ordinary.passages,
        question_weight=QUESTION_WEIGHT[kind],
        form_scale=FORM_SCALE[kind],
    )
    center = question_vector = None
    if asked.vectors is not None and ordinary.passages.vectors is not None:
        center = ordinary.passages.vectors.mean(axis=0)
        question_vector = unit(asked.vectors - center)[0]
    return QuestionScorer(
        passages=examples.fit(shots),
        example_count=len(shots.examples),
        words=_words(question, ordinary.passages),
        whole=_fit_whole(shots, ordinary.wholes),
        center=center,
        question=question_vector,
    )


def fingerprint(question: TrackerQuestion) -> str:
    """Name everything of a question that a calibration depends on."""
    parts = [question.text, question.details, question.side, *question.examples]
    return _hash(*parts, "\0counter-examples", *question.counter_examples)[:16]


def _question_reading(question: TrackerQuestion, embedder: Embedder | None) -> Reading:
    asked = read_phrases([questions.topic(question.text)[:PHRASE_CHARACTERS_MAX]], embedder)
    if asked.vectors is None or not question.details.strip() or embedder is None:
        return asked
    details = embedder.vectors([question.details[:PHRASE_CHARACTERS_MAX]])
    return Reading(
        passages=(),
        stems=asked.stems,
        terms=asked.terms,
        term_factors=asked.term_factors,
        forms=asked.forms,
        vectors=unit(asked.vectors + np.float32(DETAILS_WEIGHT) * details),
        whole=None,
    )


def _phrases(texts: Sequence[str], embedder: Embedder | None) -> Reading:
    phrases = [text[:PHRASE_CHARACTERS_MAX] for text in texts if text.strip()]
    return read_phrases(phrases[:EXAMPLES_MAX], embedder)


def _words(question: TrackerQuestion, ordinary: Reading) -> bm25.Query:
    terms = lexicon.query(questions.topic(question.text))
    counts = bm25.holding_counts(ordinary.stems, terms)
    return bm25.Query(
        idfs={term: bm25.idf(len(ordinary), counts[term]) for term in terms},
        length_mean=float(np.mean([len(one) for one in ordinary.stems])),
    )


def _fit_whole(shots: examples.Shots, wholes: NDArray[np.float32] | None) -> WholeScorer | None:
    if wholes is None or shots.question.vectors is None:
        return None
    center = wholes.mean(axis=0)
    parts = (shots.question, shots.examples, shots.counter_examples)
    rows = [part.vectors - center for part in parts if part.vectors is not None]
    answers, row_weights = examples.weigh(
        question_weight=WHOLE_QUESTION_WEIGHT,
        example_count=len(shots.examples),
        counter_example_count=len(shots.counter_examples),
        background_count=len(wholes),
    )
    found = logistic.fit(
        rows=np.vstack([*rows, wholes - center]),
        answers=answers,
        row_weights=row_weights,
        ridge=WHOLE_RIDGE,
    )
    return WholeScorer(
        vector=found.weights.astype(np.float32),
        intercept=found.intercept - float(found.weights @ center),
    )


@lru_cache(maxsize=4)
def _built_in(kind: Kind, embedder: Embedder | None) -> Corpus:
    reading = read_phrases(background.sentences(kind), embedder)
    if reading.vectors is None:
        return Corpus(reading, None)
    # Neighboring sentences stand in for conversations.
    count = len(reading)
    windows = [
        np.take(reading.vectors, range(first, first + _BUILT_IN_WHOLE_SENTENCES), 0, mode="wrap")
        for first in range(count)
    ]
    return Corpus(reading, unit(np.array([window.mean(axis=0) for window in windows])))


def _hash(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode(errors="surrogatepass")).hexdigest()
