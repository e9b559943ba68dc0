"""A tracker's life: draft, published, unpublished (SPEC §5)."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from credits import audit, balances, rating
from credits.amounts import ZERO
from credits.audit import Action, Actor
from credits.models import User
from trackers import backfills, briefs, changes, estimates, filters, locks, requeuing
from trackers.backfills import Plan
from trackers.models import (
    Brief,
    Conversation,
    Scan,
    Tracker,
    TrackerState,
    TrackerVersion,
)

REASON_REPLACED = "A new version was published."
REASON_UNPUBLISHED = "The tracker was unpublished."
# A month's estimate above this part of what is available has to be accepted.
SHARE_TO_ACCEPT = Decimal("0.1")


class StaleForm(Exception):
    """Somebody changed this tracker after the form was opened; the message says who and when."""


class NotPublishable(Exception):
    """A tracker that cannot be published; the message says why."""


class AlreadyPublished(Exception):
    """This tracker is published already, and its question has not changed since."""


class NotPublished(Exception):
    """This tracker is not published."""


class UsedByBriefs(Exception):
    """A tracker that published briefs show; the message names them and says what to do."""

    def __init__(self, used_by: Sequence[Brief]) -> None:
        self.briefs = tuple(used_by)
        them, verb = ("it", "shows") if len(used_by) == 1 else ("them", "show")
        super().__init__(
            f"Not unpublished: {briefs.named(used_by)} {verb} its results. Take it out of {them}, "
            f"or unpublish {them} first."
        )


def draft_version(tracker: Tracker) -> TrackerVersion | None:
    """Return the version being drafted; None when the published one is unchanged."""
    return tracker.versions.filter(published_at=None).first()


def next_version(tracker: Tracker) -> TrackerVersion | None:
    """Return the version that publishing would bring into force; None for a tracker without one."""
    return draft_version(tracker) or tracker.current_version


def publish(
    *,
    tracker_id: UUID,
    edit_number: int,
    by: User,
    now: datetime,
    history: Plan | None = None,
    through: Actor | None = None,
) -> Tracker:
    """Begin to scan new conversations with the tracker's newest version.

    A version of before stops: its running backfill ends, and what it had queued of new
    conversations is queued for the new version instead. What a worker reads just then goes on in
    the same way, unless it was written before. History costs nothing until a backfill takes it;
    with a plan for it, both happen or neither does. ``through`` is who acts in the name of ``by``.

    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises AlreadyPublished: nothing to publish.
    :raises NotPublishable: no question, or filters that match nothing.
    :raises BackfillRefused: the history cannot be scanned as planned; nothing was published.
    :raises CompanyClosed: nothing is read in a closed company.
    """
    # Read before the transaction: settling holds the pool, and the list may be long.
    available = ZERO if history is None else _available(tracker_id)
    month_estimate, moved = _priced(tracker_id, now)
    with transaction.atomic():
        locks.keep_open(company_of(tracker_id))
        tracker = lock(tracker_id, edit_number)
        draft = draft_version(tracker)
        if tracker.state == TrackerState.PUBLISHED and draft is None:
            raise AlreadyPublished(AlreadyPublished.__doc__)
        version = draft or tracker.current_version
        if version is None or not version.question.strip():
            raise NotPublishable("A tracker needs a question before it can be published.")
        refuse_filters_that_match_nothing(tracker)
        was_published = tracker.state == TrackerState.PUBLISHED
        before = _for_the_trail(tracker.version_in_force) if was_published else {}
        if draft is not None:
            backfills.stop_of_tracker(tracker=tracker, by=by, now=now, reason=REASON_REPLACED)
            draft.published_at, draft.month_estimate = now, month_estimate
            draft.save(update_fields=["published_at", "month_estimate"])
            tracker.current_version = draft
        tracker.state = TrackerState.PUBLISHED
        tracker.first_published_at = tracker.first_published_at or now
        tracker.published_at = now
        tracker.unpublished_at = None
        save(tracker, by=by, now=now)
        changes.keep_move(tracker, more_a_month=moved, by=by, now=now)
        audit.record(
            action=Action.PUBLISHED,
            by=through or by,
            company=tracker.company_id,
            subject=tracker,
            before=before,
            after=_for_the_trail(version),
        )
        if draft is not None:
            requeuing.retire(
                tracker=tracker, scans=_queued(tracker), now=now, reason=REASON_REPLACED
            )
        if history is not None:
            backfills.start(
                tracker=tracker,
                plan=history,
                available=available,
                by=by,
                now=now,
                through=through,
            )
    return tracker


def unpublish(
    *,
    tracker_id: UUID,
    edit_number: int,
    by: User,
    now: datetime,
    through: Actor | None = None,
) -> Tracker:
    """Stop new analysis and keep the history; what waits is skipped, what runs is not charged.

    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises NotPublished: it is a draft or unpublished already.
    :raises UsedByBriefs: published briefs show its results.
    """
    used_a_month = _used_a_month(_to_price(tracker_id), now)
    with transaction.atomic():
        tracker = lock(tracker_id, edit_number)
        if tracker.state != TrackerState.PUBLISHED:
            raise NotPublished(NotPublished.__doc__)
        if used_by := briefs.that_use(tracker, published=True):
            raise UsedByBriefs(used_by)
        take_down(tracker, by=by, now=now, reason=REASON_UNPUBLISHED, through=through)
        changes.keep_move(tracker, more_a_month=-used_a_month, by=by, now=now)
    return tracker


def take_down(
    tracker: Tracker, *, by: User, now: datetime, reason: str, through: Actor | None = None
) -> None:
    """Unpublish a published tracker that, like its backfills, the caller's transaction locked."""
    backfills.stop_of_tracker(tracker=tracker, by=by, now=now, reason=reason)
    tracker.state = TrackerState.UNPUBLISHED
    tracker.unpublished_at = now
    save(tracker, by=by, now=now)
    audit.record(
        action=Action.UNPUBLISHED, by=through or by, company=tracker.company_id, subject=tracker
    )
    requeuing.retire(tracker=tracker, scans=_queued(tracker), now=now, reason=reason)


def refuse_filters_that_match_nothing(tracker: Tracker) -> None:
    """Check that the filters let something through.

    :raises NotPublishable: there are conversations, and none passes.
    """
    if filters.pass_nothing(tracker):
        raise NotPublishable(
            "No conversation passes these filters, so the tracker would never run. Widen them."
        )


def lock(tracker_id: UUID, edit_number: int) -> Tracker:
    """Lock the tracker's backfills, then the tracker: parents first, in one order everywhere.

    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    """
    backfills.lock_of_tracker(tracker_id)
    tracker = (
        Tracker.objects.select_for_update(of=("self",))
        .select_related("current_version", "company")
        .get(pk=tracker_id)
    )
    if tracker.edit_number != edit_number:
        raise StaleForm(_who_changed(tracker))
    return tracker


def save(tracker: Tracker, *, by: User, now: datetime, reason: str = "") -> None:
    """Write a locked tracker and its history row; ``reason`` says what no column of it shows.

    It names nobody: what is erased must not be in it. Filters are resolved from ``Narrowing``.
    """
    tracker.edit_number += 1
    tracker._history_user = by  # type: ignore[attr-defined]
    tracker._history_date = now  # type: ignore[attr-defined]
    tracker._change_reason = reason or None  # type: ignore[attr-defined]
    tracker.save()


def needs_acceptance(month: Decimal, *, available: Decimal) -> bool:
    """Tell whether a month's credits are so much of what is available that somebody accepts it."""
    return month > available * SHARE_TO_ACCEPT


def company_of(tracker_id: UUID) -> int:
    """Return the id of a tracker's company."""
    return Tracker.objects.values_list("company_id", flat=True).get(pk=tracker_id)


def _available(tracker_id: UUID) -> Decimal:
    company = Tracker.objects.select_related("company").get(pk=tracker_id).company
    return balances.now(company=company).available


def _priced(tracker_id: UUID, now: datetime) -> tuple[Decimal | None, Decimal]:
    """Return what a month of the next version costs at the pace of the last 30 days, and by how
    many credits a month that moves what the company uses: it takes the place of one in force.

    Read before the transaction too: of a tracker changed since nothing is published.

    The first is None where the company's conversations do not reach back so far, so that nothing
    is to be expected of the figure; and where there is nothing to publish.
    """
    tracker = _to_price(tracker_id)
    version = next_version(tracker)
    month = _month_of(tracker, version, now)
    moved = month - _used_a_month(tracker, now)
    earlier = Conversation.objects.filter(
        company=tracker.company_id, started_at__lte=now - estimates.MONTH
    )
    if version is None or not earlier.exists():
        return None, moved
    return month, moved


def _used_a_month(tracker: Tracker, now: datetime) -> Decimal:
    """Return what a month of the version in force costs; 0 for what is not published."""
    is_published = tracker.state == TrackerState.PUBLISHED
    return _month_of(tracker, tracker.current_version if is_published else None, now)


def _month_of(tracker: Tracker, version: TrackerVersion | None, now: datetime) -> Decimal:
    if version is None:
        return ZERO
    recent = estimates.recent(tracker, now)
    return estimates.of(recent, version=version, rates=rating.rates_at(now)).credits


def _to_price(tracker_id: UUID) -> Tracker:
    return Tracker.objects.select_related("current_version").get(pk=tracker_id)


def _for_the_trail(version: TrackerVersion) -> dict[str, object]:
    return {"version": version.number, "question": version.question}


def _who_changed(tracker: Tracker) -> str:
    """Say who changed a tracker last and when, in its company's time."""
    last = tracker.history.select_related("history_user").latest("history_id")
    who = last.history_user.get_short_name() if last.history_user else "Somebody"
    at = last.history_date.astimezone(ZoneInfo(tracker.company.time_zone))
    return (
        f"{who} changed this at {at:%H:%M %Z} on {at.day} {at:%b %Y}, after you opened it. "
        "Nothing was saved; look at it again, then decide."
    )


def _queued(tracker: Tracker) -> list[Scan]:
    """Lock what the tracker has queued and no worker has begun."""
    queued = Scan.objects.filter(tracker=tracker, state__in=requeuing.QUEUED)
    return list(queued.select_for_update(no_key=True).order_by("pk"))
