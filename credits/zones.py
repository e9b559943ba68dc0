"""A company's days: local dates in its time zone, turned into half-open spans of instants."""

from __future__ import annotations

import itertools
from datetime import UTC, date, datetime, time, timedelta
from typing import NamedTuple
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError


class Day(NamedTuple):
    """A local date and the instants it lasts: ``starts_at <= t < ends_at``."""

    date: date
    starts_at: datetime
    ends_at: datetime


def validate_time_zone(name: str) -> None:
    if name not in available_timezones():
        raise ValidationError(f"There is no time zone “{name}”; write one like Europe/Berlin.")


def start_of_day(day: date, zone: ZoneInfo) -> datetime:
    """Return the first instant of a local day, in UTC.

    Where midnight falls into a gap, as in zones that spring forward at 0:00, the day starts at
    the first instant that exists.
    """
    midnight = datetime.combine(day, time(), tzinfo=zone)
    instant = midnight.astimezone(UTC)
    while instant.astimezone(zone).date() < day:
        instant += timedelta(minutes=15)
    return instant


def days(first: date, last: date, zone: ZoneInfo) -> tuple[datetime, datetime]:
    """Return the half-open span [start of first, start of the day after last) in UTC."""
    return start_of_day(first, zone), start_of_day(last + timedelta(days=1), zone)


def each_day(first: date, last: date, zone: ZoneInfo) -> list[Day]:
    """Return the local days from ``first`` to ``last``, without those that a zone skipped.

    The database is told a day by its instants and never by the zone: to PostgreSQL the names CET,
    EET, EST5EDT and others are abbreviations first, and mean a fixed offset.
    """
    dates = [first + timedelta(days=ahead) for ahead in range((last - first).days + 2)]
    starts = [start_of_day(day, zone) for day in dates]
    spans = zip(dates, itertools.pairwise(starts), strict=False)
    return [Day(day, start, end) for day, (start, end) in spans if start < end]
