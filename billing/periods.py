"""Periods of a contract: local days, counted from its first (SPEC §2, I14).

Each period starts on the contract's start day, or on the month's last where the month is
shorter: counted from the original day, so 31 January → 28 February → 31 March.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import date, timedelta

DAY = timedelta(days=1)


def months_after(day: date, count: int) -> date:
    """Return the same day of the month, ``count`` months later, or that month's last."""
    months = day.year * 12 + day.month - 1 + count
    year, month = divmod(months, 12)
    return date(year, month + 1, min(day.day, monthrange(year, month + 1)[1]))


def first_day(starts_on: date, number: int, months: int) -> date:
    """Return the first day of a contract's period, the first period being number 1."""
    return months_after(starts_on, (number - 1) * months)


def last_day(starts_on: date, number: int, months: int) -> date:
    """Return the last day of a contract's period: the day before the next one starts."""
    return first_day(starts_on, number + 1, months) - DAY


def last_day_of_life(starts_on: date, months: int) -> date:
    """Return the last of ``months`` months from a day on: 1 Jul 2026, 12 → 30 Jun 2027."""
    return months_after(starts_on, months) - DAY
