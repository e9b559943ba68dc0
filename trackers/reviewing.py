"""Confirm or reject what a tracker found (SPEC §5).

A review is a person's word on one conversation's text and one question. It changes no setting by
itself; ``teaching`` turns reviews into examples and a threshold when somebody asks for that.
Neither ever makes a conversation payable again.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db import transaction
from django.db.models import BooleanField, Case, F, OuterRef, Q, QuerySet, Subquery, When

from credits import audit
from credits.audit import Action
from credits.models import User
from trackers import lessons, locks
from trackers.models import (
    PreviewQuote,
    PreviewResult,
    Quote,
    Review,
    Scan,
    ScanState,
    Tracker,
    TrackerVersion,
    Verdict,
)

CONFIRMED, REJECTED, JUDGED, OPEN = "confirmed", "rejected", "yes", "no"


class NotReviewable(Exception):
    """Only a finished result can be confirmed or rejected; wait until it is done."""


@dataclass(frozen=True, slots=True)
class Agreement:
    """How many of the conversations reviewed a tracker had judged as people do."""

    right_count: int
    count: int

    def __str__(self) -> str:
        return f"{self.right_count} of {self.count} as you expected"


def judge(*, scan: Scan, is_right: bool, by: User, now: datetime) -> Review:
    """Confirm or reject a finished result, and return the review in force.

    Of an unsure result “right” says that what is asked for is there. The same word again changes
    nothing; another one replaces it, and both are kept.

    :raises NotReviewable: the scan is not done.
    :raises CompanyClosed: nothing is written in a closed company.
    """
    if scan.state != ScanState.DONE:
        raise NotReviewable(NotReviewable.__doc__)
    quotes = Quote.objects.filter(scan=scan)
    return _judge(
        scan, scan.tracker, scan.version, quotes.order_by("rank").first(), is_right, by, now
    )


def judge_preview(*, result: PreviewResult, is_right: bool, by: User, now: datetime) -> Review:
    """Confirm or reject what a preview found, as ``judge`` does for a scan.

    :raises NotReviewable: the question was changed since, so the result says nothing of it.
    :raises CompanyClosed: nothing is written in a closed company.
    """
    preview = result.preview
    if bytes(preview.asked) != lessons.asked(preview.version):
        raise NotReviewable("The question has changed since this test; test it again.")
    best = PreviewQuote.objects.filter(result=result).order_by("rank").first()
    return _judge(result, preview.tracker, preview.version, best, is_right, by, now)


def in_force(*, version: TrackerVersion) -> list[Review]:
    """Return the reviews of what a version asks now, the oldest first."""
    reviews = Review.objects.filter(
        tracker=version.tracker_id, asked=lessons.asked(version), replaced_at=None
    )
    return list(reviews.order_by("judged_at", "pk"))


def of_scans(scans: Iterable[Scan]) -> dict[UUID, Review]:
    """Return the review in force of each scan that has one, by scan, in one query.

    The scans come with their version.
    """
    keys = {
        (one.tracker_id, lessons.asked(one.version), one.conversation_id, one.revision): one.pk
        for one in scans
    }
    reviews = Review.objects.filter(
        tracker__in={key[0] for key in keys},
        conversation__in={key[2] for key in keys},
        replaced_at=None,
    )
    found = {}
    for review in reviews:
        key = (review.tracker_id, bytes(review.asked), review.conversation_id, review.revision)
        if key in keys:
            found[keys[key]] = review
    return found


def agreement(reviews: Iterable[Review]) -> Agreement:
    """Count how many findings were as people say; an unsure one never is."""
    found = [review.is_right for review in reviews]
    return Agreement(right_count=sum(found), count=len(found))


def with_judgement(rows: QuerySet[Scan]) -> QuerySet[Any]:
    """Say of each result what a person said of it: ``is_right``, None where nobody did.

    Of an unsure result it says whether what was asked for is there.
    """
    said = Review.objects.filter(
        company=OuterRef("company"),
        tracker=OuterRef("tracker"),
        version=OuterRef("version"),
        conversation=OuterRef("conversation"),
        revision=OuterRef("revision"),
        replaced_at=None,
    ).values("is_yes")[:1]
    is_no = Q(verdict=Verdict.NO)
    return rows.annotate(is_yes=Subquery(said)).annotate(
        is_right=Case(
            When(is_no & Q(is_yes=True), then=False),
            When(is_no & Q(is_yes=False), then=True),
            default=F("is_yes"),
            output_field=BooleanField(null=True),
        )
    )


def judged(rows: QuerySet[Any], which: str) -> QuerySet[Any]:
    """Limit results with their judgement to those a person confirmed, rejected, or did not see."""
    match which:
        case "yes":
            return rows.filter(is_right__isnull=False)
        case "no":
            return rows.filter(is_right=None)
        case "confirmed":
            return rows.filter(is_right=True)
        case "rejected":
            return rows.filter(is_right=False)
        case _:
            return rows


def _judge(
    found: Scan | PreviewResult,
    tracker: Tracker,
    version: TrackerVersion,
    quote: Quote | PreviewQuote | None,
    is_right: bool,
    by: User,
    now: datetime,
) -> Review:
    is_yes = is_right == (found.verdict != Verdict.NO)
    asked = lessons.asked(version)
    with transaction.atomic():
        locks.keep_open(found.company_id)
        # Two clicks at once: one review is in force, and neither is refused.
        locks.queue_for(f"review of {tracker.pk} {found.conversation_id}")
        before = (
            Review.objects.filter(
                tracker=tracker,
                asked=asked,
                conversation=found.conversation_id,
                revision=found.revision,
                replaced_at=None,
            )
            .select_for_update(no_key=True)
            .first()
        )
        if before is not None and (before.is_yes, before.verdict) == (is_yes, found.verdict):
            return before
        if before is not None:
            before.replaced_at = now
            before.save(update_fields=["replaced_at"])
        review = Review(
            company_id=found.company_id,
            tracker=tracker,
            version=version,
            asked=asked,
            conversation_id=found.conversation_id,
            revision=found.revision,
            verdict=found.verdict,
            score=_score(found),
            is_yes=is_yes,
            judged_at=now,
            judged_by=by,
        )
        if quote is not None:
            review.utterance_id, review.start, review.end = (
                quote.utterance_id,
                quote.start,
                quote.end,
            )
        review.save()
        audit.record(
            action=Action.ADDED,
            by=by,
            company=found.company_id,
            subject=audit.named(review, f"of a result of {tracker.name}"),
            before={} if before is None else _in_words(before),
            after=_in_words(review),
        )
    return review


def _score(found: Scan | PreviewResult) -> Decimal:
    """Return the score of a finding; what is done has one."""
    assert found.score is not None
    return found.score


def _in_words(review: Review) -> dict[str, object]:
    return {
        "result": review.get_verdict_display(),
        "person_says": Verdict.YES.label if review.is_yes else Verdict.NO.label,
    }
