"""What scanning would cost, from counts alone: the rates and the matching that charge.

Free, and exact for conversations that are there (SPEC §3: the price is known before any AI runs).
"""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db.models import (
    Count,
    Exists,
    F,
    Func,
    IntegerField,
    OuterRef,
    Q,
    QuerySet,
    UUIDField,
    Value,
)

from credits import rating
from credits.amounts import ZERO
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
WEEK_DAYS = 7
TENTH = Decimal("0.1")
# Of a normal distribution, four fifths lie within so many standard deviations of the mean.
FOUR_FIFTHS = 1.2816

# What a backfill may take over; the rest is done, under way or about to be.
ADOPTABLE = [ScanState.WAITING, ScanState.FAILED, ScanState.SKIPPED]


@dataclass(frozen=True, slots=True)
class ScanEstimate:
    """The price of reading some conversations once, in credits."""

    conversations: int
    calls: int
    emails: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class MonthlyEstimate(ScanEstimate):
    """What a month costs at the pace of the last 30 days.

    The price of a conversation is exact; how many will come is not. Of months whose days vary as
    the last 30 did, beside the rhythm of the week, four in five cost between ``low`` and
    ``high`` credits (to 0.1). Both are 0 where reading costs nothing.
    """

    low: Decimal
    high: Decimal


def of(
    conversations: QuerySet[Conversation], *, version: TrackerVersion, rates: Rates
) -> ScanEstimate:
    """Price the reading of every conversation of a query."""
    rows = (
        filters.with_item(conversations, version)
        .order_by()
        .values("item")
        .annotate(count=Count("pk"))
    )
    return _priced({row["item"]: row["count"] for row in rows}, rates)


def monthly(
    *,
    tracker: Tracker,
    version: TrackerVersion,
    now: datetime,
    rates: Rates,
    conditions: Iterable[TrackerFilter] | None = None,
) -> MonthlyEstimate:
    """Price the matching conversations of the last 30 days: what a month costs at this pace.

    Each of the 30 days is 24 hours long and ends at ``now``'s time of day. ``conditions``, saved
    or not, stand in for the tracker's filters.
    """
    days: dict[int, dict[str, int]] = {day: defaultdict(int) for day in range(MONTH.days)}
    total: dict[str, int] = defaultdict(int)
    for row in (
        filters.with_item(recent(tracker, now, conditions), version)
        .order_by()
        .annotate(days_ago=_days_before(now))
        .values("days_ago", "item")
        .annotate(count=Count("pk"))
    ):
        # What began exactly 30 days ago is of the earliest day.
        days[min(row["days_ago"], MONTH.days - 1)][row["item"]] += row["count"]
        total[row["item"]] += row["count"]
    month = _priced(total, rates)
    spread = _spread([_priced(counts, rates).credits for counts in days.values()])
    return MonthlyEstimate(
        conversations=month.conversations,
        calls=month.calls,
        emails=month.emails,
        credits=month.credits,
        low=max(month.credits - spread, ZERO).quantize(TENTH),
        high=(month.credits + spread).quantize(TENTH),
    )


def monthly_of(
    pairs: Iterable[tuple[Tracker, TrackerVersion]], *, now: datetime, rates: Rates
) -> dict[UUID, ScanEstimate]:
    """Price a month of many trackers, each with a version, in one query; by tracker id."""
    counts: dict[UUID, dict[str, int]] = {}
    queries = []
    for tracker, version in pairs:
        counts[tracker.pk] = defaultdict(int)
        queries.append(
            filters.with_item(recent(tracker, now), version)
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
    return of(history, version=version, rates=rates)


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


def _days_before(now: datetime) -> Func:
    """Return how many whole days before ``now`` a conversation started."""
    return Func(
        Value(now) - F("started_at"),
        template="floor(extract(epoch FROM %(expressions)s) / 86400)::integer",
        output_field=IntegerField(),
    )


def _spread(days: list[Decimal]) -> Decimal:
    """Return how far a month's credits may be from their mean, four times in five.

    The days of one weekday are compared with each other only: that there is less on a Sunday
    than on a Monday is known, and no reason for a month to differ.
    """
    squares = 0.0
    for weekday in range(WEEK_DAYS):
        same = [float(credits) for credits in days[weekday::WEEK_DAYS]]
        mean = sum(same) / len(same)
        squares += sum((credits - mean) ** 2 for credits in same)
    variance_of_a_day = squares / (len(days) - WEEK_DAYS)
    return Decimal(FOUR_FIFTHS * math.sqrt(variance_of_a_day * len(days)))


def _priced(counts: dict[str, int], rates: Rates) -> ScanEstimate:
    work = Work.of_items(counts)
    return ScanEstimate(
        conversations=work.calls + work.emails,
        calls=work.calls,
        emails=work.emails,
        credits=rating.price(work, rates),
    )
