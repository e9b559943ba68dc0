"""The offline analyzer with its quotes put in order by a sentence model: the extra “ranking”.

Which conversations are found, and how surely, is decided as without it. What is shown of them
first changes: of the twelve passages that word vectors and words find best, the sentence model
says which resemble the question and its examples most. Of a question asked of many conversations
it is the twelve best windows of a few utterances. Switched on by
``TALLYSTICK_ANALYZER=trackers.analyzers.offline.reranked.RerankingAnalyzer``.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import Answer, ConversationText, TrackerQuestion
from trackers.analyzers.offline import asking, sentence_model
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.examples import row_sums
from trackers.analyzers.offline.reading import Reading
from trackers.analyzers.offline.scorers import SCORE_DIGITS

# How many of the best are put in order. The right one is among them in 99.5 of 100.
RERANKED = 12
# The question is a description of what is said, the examples are it: they count more.
QUESTION_SHARE = 0.25
COUNTER_EXAMPLES_SHARE = 0.3
PHRASES_MAX = 20
_DEVIATION_MIN = 1e-6


class RerankingAnalyzer(OfflineAnalyzer):
    """Finds what the offline analyzer finds, and quotes it in a better order."""

    @staticmethod
    def problem() -> str | None:
        """Say why it cannot be used here; None when it can."""
        found = sentence_model.problem()
        return found and f"{found} Install requirements-ranking.lock."

    def quote_scores(
        self, question: TrackerQuestion, reading: Reading, passage_scores: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        best = np.argsort(-passage_scores, kind="stable")[:RERANKED]
        alike = resemblance(question, [reading.passages[index].text for index in best])
        scores = np.full_like(passage_scores, -np.inf)
        scores[best] = np.round(standard(passage_scores[best]) + standard(alike), SCORE_DIGITS)
        return scores

    def ask(self, question: str, conversations: Sequence[ConversationText]) -> Answer:
        """Quote what resembles a question most, by words, vectors and the sentence model."""
        return asking.answer(question, conversations, self._vectors(), reranking=reordered)


def reordered(
    question: str, texts: Sequence[str], scores: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Return the scores of windows by what they had and by the sentence model, in equal parts.

    :raises SentenceModelUnavailable: it is not installed.
    """
    model = sentence_model.load()
    alike = row_sums(model.vectors(texts), model.vectors([question])[0])
    found: NDArray[np.float64] = np.round(standard(scores) + standard(alike), SCORE_DIGITS)
    return found


def resemblance(question: TrackerQuestion, texts: Sequence[str]) -> NDArray[np.float64]:
    """Return how much each text resembles what is asked for, by the sentence model.

    :raises SentenceModelUnavailable: it is not installed.
    """
    model = sentence_model.load()
    vectors = model.vectors(texts)
    found = row_sums(vectors, model.vectors([question.text])[0])
    if question.examples:
        found *= QUESTION_SHARE
        found += _mean_similarity(vectors, question.examples)
    if question.counter_examples:
        found -= COUNTER_EXAMPLES_SHARE * _mean_similarity(vectors, question.counter_examples)
    return found


def standard(scores: NDArray[np.float64]) -> NDArray[np.float64]:
    """Scale scores to a mean of 0 and a deviation of 1, so that two kinds can be added."""
    scaled: NDArray[np.float64] = (scores - scores.mean()) / (scores.std() + _DEVIATION_MIN)
    return scaled


def _mean_similarity(vectors: NDArray[np.float32], phrases: Sequence[str]) -> NDArray[np.float64]:
    others = sentence_model.load().vectors([phrase for phrase in phrases if phrase][:PHRASES_MAX])
    # The mean of similarities is the similarity to the mean.
    return row_sums(vectors, others.mean(axis=0))
