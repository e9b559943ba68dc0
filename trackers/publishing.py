"""A tracker's life: draft, published, unpublished (SPEC §5)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from django.db import transaction

from credits.models import User
from trackers import backfills, filters
from trackers.models import (
    Conversation,
    Scan,
    ScanState,
    Tracker,
    TrackerState,
    TrackerVersion,
)

REASON_UNPUBLISHED = "The tracker was unpublished."


class StaleForm(Exception):
    """Somebody else changed this tracker after the form was opened; look again, then decide."""


class NotPublishable(Exception):
    """A tracker that cannot be published; the message says why."""


class AlreadyPublished(Exception):
    """This tracker is published already, and its question has not changed since."""


class NotPublished(Exception):
    """This tracker is not published."""


def draft_version(tracker: Tracker) -> TrackerVersion | None:
    """Return the version being drafted; None when the published one is unchanged."""
    return tracker.versions.filter(published_at=None).first()


def next_version(tracker: Tracker) -> TrackerVersion | None:
    """Return the version that publishing would bring into force; None for a tracker without one."""
    return draft_version(tracker) or tracker.current_version


def publish(*, tracker_id: UUID, edit_number: int, by: User, now: datetime) -> Tracker:
    """Begin to scan new conversations with the tracker's newest version.

    A version of before stops: its running backfill ends, its queued scans are skipped. History
    costs nothing until a backfill takes it.

    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises AlreadyPublished: nothing to publish.
    :raises NotPublishable: no question, or filters that match nothing.
    """
    with transaction.atomic():
        tracker = _locked(tracker_id, edit_number)
        draft = draft_version(tracker)
        if tracker.state == TrackerState.PUBLISHED and draft is None:
            raise AlreadyPublished(AlreadyPublished.__doc__)
        version = draft or tracker.current_version
        if version is None or not version.question.strip():
            raise NotPublishable("A tracker needs a question before it can be published.")
        refuse_filters_that_match_nothing(tracker)
        if draft is not None:
            _retire(tracker, by=by, now=now, reason="A new version was published.")
            draft.published_at = now
            draft.save(update_fields=["published_at"])
            tracker.current_version = draft
        tracker.state = TrackerState.PUBLISHED
        tracker.first_published_at = tracker.first_published_at or now
        tracker.published_at = now
        tracker.unpublished_at = None
        _save(tracker, by)
    return tracker


def unpublish(*, tracker_id: UUID, edit_number: int, by: User, now: datetime) -> Tracker:
    """Stop new analysis and keep the history; what waits is skipped, what runs is not charged.

    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises NotPublished: it is a draft or unpublished already.
    """
    with transaction.atomic():
        tracker = _locked(tracker_id, edit_number)
        if tracker.state != TrackerState.PUBLISHED:
            raise NotPublished(NotPublished.__doc__)
        _retire(tracker, by=by, now=now, reason=REASON_UNPUBLISHED)
        tracker.state = TrackerState.UNPUBLISHED
        tracker.unpublished_at = now
        _save(tracker, by)
    return tracker


def refuse_filters_that_match_nothing(tracker: Tracker) -> None:
    """Check that the filters let something through.

    A company without any conversation of the tracker's kinds cannot tell, and is not asked.

    :raises NotPublishable: there are conversations, and none passes.
    """
    if not tracker.filters.exists() or filters.matching(tracker).exists():
        return
    read = Conversation.objects.filter(
        company_id=tracker.company_id, kind__in=filters.kinds(tracker)
    )
    if read.exists():
        raise NotPublishable(
            "No conversation passes these filters, so the tracker would never run. Widen them."
        )


def _locked(tracker_id: UUID, edit_number: int) -> Tracker:
    """Lock the tracker's backfills, then the tracker: parents first, in one order everywhere."""
    backfills.lock_of_tracker(tracker_id)
    tracker = (
        Tracker.objects.select_for_update(of=("self",))
        .select_related("current_version", "company")
        .get(pk=tracker_id)
    )
    if tracker.edit_number != edit_number:
        raise StaleForm(StaleForm.__doc__)
    return tracker


def _retire(tracker: Tracker, *, by: User, now: datetime, reason: str) -> None:
    """End what the version in force has under way; its results stay."""
    backfills.stop_of_tracker(tracker=tracker, by=by, now=now, reason=reason)
    Scan.objects.filter(tracker=tracker, state__in=[ScanState.PENDING, ScanState.WAITING]).update(
        state=ScanState.SKIPPED, finished_at=now, reason=reason
    )


def _save(tracker: Tracker, by: User) -> None:
    tracker.edit_number += 1
    tracker._history_user = by  # type: ignore[attr-defined]
    tracker.save()
