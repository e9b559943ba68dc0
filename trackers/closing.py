"""What ends of trackers' work when their company is closed (setting ``COMPANY_CLOSING``)."""

from __future__ import annotations

from datetime import datetime

from django.db import transaction
from django.db.models import QuerySet

from credits.models import Company, User
from trackers import backfills, publishing, requeuing
from trackers.models import Backfill, Scan, ScanState, Tracker, TrackerState

REASON = "The company was closed."


def facts(*, company: Company) -> tuple[tuple[str, int], ...]:
    """Return what ``close`` would end now, as (name, count)."""
    return (
        ("Trackers unpublished", _published(company).count()),
        ("Backfills stopped", _live(company).count()),
        ("Queued or waiting conversations skipped", _queued(company).count()),
        ("Conversations read just now, thrown away uncharged", _running(company).count()),
    )


def close(*, company: Company, by: User, now: datetime) -> None:
    """Unpublish the company's trackers, stop its backfills, and skip what is queued or waits.

    Inside the caller's transaction, which has locked the company. A worker that reads just now
    finds its tracker unpublished when it wants to write, and throws its results away.
    """
    with transaction.atomic():
        # Parents first, backfills before trackers, by id: one lock order everywhere.
        list(_live(company).select_for_update().order_by("pk").values_list("pk"))
        trackers = _published(company).select_for_update(of=("self",)).order_by("pk")
        for tracker in trackers.select_related("current_version", "company"):
            publishing.take_down(tracker, by=by, now=now, reason=REASON)
        rest = _queued(company).select_for_update(of=("self",), no_key=True).order_by("pk")
        requeuing.skip([scan.pk for scan in rest], now=now, reason=REASON)


def _published(company: Company) -> QuerySet[Tracker]:
    return Tracker.objects.filter(company=company, state=TrackerState.PUBLISHED)


def _live(company: Company) -> QuerySet[Backfill]:
    return Backfill.objects.filter(company=company, state__in=backfills.LIVE_STATES)


def _queued(company: Company) -> QuerySet[Scan]:
    return Scan.objects.filter(company=company, state__in=requeuing.QUEUED)


def _running(company: Company) -> QuerySet[Scan]:
    return Scan.objects.filter(company=company, state=ScanState.RUNNING)
