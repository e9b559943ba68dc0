"""What was used day by day, week by week or month by month, for the chart and its table.

The same amounts whatever they are told apart by: each period's parts add up to its total.
"""

from __future__ import annotations

import itertools
from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from uuid import UUID

from django.conf import settings
from django.db.models import TextChoices
from django.utils.module_loading import import_string

from credits import balances, metering
from credits.amounts import ZERO
from credits.metering import DayAmount, DayUse, Dimension, Key
from credits.models import Company, Integration, User

DAYS = 90
SERIES_MAX = 5  # The others are one more: six colors can be told apart.
OTHERS = "Others"

_NOBODY = {
    Dimension.FEATURE: "No feature",
    Dimension.TEAM: "No team",
    Dimension.USER: "Background work",
    Dimension.INTEGRATION: "No integration",
}


class Step(TextChoices):
    """How long the periods are that days are added up to."""

    DAY = "day", "Day"
    WEEK = "week", "Week"
    MONTH = "month", "Month"

    def start_of(self, day: date) -> date:
        """Return the first day of the period a day is in; weeks start on Mondays."""
        match self:
            case Step.DAY:
                return day
            case Step.WEEK:
                return day - timedelta(days=day.weekday())
        return day.replace(day=1)


@dataclass(frozen=True, slots=True)
class Series:
    """One part of the use over the whole range; ``share`` is of all use, from 0 to 1."""

    name: str
    total: Decimal
    share: Decimal


@dataclass(frozen=True, slots=True)
class Period:
    """A day, week or month: what each series used, and all of them together.

    The first and last of a range may be cut by it. ``balance`` is what remained when it ended,
    or now; None before the first ledger entry.
    """

    first: date
    last: date
    amounts: tuple[Decimal, ...]
    total: Decimal
    balance: Decimal | None


@dataclass(frozen=True, slots=True)
class DailyUse:
    """Use over a range, oldest period first; ``series`` the largest first, the rest last."""

    first: date
    last: date
    step: Step
    dimension: Dimension
    series: tuple[Series, ...]
    periods: tuple[Period, ...]
    total: Decimal

    @property
    def busiest(self) -> Period:
        """Return the period with the most use, the earlier of two."""
        return max(self.periods, key=lambda period: period.total)


def of(
    *, company: Company, uses: Iterable[DayUse], last: date, step: Step, dimension: Dimension
) -> DailyUse:
    """Return the use of the 90 local days that end with ``last``.

    ``uses`` are those days by feature, as ``metering.daily`` returns them; told apart by anything
    else they are read anew.
    """
    first = last - timedelta(days=DAYS - 1)
    if dimension == Dimension.FEATURE:
        rows, names = _by_feature([use for use in uses if use.day >= first])
    else:
        rows = metering.daily_by(dimension, company=company, first=first, last=last)
        names = _names(company, dimension, {row.key for row in rows if isinstance(row.key, UUID)})
    totals: dict[Key, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        totals[row.key] += row.credits
    everything = metering.total(rows)
    ranked = sorted(
        (key for key, amount in totals.items() if amount),
        key=lambda key: (-totals[key], names.get(key, ""), str(key)),
    )
    shown, rest = ranked[:SERIES_MAX], ranked[SERIES_MAX:]
    series = [
        Series(names.get(key, _NOBODY[dimension]), totals[key], totals[key] / everything)
        for key in shown
    ]
    if rest:
        amount = sum((totals[key] for key in rest), ZERO)
        series.append(Series(OTHERS, amount, amount / everything))
    return DailyUse(
        first=first,
        last=last,
        step=step,
        dimension=dimension,
        series=tuple(series),
        periods=tuple(_periods(company, rows, first, last, step, shown, has_rest=bool(rest))),
        total=everything,
    )


def _by_feature(uses: list[DayUse]) -> tuple[list[DayAmount], dict[Key, str]]:
    rows = [DayAmount(use.day, use.feature, use.credits) for use in uses]
    return rows, {use.feature: use.name for use in sorted(uses, key=lambda use: use.day)}


def _names(company: Company, dimension: Dimension, refs: set[UUID]) -> dict[Key, str]:
    """Name what the rows refer to, in one query; what is gone keeps its id's first letters."""
    found: dict[UUID, str] = {}
    match dimension:
        case Dimension.USER:
            users = User.objects.filter(public_id__in=refs)
            found = {user.public_id: user.get_full_name() for user in users}
        case Dimension.INTEGRATION:
            rows = Integration.objects.filter(company=company, pk__in=refs)
            found = dict(rows.values_list("pk", "name"))
        case Dimension.TEAM:
            found = team_names(company)
    return {ref: found.get(ref, f"{dimension.label.capitalize()} {str(ref)[:8]}") for ref in refs}


def team_names(company: Company) -> dict[UUID, str]:
    """Return the names of a company's teams by the id that usage events hold."""
    found: dict[UUID, str] = {}
    for path in settings.CREDIT_TEAM_NAMES:
        ask: Callable[..., dict[UUID, str]] = import_string(path)
        found |= ask(company=company)
    return found


def _periods(
    company: Company,
    rows: list[DayAmount],
    first: date,
    last: date,
    step: Step,
    shown: list[Key],
    *,
    has_rest: bool,
) -> Iterable[Period]:
    amounts: dict[tuple[date, Key], Decimal] = defaultdict(lambda: ZERO)
    totals: dict[date, Decimal] = defaultdict(lambda: ZERO)
    for row in rows:
        start = step.start_of(row.day)
        amounts[start, row.key] += row.credits
        totals[start] += row.credits
    remaining = balances.daily(company=company, first=first, last=last)
    days = [first + timedelta(days=ahead) for ahead in range((last - first).days + 1)]
    for start, group in itertools.groupby(days, step.start_of):
        mine = list(group)
        parts = [amounts[start, key] for key in shown]
        rest = [totals[start] - sum(parts, ZERO)] if has_rest else []
        yield Period(
            first=mine[0],
            last=mine[-1],
            amounts=(*parts, *rest),
            total=totals[start],
            balance=remaining.get(mine[-1]),
        )
