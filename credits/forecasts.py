"""When the credits run out at the present pace, and what expires unused (SPEC §6, UX §2.9).

Walk from now, day by day: each local day uses what its weekday used on average over the last 28
full days. Lots are drawn in spending order, leave at their expiry and arrive at their start. What
is held, and what waits for credits, counts as used already. The range comes from the same walk
over days drawn at random from the same weekday's past.

Everything here is an estimate, in floating point and shown with “≈”; nothing is charged by it.
"""

from __future__ import annotations

import functools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from credits import paths
from credits.amounts import QUANTUM, ZERO, exact
from credits.metering import DayUse
from credits.models import CreditGrant
from credits.paths import CRUMB, Calendar, Floats, Lot

HISTORY_DAYS = 28
USE_DAYS_MIN = 3
HORIZON_DAYS = 366
AHEAD_DAYS = 30
MONTH_DAYS = 61
PATHS = 500
# More than fifty lots at once are walked by fewer paths: the page has to come soon.
CELLS_MAX = 25_000
PERCENTILES = (10, 90)
# Fixed, so that the same history gives the same range on every load.
SEED = 28

METHOD = (
    "Each coming day uses what its weekday used on average over the last 28 full days; grants "
    "leave when they expire and arrive when they start, what is held or waits counts as used, and "
    "the range covers 8 of 10 courses put together from single past days."
)


@dataclass(frozen=True, slots=True)
class Pace:
    """What each local day used, oldest first, and what the day under way has used so far."""

    first: date
    daily: tuple[Decimal, ...]
    today: Decimal

    @property
    def use_days(self) -> int:
        """Return on how many of the full days anything was used."""
        return sum(1 for amount in self.daily if amount)

    @property
    def is_enough(self) -> bool:
        return self.use_days >= USE_DAYS_MIN

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
class DayAhead:
    """What one local day is expected to use; the first is what is left of today.

    ``balance`` is what is free when the day ends. ``ending`` are the lots whose last day it is,
    each with what expires of it unused, be that 0; what ends at midnight is in ``balance`` still.
    """

    day: date
    used: Decimal
    balance: Decimal
    ending: tuple[Waste, ...]


@dataclass(frozen=True, slots=True)
class Forecast:
    """When the credits run out, as local days.

    ``runs_out_on`` is None when they last longer than the horizon of 366 days, which ends at
    ``ends_at``; so are the bounds of the range. ``wasted`` are the lots that expire before with
    something left, the soonest first. ``ahead`` is the rest of today and the next 30 days.
    """

    per_day: Decimal
    history_days: int
    runs_out_on: date | None
    earliest: date | None
    latest: date | None
    wasted: tuple[Waste, ...]
    ahead: tuple[DayAhead, ...]
    ends_at: datetime

    def wasted_of(self, refs: Iterable[UUID]) -> Decimal:
        """Return what expires unused of some lots together, within the horizon."""
        wanted = set(refs)
        return sum((waste.credits for waste in self.wasted if waste.ref in wanted), ZERO)


def pace(*, uses: Iterable[DayUse], first_use: date | None, today: date) -> Pace:
    """Return the pace of the last 28 full days, or of as many as there are since the first use.

    ``uses`` reach back over those days at least, and ``first_use`` is the day of the very first,
    be it before them: None where nothing was ever used.
    """
    totals: dict[date, Decimal] = {}
    for use in uses:
        totals[use.day] = totals.get(use.day, ZERO) + use.credits
    first = max(first_use or today, today - timedelta(days=HISTORY_DAYS))
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
    """Return the forecast as of ``instant``; None with fewer than three full days with use.

    ``waiting`` is used at once. ``more_per_day`` is what a change under consideration would use
    beyond the present pace, or less if negative: on average, spread over the week as the present
    use is. More credits never run out sooner, and more use never later.
    """
    if not pace.is_enough:
        return None
    calendar = Calendar.begun(instant, zone, length=HORIZON_DAYS)
    factor = max(1 + float(more_per_day) / float(pace.mean), 0.0)
    at_once = float(waiting)
    point = _mean_days(pace, calendar.today, factor)
    # Cut into months as well: most courses end long before the horizon.
    months = [calendar.starts_at(day) for day in range(MONTH_DAYS, HORIZON_DAYS, MONTH_DAYS)]
    along = paths.stretches(lots, calendar, months)
    drawn = _drawn_days(pace, calendar.today, factor, count=_path_count(lots))
    out = paths.run_out_days(lots, along, point[np.newaxis, :], at_once=at_once)
    range_ = np.sort(paths.run_out_days(lots, along, drawn, at_once=at_once))
    low, high = (int(range_[(len(range_) - 1) * percent // 100]) for percent in PERCENTILES)
    wasted, ahead = _course(lots, calendar, point, at_once)
    return Forecast(
        per_day=max(pace.mean + more_per_day, ZERO).quantize(QUANTUM, rounding=ROUND_HALF_UP),
        history_days=len(pace.daily),
        runs_out_on=_date(int(out[0]), calendar),
        earliest=_date(low, calendar),
        latest=_date(high, calendar),
        wasted=wasted,
        ahead=ahead,
        ends_at=calendar.ends_at,
    )


def _mean_days(pace: Pace, today: date, factor: float) -> Floats:
    """Return what each day of the horizon uses on average; of today, what is to come."""
    means = [float(np.mean([float(one) for one in pace.samples(day)])) for day in range(7)]
    days = np.array([means[(today.weekday() + ahead) % 7] for ahead in range(HORIZON_DAYS)])
    return _to_come(days[np.newaxis, :], pace, factor)[0]


def _drawn_days(pace: Pace, today: date, factor: float, *, count: int) -> Floats:
    """Return many paths: each day drawn from the same weekday's past."""
    samples = [pace.samples(weekday) for weekday in range(7)]
    table = np.array([float(one) for mine in samples for one in mine])
    draws = _draws(tuple(len(mine) for mine in samples), today.weekday())
    return _to_come(table[draws[:count]], pace, factor)


@functools.lru_cache(maxsize=16)
def _draws(sizes: tuple[int, ...], weekday: int) -> NDArray[np.uint8]:
    """Draw all paths' days as numbers in the samples of all weekdays, one weekday after another."""
    generator = np.random.default_rng(SEED)
    draws = np.empty((PATHS, HORIZON_DAYS), np.uint8)
    for number, size in enumerate(sizes):
        ahead = np.arange((number - weekday) % 7, HORIZON_DAYS, 7)
        drawn = generator.integers(0, size, size=(PATHS, len(ahead)))
        draws[:, ahead] = drawn + sum(sizes[:number])
    return draws


def _to_come(days: Floats, pace: Pace, factor: float) -> Floats:
    if factor != 1:
        days = days * factor
    days[:, 0] = np.maximum(days[:, 0] - float(pace.today), 0.0)
    return days


def _path_count(lots: Sequence[Lot]) -> int:
    return min(PATHS, max(CELLS_MAX // max(len(lots), 1), 1))


def _course(
    lots: Sequence[Lot], calendar: Calendar, point: Floats, at_once: float
) -> tuple[tuple[Waste, ...], tuple[DayAhead, ...]]:
    """Return what the mean course loses to expiry, and its first days one by one."""
    midnights = [calendar.starts_at(day) for day in range(1, AHEAD_DAYS + 2)]
    along = paths.stretches(lots, calendar, midnights)
    wasted: list[Waste] = []
    used = [ZERO] * (AHEAD_DAYS + 1)
    balances = [ZERO] * (AHEAD_DAYS + 1)
    ending: list[list[Waste]] = [[] for _ in used]
    for step in paths.follow(lots, along, point, at_once=at_once):
        losses = [
            Waste(lots[number].ref, _estimate(amount), step.stretch.ends_at)
            for number, amount in step.lost.items()
        ]
        wasted += [loss for loss in losses if loss.credits]
        day = step.stretch.last_day
        if day <= AHEAD_DAYS:
            used[day] += _estimate(step.used)
            balances[day] = _estimate(_left_at_end(step, is_midnight=not step.stretch.end.part))
            ending[day] += losses
    return tuple(wasted), tuple(
        DayAhead(calendar.date_of(day), used[day], balances[day], tuple(ending[day]))
        for day in range(AHEAD_DAYS + 1)
    )


def _left_at_end(step: paths.Step, *, is_midnight: bool) -> float:
    """Return what the live lots have when the stretch ends; at midnight before any of it ends."""
    return step.left if is_midnight else step.left - sum(step.lost.values())


def _estimate(amount: float) -> Decimal:
    return exact(f"{amount:.3f}") if amount >= CRUMB else ZERO


def _date(day: int, calendar: Calendar) -> date | None:
    return calendar.date_of(day) if day < calendar.length else None
