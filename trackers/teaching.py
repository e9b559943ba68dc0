"""Turn reviews into a tracker's examples, counter-examples and threshold (SPEC §5, MODEL).

A person asks for it, sees before what it would do, and can take it back. These are settings: they
take effect for what is read from then on, and never make a conversation payable again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, Q

from credits import audit
from credits.audit import Action
from credits.models import User
from trackers import analyzers, language_model, lessons, locks, publishing, reviewing, trials
from trackers.models import AnswerType, Review, Tracker, TrackerKind, TrackerVersion
from trackers.trials import Calibrate

REVIEWS_MIN = 10


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
    ``right_after`` those that would be. See trackers.trials,
    Note [Judged without its own phrase].
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
    if version.kind == TrackerKind.KEYWORD:
        raise NothingToLearn(
            "Keywords are found as they are said, so reviews teach them nothing. "
            "Change the words instead."
        )
    if version.kind == TrackerKind.QUESTION and language_model.is_on(version.company_id):
        raise NothingToLearn(
            "A language model reads your company's trackers, and no threshold moves it. Write "
            "examples and details on the tracker instead: they go along with the question."
        )
    reviews = reviewing.in_force(version=version)
    _refuse_too_little(version, reviews)
    found = trials.run(version, reviews, calibrate or analyzers.in_use().calibrate)
    return Lesson(
        review_ids=tuple(one.pk for one in reviews),
        example_ids=tuple(one.pk for one in found.taught if one.is_yes),
        counter_example_ids=tuple(one.pk for one in found.taught if not one.is_yes),
        threshold_before=version.tracker.threshold,
        threshold_after=found.threshold,
        right_before=sum(one.is_right for one in reviews),
        right_after=found.right_count,
    )


def learn(
    *,
    tracker_id: UUID,
    edit_number: int,
    by: User,
    now: datetime,
    lesson: Lesson | None = None,
) -> Tracker:
    """Take what the reviews teach into the tracker's settings; return the tracker.

    ``lesson`` is what ``prepare`` worked out; worked out here where there is none.

    :raises NothingToLearn: nothing was changed.
    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises ReviewsChanged: somebody reviewed more meanwhile; nothing was changed.
    :raises CompanyClosed: nothing is changed in a closed company.
    """
    version = version_of(tracker_id)
    if version is None:
        raise NothingToLearn("A tracker needs a question before it can learn from reviews.")
    # Before the transaction: the analyzer takes its time.
    lesson = lesson or prepare(version=version)
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
            before={"threshold": _in_words(before)},
            after={"threshold": _in_words(tracker.threshold), "reviews": said},
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
            before={"threshold": _in_words(before)},
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


def _in_words(threshold: Decimal | None) -> str | None:
    """Say a threshold as text; the trail takes a Decimal for credits, which have fewer places."""
    return None if threshold is None else str(threshold)
