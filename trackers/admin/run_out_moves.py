"""How an act under consideration moves the day on which credits run out (SPEC §5 Publishing)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from credits import shown, shown_forecasts
from credits.models import Company
from credits.outlooks import Outlook
from trackers.estimates import MONTH


@dataclass(frozen=True, slots=True)
class RunOutMove:
    """The day before and after, in words, all as of one instant; a day is None where there is none.

    ``after`` is empty where no day can be named before, ``with_history`` also where the history
    costs nothing.
    """

    before: str
    before_day: date | None
    after: str
    after_day: date | None
    with_history: str
    with_history_day: date | None
    note: str


def of(
    outlook: Outlook, *, company: Company, more_a_month: Decimal, at_once: Decimal | None
) -> RunOutMove:
    """Return how using more each month moves the day, and using ``at_once`` of history as well."""
    more = more_a_month / MONTH.days
    days = [outlook.forecast()]
    if days[0] is not None and outlook.available:
        days.append(outlook.forecast(more_per_day=more))
        if at_once:
            days.append(outlook.forecast(more_per_day=more, at_once=at_once))
    words = [shown_forecasts.run_out_in_words(outlook, day) for day in days] + ["", ""]
    dates = [day.runs_out_on if day else None for day in days] + [None, None]
    return RunOutMove(
        before=words[0],
        before_day=dates[0] if outlook.available else None,
        after=words[1],
        after_day=dates[1],
        with_history=words[2],
        with_history_day=dates[2],
        note=f"As of {shown.instant_in_words(outlook.instant, company)}, at the present pace.",
    )
