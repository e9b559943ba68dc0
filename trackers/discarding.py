"""Delete a tracker that nothing uses: a draft, with its questions, filters and tests (SPEC §5)."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction

from credits import audit, zones
from credits.audit import Action, Actor
from credits.models import User
from trackers import briefs, publishing
from trackers.models import Preview, Review, Tracker, TrackerState, TrackerVersion


class NotDiscarded(Exception):
    """A tracker that stays; the message says why and what to do instead."""


def refusal(tracker: Tracker, *, now: datetime) -> str:
    """Say why a tracker cannot be deleted; empty when it can.

    What was published once stays, because results, usage and reports name it. What was tested
    today stays until tomorrow: its tests count against the day's limits.
    """
    if tracker.state != TrackerState.DRAFT:
        instead = (
            "Unpublish it instead."
            if tracker.state == TrackerState.PUBLISHED
            else "It is unpublished already, so it reads nothing new."
        )
        return (
            f"Not deleted: this tracker was published, and its results and usage name it. {instead}"
        )
    zone = ZoneInfo(tracker.company.time_zone)
    today, _ = zones.days(now.astimezone(zone).date(), now.astimezone(zone).date(), zone)
    if used_by := briefs.that_use(tracker, published=False):
        them = "it" if len(used_by) == 1 else "them"
        return (
            f"Not deleted: {briefs.named(used_by)} would show its results. Take it out of {them} "
            "first."
        )
    if Preview.objects.filter(tracker=tracker, begun_at__gte=today).exists():
        return "Not deleted: this tracker was tested today. Delete it tomorrow."
    return ""


def discard(
    *,
    tracker_id: UUID,
    edit_number: int,
    by: User,
    now: datetime,
    through: Actor | None = None,
) -> None:
    """Delete a draft with its questions, filters and tests; uses of 0 that it had stay in usage.

    ``through`` is who acts in the name of ``by``.

    :raises StaleForm: somebody changed the tracker after ``edit_number`` was read.
    :raises NotDiscarded: something uses it.
    """
    with transaction.atomic():
        tracker = publishing.lock(tracker_id, edit_number)
        if reason := refusal(tracker, now=now):
            raise NotDiscarded(reason)
        audit.record(
            action=Action.DELETED,
            by=through or by,
            company=tracker.company_id,
            subject=tracker,
            before={"name": tracker.name, "question": _question(tracker)},
        )
        Review.objects.filter(tracker=tracker).delete()
        Preview.objects.filter(tracker=tracker).delete()
        TrackerVersion.objects.filter(tracker=tracker).delete()
        tracker._history_user = by  # type: ignore[attr-defined]
        tracker._history_date = now  # type: ignore[attr-defined]
        tracker.delete()


def _question(tracker: Tracker) -> str:
    version = publishing.next_version(tracker)
    return "" if version is None else version.question
