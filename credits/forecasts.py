"""When the credits run out at the present pace, and what expires unused (SPEC §6, UX §2.9).

Walk from now, day by day: each local day uses what its weekday used on average over the last 28
full days. Lots are drawn in spending order, leave at their expiry and arrive at their start. What
is held, and what waits for credits, counts as used already. The range comes from the same walk
over days drawn at random from the same weekday's past.

Everything here is an estimate, in floating point and shown with “≈”; nothing is charged by it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from credits import zones
from credits.amounts import ZERO, exact
from credits.metering import DayUse
from credits.models import CreditGrant

HISTORY_DAYS = 28
HISTORY_DAYS_MIN = 3
HORIZON_DAYS = 366
PATHS = 500
PERCENTILES = (10, 90)
# Fixed, so that the same history gives the same range on every load.
SEED = 28
# Below a thousandth of a credit nothing is missing: floating point leaves crumbs.
CRUMB = 0.0005

METHOD = (
    "Each coming day uses what its weekday used on average over the last 28 full days; grants "
    "leave when they expire and arrive when they start; what is held or waits counts as used."
)

Floats = NDArray[np.float64]


class Lot(NamedTuple):
    """Credits free to be spent in ``starts_at <= t < expires_at``; a forecast's view of a grant."""

    ref: UUID
    free: Decimal
    starts_at: datetime
    expires_at: datetime | None


@dataclass(frozen=True, slots=True)
class Pace:
    """What each local day used, oldest first, and what the day under way has used so far."""

    first: date
    daily: tuple[Decimal, ...]
    today: Decimal

    @property
    def is_enough(self) -> bool:
        return len(self.daily) >= HISTORY_DAYS_MIN

    @property
    def mean(self) -> Decimal:
        """Return the mean credits a day; 0 without a full day."""
        return sum(self.daily, ZERO) / len(self.daily) if self.daily else ZERO

    def samples(self, weekday: int) -> tuple[Decimal, ...]:
        """Return what this weekday used; all days where none of it has passed yet."""
        mine = tuple(
            amount
            for place, amount in enumerate(self.daily)
            if (self.first + timedelta(days=place)).weekday() == weekday
        )
        return mine or self.daily


@dataclass(frozen=True, slots=True)
class Waste:
    """What is left of a lot when it expires."""

    ref: UUID
    credits: Decimal
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the credits run out, as local days.

    ``runs_out_on`` is None when they last longer than the horizon of 366 days; so are the bounds
    of the range. ``wasted`` are the lots that expire with something left, the soonest first.
    """

    per_day: Decimal
    history_days: int
    runs_out_on: date | None
    earliest: date | None
    latest: date | None
    wasted: tuple[Waste, ...]

    def wasted_of(self, refs: Iterable[UUID]) -> Decimal:
        """Return what expires unused of some lots together."""
        wanted = set(refs)
        return sum((waste.credits for waste in self.wasted if waste.ref in wanted), ZERO)


class _Span(NamedTuple):
    """A stretch of one local day without a lot's start or end: its share of the day's use."""

    starts_at: datetime
    ends_at: datetime
    day: int
    share: float


def pace(*, uses: Iterable[DayUse], today: date) -> Pace:
    """Return the pace of the last 28 full days, or of as many as there are since the first use."""
    totals: dict[date, Decimal] = {}
    for use in uses:
        totals[use.day] = totals.get(use.day, ZERO) + use.credits
    used = [day for day, amount in totals.items() if amount and day < today]
    first = max(min(used, default=today), today - timedelta(days=HISTORY_DAYS))
    days = (first + timedelta(days=ago) for ago in range((today - first).days))
    return Pace(
        first=first,
        daily=tuple(totals.get(day, ZERO) for day in days),
        today=totals.get(today, ZERO),
    )


def lots_of(grants: Iterable[CreditGrant]) -> list[Lot]:
    """Return what is free on grants that have or will have something, in spending order."""
    last = datetime.max.replace(tzinfo=UTC)
    live = [grant for grant in grants if grant.granted_at is None or grant.remaining > grant.held]
    live.sort(
        key=lambda grant: (
            grant.priority,
            grant.expires_at or last,
            grant.source_rank,
            grant.effective_at,
            grant.pk,
        )
    )
    return [
        Lot(
            ref=grant.pk,
            free=grant.amount if grant.granted_at is None else grant.remaining - grant.held,
            starts_at=grant.effective_at,
            expires_at=grant.expires_at,
        )
        for grant in live
    ]


def of(
    *,
    lots: Sequence[Lot],
    pace: Pace,
    waiting: Decimal,
    instant: datetime,
    zone: ZoneInfo,
    more_per_day: Decimal = ZERO,
) -> Forecast | None:
    """Return the forecast as of ``instant``; None with fewer than three full days of use.

    ``more_per_day`` is what a change under consideration would use beyond the present pace, or
    less if negative.
    """
    if not pace.is_enough:
        return None
    today = instant.astimezone(zone).date()
    spans = _spans(lots, instant, zone)
    point, wasted = _walk(lots, spans, _mean_days(pace, today, more_per_day), waiting, waste=True)
    paths, _ = _walk(lots, spans, _drawn_days(pace, today, more_per_day), waiting)
    low, high = (_percentile(paths, percent) for percent in PERCENTILES)
    return Forecast(
        per_day=pace.mean + more_per_day,
        history_days=len(pace.daily),
        runs_out_on=_local_day(point[0], zone),
        earliest=_local_day(low, zone),
        latest=_local_day(high, zone),
        wasted=wasted,
    )


def _spans(lots: Sequence[Lot], instant: datetime, zone: ZoneInfo) -> list[_Span]:
    """Cut the horizon at local midnights and at the lots' starts and ends."""
    today = instant.astimezone(zone).date()
    days = [instant] + [
        zones.start_of_day(today + timedelta(days=ahead), zone)
        for ahead in range(1, HORIZON_DAYS + 1)
    ]
    turns = {lot.starts_at for lot in lots} | {lot.expires_at for lot in lots if lot.expires_at}
    spans = []
    for day, (begin, end) in enumerate(itertools.pairwise(days)):
        cuts = [begin, *sorted(turn for turn in turns if begin < turn < end), end]
        spans += [
            _Span(cut, following, day, (following - cut) / (end - begin))
            for cut, following in itertools.pairwise(cuts)
        ]
    return spans


def _mean_days(pace: Pace, today: date, more: Decimal) -> Floats:
    """Return one path: what each day of the horizon uses on average; today, what is to come."""
    means = [float(np.mean([float(one) for one in pace.samples(day)])) for day in range(7)]
    days = np.array([means[(today.weekday() + ahead) % 7] for ahead in range(HORIZON_DAYS)])
    return _to_come(days[np.newaxis, :], pace, more)


def _drawn_days(pace: Pace, today: date, more: Decimal) -> Floats:
    """Return many paths: each day drawn from the same weekday's past."""
    generator = np.random.default_rng(SEED)
    days = np.empty((PATHS, HORIZON_DAYS))
    for weekday in range(7):
        samples = np.array([float(one) for one in pace.samples(weekday)])
        ahead = np.arange((weekday - today.weekday()) % 7, HORIZON_DAYS, 7)
        days[:, ahead] = generator.choice(samples, size=(PATHS, len(ahead)))
    return _to_come(days, pace, more)


def _to_come(days: Floats, pace: Pace, more: Decimal) -> Floats:
    days = days + float(more)
    days[:, 0] -= float(pace.today)
    return np.maximum(days, 0.0)


def _walk(
    lots: Sequence[Lot],
    spans: Sequence[_Span],
    days: Floats,
    waiting: Decimal,
    *,
    waste: bool = False,
) -> tuple[list[datetime | None], tuple[Waste, ...]]:
    """Draw each path's days from the lots; return when each path first lacks credits.

    Without ``waste`` the walk ends as soon as every path has run out.
    """
    left = np.tile(np.array([float(lot.free) for lot in lots]), (len(days), 1))
    owed = np.full(len(days), float(waiting))
    out: list[datetime | None] = [None] * len(days)
    lasts = np.ones(len(days), dtype=bool)
    wasted: list[Waste] = []
    for span in spans:
        if waste:
            wasted += [
                Waste(lot.ref, exact(f"{left[0, place]:.3f}"), span.starts_at)
                for place, lot in enumerate(lots)
                if lot.expires_at == span.starts_at and left[0, place] >= CRUMB
            ]
        wanted = days[:, span.day] * span.share + owed
        missing = wanted.copy()
        for place, lot in enumerate(lots):
            if lot.starts_at <= span.starts_at and _is_live(lot, span.starts_at):
                taken = np.minimum(missing, left[:, place])
                left[:, place] -= taken
                missing -= taken
        # What waits is taken first, from whatever is there, and asked for only once.
        owed = np.zeros(len(days))
        for path in np.flatnonzero(lasts & (missing >= CRUMB)):
            served = 1 - missing[path] / wanted[path]
            out[path] = span.starts_at + (span.ends_at - span.starts_at) * float(served)
            lasts[path] = False
        if not waste and not lasts.any():
            break
    return out, tuple(wasted)


def _is_live(lot: Lot, instant: datetime) -> bool:
    return lot.expires_at is None or lot.expires_at > instant


def _percentile(instants: Sequence[datetime | None], percent: int) -> datetime | None:
    """Return the instant by which ``percent`` of the paths have run out; None: later than all."""
    last = datetime.max.replace(tzinfo=UTC)
    ordered: list[Any] = sorted(instant or last for instant in instants)
    found = ordered[(len(ordered) - 1) * percent // 100]
    return None if found == last else found


def _local_day(instant: datetime | None, zone: ZoneInfo) -> date | None:
    return None if instant is None else instant.astimezone(zone).date()
