"""Turn reviews into a tracker's examples, counter-examples and threshold (SPEC §5, MODEL).

A person asks for it, sees before what it would do, and can take it back. These are settings: they
take effect for what is read from then on, and never make a conversation payable again.

Note [Judged without its own phrase]
    A passage that became an example resembles itself, so its conversation would score too well.
    Reviews are dealt into folds; those of a fold are scored with the phrases of the other folds
    only, and the threshold is chosen from these scores. What is said of the effect comes from the
    same scores, each fold judged by a threshold that the others chose.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q

from credits import audit
from credits.audit import Action
from credits.models import User
from trackers import analyzers, calibrating, lessons, locks, publishing, reviewing
from trackers.analyzers.base import Calibration, ConversationText, TrackerQuestion
from trackers.analyzers.offline import reviews as thresholds
from trackers.lessons import Lessons
from trackers.models import AnswerType, Review, Tracker, TrackerVersion, Verdict

REVIEWS_MIN = 10
FOLDS = 5
# How many conversations tell how many would be found at a threshold.
SCORED_MAX = 100
THRESHOLD_PLACES = Decimal("0.000001")

Calibrate = Callable[[Sequence[TrackerQuestion], Sequence[ConversationText]], Calibration]


class NothingToLearn(Exception):
    """Reviews that teach nothing yet; the message says why."""


class ReviewsChanged(Exception):
    """Somebody reviewed more after you opened this page; look at the new figures, then decide."""


@dataclass(frozen=True, slots=True)
class Learned:
    """What reviews have taught a tracker so far."""

    example_count: int
    counter_example_count: int
    threshold: Decimal | None

    def __bool__(self) -> bool:
        return bool(self.example_count or self.counter_example_count or self.threshold is not None)


@dataclass(frozen=True, slots=True)
class Lesson:
    """What learning from the reviews in force would do.

    ``right_before`` counts the findings that were as people say when they were reviewed,
    ``right_after`` those that would be. See Note [Judged without its own phrase].
    """

    review_ids: tuple[UUID, ...]
    example_ids: tuple[UUID, ...]
    counter_example_ids: tuple[UUID, ...]
    threshold_before: Decimal | None
    threshold_after: Decimal
    right_before: int
    right_after: int


def prepare(*, version: TrackerVersion, calibrate: Calibrate | None = None) -> Lesson:
    """Work out what the reviews of a version's question teach, and change nothing.

    ``calibrate`` is the analyzer's own unless a benchmark brings another.

    :raises NothingToLearn: too few reviews, all of one kind, or an answer they do not fit.
    """
    reviews = reviewing.in_force(version=version)
    _refuse_too_little(version, reviews)
    taught = _Taught(version, reviews)
    questions = taught.questions()
    sample = calibrating.sample_of(version.tracker)
    calibration = (calibrate or analyzers.in_use().calibrate)(questions, sample)
    texts = calibrating.texts_of({one.conversation_id: one.revision for one in reviews})
    fair = _scores_of_reviews(reviews, texts, questions, calibration)
    everything = questions[-1]
    reviewed = {text.id for text in texts.values()}
    others = [text for text in sample if text.id not in reviewed]
    all_scores = [
        *fair.values(),
        *(
            analyzers.in_use().evaluate(text, [everything], calibration)[0].score
            for text in others[:SCORED_MAX]
        ),
    ]
    threshold = _threshold(reviews, fair, all_scores)
    return Lesson(
        review_ids=tuple(one.pk for one in reviews),
        example_ids=tuple(one.pk for one in reviews if _teaches(one) and one.is_yes),
        counter_example_ids=tuple(one.pk for one in reviews if _teaches(one) and not one.is_yes),
        threshold_before=version.tracker.threshold,
        threshold_after=threshold,
        right_before=sum(one.is_right for one in reviews),
        right_after=_count_right(reviews, fair, all_scores, texts, questions, calibration),
    )


def learn(
    *,
    tracker_id: UUID,
    edit_number: int,
    by: User,
    now: datetime,
    calibrate: Calibrate | None = None,
) -> Tracker:
    """Take what the reviews teach into the tracker's settings; return the tracker.

    :raises NothingToLearn: nothing was changed.
    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises ReviewsChanged: somebody reviewed more meanwhile; nothing was changed.
    :raises CompanyClosed: nothing is changed in a closed company.
    """
    version = version_of(tracker_id)
    if version is None:
        raise NothingToLearn("A tracker needs a question before it can learn from reviews.")
    # Before the transaction: the analyzer takes its time.
    lesson = prepare(version=version, calibrate=calibrate)
    with transaction.atomic():
        locks.keep_open(version.company_id)
        tracker = publishing.lock(tracker_id, edit_number)
        asked = lessons.asked(version)
        if tuple(one.pk for one in reviewing.in_force(version=version)) != lesson.review_ids:
            raise ReviewsChanged(ReviewsChanged.__doc__)
        taught = Review.objects.filter(pk__in=lesson.example_ids + lesson.counter_example_ids)
        Review.objects.filter(tracker=tracker, asked=asked).update(is_learned=False)
        taught.update(is_learned=True)
        before = tracker.threshold
        tracker.threshold = lesson.threshold_after
        said = (
            f"Learned from {len(lesson.review_ids)} reviews: "
            f"{len(lesson.example_ids)} examples, "
            f"{len(lesson.counter_example_ids)} counter-examples, a threshold."
        )
        publishing.save(tracker, by=by, now=now, reason=said)
        audit.record(
            action=Action.CHANGED,
            by=by,
            company=tracker.company_id,
            subject=tracker,
            before={"threshold": before},
            after={"threshold": tracker.threshold, "reviews": said},
        )
    return tracker


def forget(*, tracker_id: UUID, edit_number: int, by: User, now: datetime) -> Tracker:
    """Take back whatever reviews taught; the reviews stay and can teach it again.

    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises NothingToLearn: there is nothing to take back.
    :raises CompanyClosed: nothing is changed in a closed company.
    """
    with transaction.atomic():
        locks.keep_open(publishing.company_of(tracker_id))
        tracker = publishing.lock(tracker_id, edit_number)
        learned = Review.objects.filter(tracker=tracker, is_learned=True)
        count, before = learned.count(), tracker.threshold
        if not count and before is None:
            raise NothingToLearn("This tracker has learned nothing that could be taken back.")
        learned.update(is_learned=False)
        tracker.threshold = None
        said = f"Took back what reviews had taught: {count} phrases and the threshold."
        publishing.save(tracker, by=by, now=now, reason=said)
        audit.record(
            action=Action.CHANGED,
            by=by,
            company=tracker.company_id,
            subject=tracker,
            before={"threshold": before},
            after={"threshold": None, "reviews": said},
        )
    return tracker


def learned(tracker: Tracker) -> Learned:
    """Return what reviews have taught a tracker so far."""
    rows = Review.objects.filter(tracker=tracker, is_learned=True)
    counts = rows.aggregate(yes=Count("pk", filter=Q(is_yes=True)), all=Count("pk"))
    return Learned(counts["yes"], counts["all"] - counts["yes"], tracker.threshold)


def version_of(tracker_id: UUID) -> TrackerVersion | None:
    """Return the version whose reviews teach: the draft, else the one in force."""
    tracker = Tracker.objects.select_related("current_version", "company").get(pk=tracker_id)
    version = publishing.next_version(tracker)
    if version is not None:
        version.tracker = tracker
    return version


def _refuse_too_little(version: TrackerVersion, reviews: Sequence[Review]) -> None:
    if version.answer_type == AnswerType.CATEGORY:
        raise NothingToLearn(
            "An answer that is one of several choices learns nothing from reviews; write the "
            "choices more clearly instead."
        )
    if len(reviews) < REVIEWS_MIN:
        raise NothingToLearn(
            f"A tracker learns from {REVIEWS_MIN} reviews or more; of this question there "
            f"are {len(reviews)}. Thirty help most."
        )
    if len({one.is_yes for one in reviews}) == 1:
        raise NothingToLearn(
            "All reviews say the same. Review some conversations in which it is there and some in "
            "which it is not."
        )


def _teaches(review: Review) -> bool:
    """Tell whether a review gives a phrase: of what was pointed out somebody said what it is.

    What came nearest in a conversation that was passed over says little either way.
    """
    return review.utterance_id is not None and review.verdict != Verdict.NO


class _Taught:
    """The questions a version would ask: one a fold, without its phrases, and one with all."""

    def __init__(self, version: TrackerVersion, reviews: Sequence[Review]) -> None:
        tracker = version.tracker
        kept = lessons.of(tracker, but=lessons.asked(version))
        self._typed = replace(
            calibrating.question_of(tracker, version, learned=kept), threshold=None
        )
        # The newest first, as what was learned is read.
        self._reviews = [one for one in reversed(reviews) if _teaches(one)]
        self._folds = folds_of(reviews)
        self._phrases = lessons.phrases(self._reviews)

    def questions(self) -> list[TrackerQuestion]:
        folds: list[int | None] = [*range(FOLDS), None]
        return [self._without(fold) for fold in folds]

    def _without(self, fold: int | None) -> TrackerQuestion:
        told = [one for one in self._reviews if fold is None or self._folds[one.pk] != fold]
        more = Lessons(
            examples=tuple(self._phrases[one.pk] for one in told if one.is_yes),
            counter_examples=tuple(self._phrases[one.pk] for one in told if not one.is_yes),
        )
        return replace(
            self._typed,
            id=f"{self._typed.id}/{'all' if fold is None else fold}",
            examples=lessons.joined(self._typed.examples, more.examples),
            counter_examples=lessons.joined(self._typed.counter_examples, more.counter_examples),
        )


def folds_of(reviews: Sequence[Review]) -> dict[UUID, int]:
    """Deal reviews into folds, yes and no apart, so that each fold has some of both."""
    dealt: dict[UUID, int] = {}
    for answer in (True, False):
        of_kind = sorted((one for one in reviews if one.is_yes is answer), key=_order)
        dealt |= {one.pk: place % FOLDS for place, one in enumerate(of_kind)}
    return dealt


def _order(review: Review) -> tuple[bytes, UUID]:
    """Order reviews by nothing that has to do with what was found."""
    return review.conversation_id.bytes[::-1], review.pk


def _scores_of_reviews(
    reviews: Sequence[Review],
    texts: Mapping[UUID, ConversationText],
    questions: Sequence[TrackerQuestion],
    calibration: Calibration,
) -> dict[UUID, float]:
    """Score each reviewed conversation with the question that lacks its own phrase."""
    folds, analyzer = folds_of(reviews), analyzers.in_use()
    return {
        one.pk: analyzer.evaluate(
            texts[one.conversation_id], [questions[folds[one.pk]]], calibration
        )[0].score
        for one in reviews
    }


def _threshold(
    reviews: Sequence[Review], scores: Mapping[UUID, float], all_scores: Sequence[float]
) -> Decimal:
    judged = [thresholds.Review(scores[one.pk], one.is_yes) for one in reviews]
    return Decimal(thresholds.threshold(judged, all_scores)).quantize(THRESHOLD_PLACES)


def _count_right(
    reviews: Sequence[Review],
    scores: Mapping[UUID, float],
    all_scores: Sequence[float],
    texts: Mapping[UUID, ConversationText],
    questions: Sequence[TrackerQuestion],
    calibration: Calibration,
) -> int:
    folds, analyzer = folds_of(reviews), analyzers.in_use()
    right = 0
    for fold in range(FOLDS):
        others = [one for one in reviews if folds[one.pk] != fold]
        threshold = float(_threshold(others, scores, all_scores))
        asked = replace(questions[fold], threshold=threshold)
        for one in reviews:
            if folds[one.pk] == fold:
                text = texts[one.conversation_id]
                verdict = analyzer.evaluate(text, [asked], calibration)[0].verdict
                right += verdict.value == (Verdict.YES if one.is_yes else Verdict.NO).value
    return right
