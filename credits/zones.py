"""A company's days: local dates in its time zone, turned into half-open spans of instants."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

from django.core.exceptions import ValidationError


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
