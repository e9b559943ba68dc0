"""The list of trackers, with the figures of one page in a fixed number of queries."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Q, Sum
from django.http import HttpRequest
from django.utils import timezone
from unfold.views import ChangeList

from credits import rating
from credits.amounts import ZERO
from credits.models import FeatureType, UsageEvent
from trackers import estimates
from trackers.estimates import MONTH, ScanEstimate
from trackers.models import Scan, ScanState, Tracker, TrackerVersion, Verdict


@dataclass(frozen=True, slots=True)
class Figures:
    """A tracker's last 30 days; ``monthly`` is None while it has no question."""

    used: Decimal
    monthly: ScanEstimate | None
    results: int
    found: int
    waiting: int


class TrackerChangeList(ChangeList):
    """Adds ``figures`` to each tracker of the page."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        shown: list[Any] = list(self.result_list)
        found = figures_of(shown, now=timezone.now())
        for tracker in shown:
            tracker.figures = found[tracker.pk]
        self.result_list = shown


def version_shown(tracker: Any) -> TrackerVersion | None:
    """Return the version a list shows: the drafted one, prefetched as ``drafts``, or in force."""
    return tracker.drafts[0] if tracker.drafts else tracker.current_version


def figures_of(trackers: list[Tracker], *, now: datetime) -> dict[UUID, Figures]:
    """Count what trackers used and found in the last 30 days, and what they wait for."""
    if not trackers:
        return {}
    since = now - MONTH
    ids = [tracker.pk for tracker in trackers]
    used = dict(
        UsageEvent.objects.filter(
            company__in={tracker.company_id for tracker in trackers},
            feature_type=FeatureType.TRACKER,
            feature_ref__in=ids,
            occurred_at__gte=since,
        )
        .order_by()
        .values_list("feature_ref")
        .annotate(Sum("amount"))
    )
    done = Q(state=ScanState.DONE, finished_at__gte=since)
    scans = {
        row["tracker"]: row
        for row in Scan.objects.filter(done | Q(state=ScanState.WAITING), tracker__in=ids)
        .order_by()
        .values("tracker")
        .annotate(
            results=Count("pk", filter=done),
            found=Count("pk", filter=done & Q(verdict=Verdict.YES)),
            waiting=Count("pk", filter=Q(state=ScanState.WAITING)),
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
            waiting=scans[pk]["waiting"] if pk in scans else 0,
        )
        for pk in ids
    }
