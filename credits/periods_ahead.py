"""The forecast's days added up to the chart's days, weeks or months."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from credits.amounts import ZERO
from credits.daily_use import Step
from credits.forecasts import DayAhead


@dataclass(frozen=True, slots=True)
class PeriodAhead:
    """What a day, week or month is expected to use from now on; the first is under way.

    ``balance`` is what is free when it ends. ``unused`` is what expires in it or at its end
    without having been used; None when nothing expires.
    """

    first: date
    last: date
    used: Decimal
    balance: Decimal
    unused: Decimal | None


def of(days: Sequence[DayAhead], *, step: Step) -> tuple[PeriodAhead, ...]:
    """Return the periods the days are in, cut by the first and the last of them."""
    periods = []
    for _, group in itertools.groupby(days, lambda day: step.start_of(day.day)):
        mine = list(group)
        ending = [waste.credits for day in mine for waste in day.ending]
        periods.append(
            PeriodAhead(
                first=mine[0].day,
                last=mine[-1].day,
                used=sum((day.used for day in mine), ZERO),
                balance=mine[-1].balance,
                unused=sum(ending, ZERO) if ending else None,
            )
        )
    return tuple(periods)
