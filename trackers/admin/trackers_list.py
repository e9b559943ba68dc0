"""The list of trackers, with the figures of one page in a fixed number of queries."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q
from django.http import HttpRequest
from django.utils import timezone
from unfold.views import ChangeList

from credits import metering, overview, rating, shown, zones
from credits.amounts import ZERO
from credits.models import FeatureType
from trackers import estimates
from trackers.estimates import ScanEstimate
from trackers.models import Scan, ScanState, Tracker, TrackerVersion, Verdict


@dataclass(frozen=True, slots=True)
class Figures:
    """A tracker's last 30 local days, today included, as the credits page counts them.

    ``monthly`` is None while it has no question.
    """

    used: Decimal
    monthly: ScanEstimate | None
    results: int
    found: int
    unsure: int
    waiting: int
    limited: int


class TrackerChangeList(ChangeList):
    """Adds ``figures`` to each tracker of the page."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        found = figures_of(rows, now=timezone.now())
        for tracker in rows:
            tracker.figures = found[tracker.pk]
        self.result_list = rows


def version_shown(tracker: Any) -> TrackerVersion | None:
    """Return the version a list shows: the drafted one, prefetched as ``drafts``, or in force."""
    return tracker.drafts[0] if tracker.drafts else tracker.current_version


def figures_of(trackers: list[Tracker], *, now: datetime) -> dict[UUID, Figures]:
    """Count what trackers used and found in the last 30 days, and what they wait for."""
    if not trackers:
        return {}
    ids = [tracker.pk for tracker in trackers]
    used: dict[UUID | None, Decimal] = defaultdict(Decimal)
    done = Q()
    for company in {tracker.company for tracker in trackers}:
        zone = shown.zone_of(company)
        today = now.astimezone(zone).date()
        first = today - timedelta(days=overview.DAYS - 1)
        for use in metering.daily(company=company, first=first, last=today):
            if use.feature.type == FeatureType.TRACKER:
                used[use.feature.ref] += use.credits
        done |= Q(company=company, finished_at__gte=zones.start_of_day(first, zone))
    done &= Q(state=ScanState.DONE)
    limited = Q(state=ScanState.PENDING, limit_ref__isnull=False, due_at__gt=now)
    scans = {
        row["tracker"]: row
        for row in Scan.objects.filter(done | limited | Q(state=ScanState.WAITING), tracker__in=ids)
        .order_by()
        .values("tracker")
        .annotate(
            results=Count("pk", filter=done),
            found=Count("pk", filter=done & Q(verdict=Verdict.YES)),
            unsure=Count("pk", filter=done & Q(verdict=Verdict.UNSURE)),
            waiting=Count("pk", filter=Q(state=ScanState.WAITING)),
            limited=Count("pk", filter=limited),
        )
    }
    asked = [(one, version) for one in trackers if (version := version_shown(one)) is not None]
    monthly = estimates.monthly_of(asked, now=now, rates=rating.rates_at(now))
    return {
        pk: Figures(
            used=used.get(pk, ZERO),
            monthly=monthly.get(pk),
            results=scans[pk]["results"] if pk in scans else 0,
            found=scans[pk]["found"] if pk in scans else 0,
            unsure=scans[pk]["unsure"] if pk in scans else 0,
            waiting=scans[pk]["waiting"] if pk in scans else 0,
            limited=scans[pk]["limited"] if pk in scans else 0,
        )
        for pk in ids
    }
