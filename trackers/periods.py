"""The spans of time that can be asked about, by name (SPEC §5), in a company's zone."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from zoneinfo import ZoneInfo

from credits import zones
from credits.models import Company

# What is the smallest step between two instants: a half-open span that ends so much after an
# instant has it in.
INSTANT = timedelta(microseconds=1)


class Period(StrEnum):
    """A span of time by name; conversations are in it by when they started."""

    LAST_7DAYS = "LAST_7DAYS"
    LAST_30DAYS = "LAST_30DAYS"
    LAST_90DAYS = "LAST_90DAYS"
    LAST_YEAR = "LAST_YEAR"
    THIS_WEEK = "THIS_WEEK"
    THIS_MONTH = "THIS_MONTH"
    THIS_QUARTER = "THIS_QUARTER"
    THIS_YEAR = "THIS_YEAR"
    LAST_90_DAYS_SINCE_LAST_ACTIVITY = "LAST_90_DAYS_SINCE_LAST_ACTIVITY"
    LAST_YEAR_SINCE_LAST_ACTIVITY = "LAST_YEAR_SINCE_LAST_ACTIVITY"
    CUSTOM_RANGE = "CUSTOM_RANGE"
    ALL_CONVERSATIONS = "ALL_CONVERSATIONS"


LABELS = {
    Period.LAST_7DAYS: "Last 7 days",
    Period.LAST_30DAYS: "Last 30 days",
    Period.LAST_90DAYS: "Last 90 days",
    Period.LAST_YEAR: "Last 365 days",
    Period.THIS_WEEK: "This week",
    Period.THIS_MONTH: "This month",
    Period.THIS_QUARTER: "This quarter",
    Period.THIS_YEAR: "This year",
    Period.LAST_90_DAYS_SINCE_LAST_ACTIVITY: "90 days up to the last call or e-mail",
    Period.LAST_YEAR_SINCE_LAST_ACTIVITY: "365 days up to the last call or e-mail",
    Period.CUSTOM_RANGE: "From … to …",
    Period.ALL_CONVERSATIONS: "All conversations",
}
_DAYS_BEFORE = {
    Period.LAST_7DAYS: 7,
    Period.LAST_30DAYS: 30,
    Period.LAST_90DAYS: 90,
    Period.LAST_YEAR: 365,
    Period.LAST_90_DAYS_SINCE_LAST_ACTIVITY: 90,
    Period.LAST_YEAR_SINCE_LAST_ACTIVITY: 365,
}
SINCE_LAST_ACTIVITY = (
    Period.LAST_90_DAYS_SINCE_LAST_ACTIVITY,
    Period.LAST_YEAR_SINCE_LAST_ACTIVITY,
)


class PeriodRefused(ValueError):
    """CUSTOM_RANGE needs a start and a later end; other periods take neither."""


@dataclass(frozen=True, slots=True)
class Span:
    """A period as it was asked for: by name, and for CUSTOM_RANGE with ``since <= t < until``.

    :raises PeriodRefused: a range without its ends, or ends without a range.
    """

    name: Period
    since: datetime | None = None
    until: datetime | None = None

    def __post_init__(self) -> None:
        _refuse(self.name, self.since, self.until)


def bounds(
    period: Period,
    *,
    company: Company,
    now: datetime,
    newest: datetime | None,
    since: datetime | None = None,
    until: datetime | None = None,
) -> tuple[datetime | None, datetime]:
    """Return the half-open span ``since <= t < until`` of a period; None: from the beginning.

    ``newest`` is when the newest conversation in question started, None when there is none: the
    periods up to the last activity end there and are empty without it.

    :raises PeriodRefused: a range without its ends, or ends without a range.
    """
    _refuse(period, since, until)
    zone = ZoneInfo(company.time_zone)
    match period:
        case Period.CUSTOM_RANGE:
            assert until is not None  # Refused above.
            return since, until
        case Period.ALL_CONVERSATIONS:
            # What starts in a moment, by a clock that is ahead, is one of all.
            return None, now if newest is None else max(now, newest + INSTANT)
        case _ if period in SINCE_LAST_ACTIVITY:
            if newest is None:
                return now, now
            return _days_before(newest, _DAYS_BEFORE[period], zone), newest + INSTANT
        case _ if period in _DAYS_BEFORE:
            return _days_before(now, _DAYS_BEFORE[period], zone), now
    return zones.start_of_day(_first_day(period, now.astimezone(zone).date()), zone), now


def _first_day(period: Period, today: date) -> date:
    match period:
        case Period.THIS_WEEK:
            return today - timedelta(days=today.weekday())
        case Period.THIS_MONTH:
            return today.replace(day=1)
        case Period.THIS_QUARTER:
            return today.replace(month=(today.month - 1) // 3 * 3 + 1, day=1)
        case _:
            return today.replace(month=1, day=1)


def _days_before(instant: datetime, days: int, zone: ZoneInfo) -> datetime:
    """Return the start of the local day so many days before that of an instant."""
    return zones.start_of_day(instant.astimezone(zone).date() - timedelta(days=days), zone)


def _refuse(period: Period, since: datetime | None, until: datetime | None) -> None:
    if period == Period.CUSTOM_RANGE:
        if since is None or until is None or since >= until:
            raise PeriodRefused(PeriodRefused.__doc__)
    elif since is not None or until is not None:
        raise PeriodRefused(PeriodRefused.__doc__)
