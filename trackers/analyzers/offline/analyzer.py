"""The offline analyzer: calibrate on texts, evaluate one conversation at a time."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import (
    Answer,
    AnswerType,
    Calibration,
    Confidence,
    ConversationText,
    Evidence,
    Finding,
    Kind,
    Side,
    TrackerQuestion,
    Verdict,
)
from trackers.analyzers.offline import answers, asking, embedding, fitting, packing, scorers
from trackers.analyzers.offline import calibration as calibrations
from trackers.analyzers.offline.calibration import Decoded, Mode
from trackers.analyzers.offline.embedding import Embedder, VectorsUnavailable
from trackers.analyzers.offline.reading import Reading, read
from trackers.analyzers.offline.scorers import QuestionScorer

EVIDENCE_MAX = 3
_QUESTIONS_KEPT = 64
_CALIBRATIONS_KEPT = 64  # As many as a worker keeps as it read them.

logger = logging.getLogger(__name__)


class OfflineAnalyzer:
    """Finds the passages that resemble a question and its examples.

    Without word vectors it compares words alone (``Mode.WORDS``), logs that once, and
    ``embedding.problem()`` says why.
    """

    name = calibrations.NAME
    generative = False

    def __init__(self, *, load: Callable[[], Embedder] = embedding.load) -> None:
        self.version = calibrations.version()
        self._load = load
        self._embedder: Embedder | None = None
        self._is_loaded = False
        self._decoded: dict[int, tuple[Calibration, Decoded]] = {}
        self._uncalibrated = lru_cache(maxsize=_QUESTIONS_KEPT)(self._fit_built_in)

    @property
    def mode(self) -> Mode:
        return calibrations.mode_of(self._vectors())

    def calibrate(
        self, questions: Sequence[TrackerQuestion], sample: Sequence[ConversationText]
    ) -> Calibration:
        """Fit the scorers of the questions to a sample of at least 50 conversations of a kind;
        with fewer the built-in background is used for that kind.
        """
        embedder = self._vectors()
        corpora = {
            (kind, side): fitting.corpus(sample, kind=kind, side=side, embedder=embedder)
            for kind in Kind
            for side in {question.side for question in questions}
        }
        return Calibration(
            analyzer=self.name,
            analyzer_version=self.version,
            data={
                "format": calibrations.FORMAT,
                "mode": self.mode.value,
                "questions": {
                    question.id: calibrations.encode(
                        question,
                        {
                            kind: fitting.fit(
                                question, kind, corpora[kind, question.side], embedder
                            )
                            for kind in Kind
                        },
                    )
                    for question in questions
                },
            },
        )

    def evaluate(
        self,
        conversation: ConversationText,
        questions: Sequence[TrackerQuestion],
        calibration: Calibration,
    ) -> list[Finding]:
        """Answer the questions, one finding each, in their order.

        A question the calibration does not know is judged against the built-in background.

        :raises StaleCalibration: the calibration was made for other words or another format.
        :raises VectorsUnavailable: it was made with word vectors, which cannot be loaded here.
        """
        decoded = self._decode(calibration)
        embedder = self._embedder_for(decoded.mode)
        readings = {} if conversation.kept is None else conversation.kept
        findings = []
        for question in questions:
            key = (Reading, question.side, embedder is not None)
            if key not in readings:
                readings[key] = read(conversation, question.side, embedder)
            reading = readings[key]
            findings.append(
                self._finding(question, conversation.kind, reading, decoded)
                if len(reading)
                else _silence(question)
            )
        return findings

    def ask(self, question: str, conversations: Sequence[ConversationText]) -> Answer:
        """Quote the passages that resemble a question; it writes no answers of its own."""
        return asking.answer(question, conversations, self._vectors())

    def vectors_model(self) -> str | None:
        return None if self._vectors() is None else embedding.WEIGHTS_SHA256

    def vectors_of(self, conversation: ConversationText, side: Side = Side.ANY) -> bytes | None:
        """Return the vectors of a side, with the other's where they are there already.

        :raises VectorsUnavailable: they cannot be loaded here.
        """
        return packing.pack(conversation, self._load(), side)

    def features(
        self, conversation: ConversationText, question: TrackerQuestion, calibration: Calibration
    ) -> NDArray[np.float64] | None:
        """Return what the combiner would see; None when nothing was said on that side."""
        decoded = self._decode(calibration)
        reading = read(conversation, question.side, self._embedder_for(decoded.mode))
        if not len(reading):
            return None
        scorer = self._scorer(question, conversation.kind, decoded)
        return scorer.features(reading, scorer.passage_scores(reading))

    def _finding(
        self, question: TrackerQuestion, kind: Kind, reading: Reading, decoded: Decoded
    ) -> Finding:
        scorer = self._scorer(question, kind, decoded)
        if question.answer_type is AnswerType.CATEGORY:
            embedder = self._embedder_for(decoded.mode)
            return _category(question, reading, scorer, embedder)
        passage_scores = scorer.passage_scores(reading)
        combiner = decoded.combiner(kind)
        score = combiner.score(scorer.features(reading, passage_scores))
        verdict, confidence = combiner.judge(score, question.threshold)
        evidence = _evidence(reading, self.quote_scores(question, reading, passage_scores))
        return Finding(
            question_id=question.id,
            verdict=verdict,
            score=score,
            confidence=confidence,
            answer=answers.in_words(question.answer_type, verdict, evidence),
            evidence=evidence,
        )

    def quote_scores(
        self, question: TrackerQuestion, reading: Reading, passage_scores: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """Return what orders the quotes, one score a passage; ``passage_scores`` here."""
        return passage_scores

    def _scorer(self, question: TrackerQuestion, kind: Kind, decoded: Decoded) -> QuestionScorer:
        return decoded.scorer(question, kind) or self._uncalibrated(question, kind, decoded.mode)

    def _fit_built_in(self, question: TrackerQuestion, kind: Kind, mode: Mode) -> QuestionScorer:
        embedder = self._embedder_for(mode)
        ordinary = fitting.corpus((), kind=kind, side=question.side, embedder=embedder)
        fitted = fitting.fit(question, kind, ordinary, embedder)
        # Rounded as if it had been stored.
        return scorers.from_json(fitted.to_json())

    def _decode(self, calibration: Calibration) -> Decoded:
        # With the calibration itself, so that nothing else comes to have its id.
        kept = self._decoded.get(id(calibration))
        if kept is not None:
            return kept[1]
        decoded = calibrations.decode(calibration, self.mode)
        if len(self._decoded) >= _CALIBRATIONS_KEPT:
            del self._decoded[next(iter(self._decoded))]
        self._decoded[id(calibration)] = (calibration, decoded)
        return decoded

    def _embedder_for(self, mode: Mode) -> Embedder | None:
        return None if mode is Mode.WORDS else self._load()

    def _vectors(self) -> Embedder | None:
        if not self._is_loaded:
            try:
                self._embedder = self._load()
            except VectorsUnavailable as error:
                logger.warning("The offline analyser compares words alone: %s", error)
            self._is_loaded = True
        return self._embedder


def _category(
    question: TrackerQuestion, reading: Reading, scorer: QuestionScorer, embedder: Embedder | None
) -> Finding:
    """Answer with the best choice, quoting what resembles it; ``NONE`` quotes nothing.

    An unsure answer names the choice and its quotes too, for a person to look at.
    """
    ranked = answers.rank_choices(question.choices, reading, scorer, embedder)
    verdict, confidence = answers.judge_choices(ranked, question.threshold)
    is_named = verdict is not Verdict.NO
    return Finding(
        question_id=question.id,
        verdict=verdict,
        score=ranked[0].score if ranked else 0.0,
        confidence=confidence,
        answer=ranked[0].name if is_named else answers.NONE,
        evidence=_evidence(reading, ranked[0].passage_scores) if is_named else (),
    )


def _silence(question: TrackerQuestion) -> Finding:
    """Answer for a conversation in which the side asked about said nothing."""
    is_category = question.answer_type is AnswerType.CATEGORY
    return Finding(
        question_id=question.id,
        verdict=Verdict.NO,
        score=0.0,
        confidence=Confidence.HIGH,
        answer=answers.NONE
        if is_category
        else answers.in_words(question.answer_type, Verdict.NO, ()),
    )


def _evidence(reading: Reading, passage_scores: NDArray[np.float64]) -> tuple[Evidence, ...]:
    """Quote the best passage of each of the best utterances, best first; ties as said."""
    quoted: dict[str, Evidence] = {}
    for index in np.argsort(-passage_scores, kind="stable"):
        passage = reading.passages[index]
        if passage.utterance_id not in quoted:
            quoted[passage.utterance_id] = passage.evidence()
        if len(quoted) == EVIDENCE_MAX:
            break
    return tuple(quoted.values())
