"""Try out what reviews would teach, on the reviews themselves.

Note [Judged without its own phrase]
    A passage that became an example resembles itself, so its conversation would score too well.
    Reviews are dealt into folds; those of a fold are scored with the phrases of the other folds
    only, and the threshold is chosen from these scores. What is said of the effect comes from the
    same scores, each fold judged by a threshold that the others chose.

Note [Phrases only where they help]
    Measured on 13 labelled questions with 30 reviews each, phrases raise F1 on calls and lower it
    on whole e-mails, which are mostly about other things. So a trial is made without phrases, with
    counter-examples alone and with both, and the reviews themselves decide: the trial whose scores
    explain them best, unless it is hardly better than one with fewer phrases.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from uuid import UUID

from trackers import analyzers, calibrating, lessons
from trackers.analyzers.base import Calibration, ConversationText, TrackerQuestion
from trackers.analyzers.offline import reviews as thresholds
from trackers.models import Review, TrackerVersion, Verdict

FOLDS = 5
# How many conversations tell how many would be found at a threshold.
SCORED_MAX = 100
# In log-likelihood: how much better a trial has to be than one with fewer phrases.
GAIN_MIN = 0.5
THRESHOLD_PLACES = Decimal("0.000001")

Calibrate = Callable[[Sequence[TrackerQuestion], Sequence[ConversationText]], Calibration]


@dataclass(frozen=True, slots=True)
class Phrases:
    """Which phrases of the reviews a trial takes."""

    examples: bool
    counter_examples: bool

    def of(self, review: Review) -> bool:
        return self.examples if review.is_yes else self.counter_examples


CHOICES = (Phrases(False, False), Phrases(False, True), Phrases(True, True))


@dataclass(frozen=True, slots=True)
class Outcome:
    """The trial that explains the reviews best: its phrases, threshold and effect."""

    taught: tuple[Review, ...]
    threshold: Decimal
    right_count: int


def run(version: TrackerVersion, reviews: Sequence[Review], calibrate: Calibrate) -> Outcome:
    """Make all trials on the reviews, at least one of each answer, and return the best."""
    sample = calibrating.sample_of(version)
    texts = calibrating.texts_of(
        {one.conversation_id: one.revision for one in reviews}, version=version
    )
    made = [_Trial(version, reviews, phrases) for phrases in CHOICES]
    calibration = calibrate([one for trial in made for one in trial.questions], sample)
    best, likelihood = made[0], made[0].score(texts, calibration)
    for trial in made[1:]:
        if (found := trial.score(texts, calibration)) > likelihood + GAIN_MIN:
            best, likelihood = trial, found
    reviewed = {text.id for text in texts.values()}
    others = [text for text in sample if text.id not in reviewed][:SCORED_MAX]
    all_scores = [*best.fair.values(), *_scores(others, best.questions[-1], calibration)]
    return Outcome(
        taught=tuple(best.taught),
        threshold=best.threshold(reviews, all_scores),
        right_count=best.count_right(texts, all_scores, calibration),
    )


def teaches(review: Review) -> bool:
    """Tell whether a review gives a phrase: of what was pointed out somebody said what it is.

    What came nearest in a conversation that was passed over says little either way.
    """
    return review.utterance_id is not None and review.verdict != Verdict.NO


class _Trial:
    """One choice of phrases: the questions it asks, and the scores that the reviews then have.

    ``questions`` are one for each fold, without the phrases of that fold, and one with all.
    """

    def __init__(
        self, version: TrackerVersion, reviews: Sequence[Review], phrases: Phrases
    ) -> None:
        self.reviews = reviews
        self.folds = _folds_of(reviews)
        self.fair: dict[UUID, float] = {}
        # The newest first, as what was learned is read.
        self.taught = [one for one in reversed(reviews) if teaches(one) and phrases.of(one)]
        self._said = lessons.phrases(self.taught)
        kept = lessons.of(version.tracker, but=lessons.asked(version))
        asked = calibrating.question_of(version.tracker, version, learned=kept)
        name = f"{asked.id}/{CHOICES.index(phrases)}"
        self.questions = [
            self._without(fold, replace(asked, id=f"{name}/{fold}", threshold=None))
            for fold in range(FOLDS + 1)
        ]

    def score(self, texts: Mapping[UUID, ConversationText], calibration: Calibration) -> float:
        """Score the reviews fairly; return the log-likelihood of what people said."""
        for one in self.reviews:
            question = self.questions[self.folds[one.pk]]
            (self.fair[one.pk],) = _scores([texts[one.conversation_id]], question, calibration)
        return thresholds.log_likelihood(self._judged(self.reviews))

    def threshold(self, reviews: Sequence[Review], all_scores: Sequence[float]) -> Decimal:
        found = thresholds.threshold(self._judged(reviews), all_scores)
        return Decimal(found).quantize(THRESHOLD_PLACES)

    def count_right(
        self,
        texts: Mapping[UUID, ConversationText],
        all_scores: Sequence[float],
        calibration: Calibration,
    ) -> int:
        """Count the reviews that would be found as people say; unsure never is."""
        right = 0
        for fold in range(FOLDS):
            others = [one for one in self.reviews if self.folds[one.pk] != fold]
            limit = float(self.threshold(others, all_scores))
            asked = replace(self.questions[fold], threshold=limit)
            for one in self.reviews:
                if self.folds[one.pk] == fold:
                    text = texts[one.conversation_id]
                    found = analyzers.in_use().evaluate(text, [asked], calibration)[0]
                    said = Verdict.YES if one.is_yes else Verdict.NO
                    right += found.verdict.value == said.value
        return right

    def _judged(self, reviews: Sequence[Review]) -> list[thresholds.Review]:
        return [thresholds.Review(self.fair[one.pk], one.is_yes) for one in reviews]

    def _without(self, fold: int, asked: TrackerQuestion) -> TrackerQuestion:
        told = [one for one in self.taught if self.folds[one.pk] != fold]
        return replace(
            asked,
            examples=lessons.joined(
                asked.examples, (self._said[one.pk] for one in told if one.is_yes)
            ),
            counter_examples=lessons.joined(
                asked.counter_examples, (self._said[one.pk] for one in told if not one.is_yes)
            ),
        )


def _folds_of(reviews: Sequence[Review]) -> dict[UUID, int]:
    """Deal reviews into folds, yes and no apart, so that each fold has some of both."""
    dealt: dict[UUID, int] = {}
    for answer in (True, False):
        of_kind = sorted((one for one in reviews if one.is_yes is answer), key=_order)
        dealt |= {one.pk: place % FOLDS for place, one in enumerate(of_kind)}
    return dealt


def _order(review: Review) -> tuple[bytes, UUID]:
    """Order reviews by nothing that has to do with what was found."""
    return review.conversation_id.bytes[::-1], review.pk


def _scores(
    texts: Sequence[ConversationText], question: TrackerQuestion, calibration: Calibration
) -> list[float]:
    analyzer = analyzers.in_use()
    return [analyzer.evaluate(text, [question], calibration)[0].score for text in texts]
