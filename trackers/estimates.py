"""What scanning would cost, from counts alone: the rates and the matching that charge.

Free, and exact for conversations that are there (SPEC §3: the price is known before any AI runs).
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, UUIDField, Value

from credits import rating
from credits.rating import Rates, Work
from trackers import filters
from trackers.models import (
    Conversation,
    Scan,
    ScanState,
    Tracker,
    TrackerFilter,
    TrackerVersion,
)

MONTH = timedelta(days=30)

# What a backfill may take over; the rest is done, under way or about to be.
ADOPTABLE = [ScanState.WAITING, ScanState.FAILED, ScanState.SKIPPED]


@dataclass(frozen=True, slots=True)
class ScanEstimate:
    """The price of reading some conversations once, in credits."""

    conversations: int
    calls: int
    emails: int
    credits: Decimal


def of(conversations: QuerySet[Conversation], *, side: str, rates: Rates) -> ScanEstimate:
    """Price the reading of every conversation of a query."""
    rows = (
        filters.with_item(conversations, side).order_by().values("item").annotate(count=Count("pk"))
    )
    return _priced({row["item"]: row["count"] for row in rows}, rates)


def monthly(
    *, tracker: Tracker, version: TrackerVersion, now: datetime, rates: Rates
) -> ScanEstimate:
    """Price the matching conversations of the last 30 days: what a month costs at this pace."""
    return of(recent(tracker, now), side=version.side, rates=rates)


def monthly_of(
    pairs: Iterable[tuple[Tracker, TrackerVersion]], *, now: datetime, rates: Rates
) -> dict[UUID, ScanEstimate]:
    """Price a month of many trackers, each with a version, in one query; by tracker id."""
    counts: dict[UUID, dict[str, int]] = {}
    queries = []
    for tracker, version in pairs:
        counts[tracker.pk] = defaultdict(int)
        queries.append(
            filters.with_item(recent(tracker, now), version.side)
            .order_by()
            .annotate(tracker_ref=Value(tracker.pk, output_field=UUIDField()))
            .values("tracker_ref", "item")
            .annotate(count=Count("pk"))
        )
    if queries:
        for row in queries[0].union(*queries[1:], all=True):
            counts[row["tracker_ref"]][row["item"]] += row["count"]
    return {pk: _priced(tally, rates) for pk, tally in counts.items()}


def backfill(
    *,
    tracker: Tracker,
    version: TrackerVersion,
    from_at: datetime,
    to_at: datetime,
    rates: Rates,
) -> ScanEstimate:
    """Price a backfill of ``from_at <= start < to_at`` exactly."""
    history = unscanned(tracker, version).filter(started_at__gte=from_at, started_at__lt=to_at)
    return of(history, side=version.side, rates=rates)


def unscanned(tracker: Tracker, version: TrackerVersion) -> QuerySet[Conversation]:
    """Return what a backfill would read: matching, and not read, leased or queued yet.

    By the current text revision: a text that changed since may be read again.
    """
    taken = Scan.objects.filter(
        ~Q(state__in=ADOPTABLE),
        version=version,
        conversation=OuterRef("pk"),
        revision=OuterRef("text_revision"),
    )
    return filters.matching(tracker).exclude(Exists(taken))


def oldest_start(tracker: Tracker) -> datetime | None:
    """Return when the oldest matching conversation started; None when there is none."""
    return (
        filters.matching(tracker)
        .order_by("started_at")
        .values_list("started_at", flat=True)
        .first()
    )


def recent(
    tracker: Tracker, now: datetime, conditions: Iterable[TrackerFilter] | None = None
) -> QuerySet[Conversation]:
    """Return the matching conversations of the last 30 days, with other filters if given."""
    matching = filters.matching(tracker, conditions)
    return matching.filter(started_at__gte=now - MONTH, started_at__lt=now)


def _priced(counts: dict[str, int], rates: Rates) -> ScanEstimate:
    work = Work.of_items(counts)
    return ScanEstimate(
        conversations=work.calls + work.emails,
        calls=work.calls,
        emails=work.emails,
        credits=rating.price(work, rates),
    )
