"""Where the demo companies' credits come from, and when (SPEC §2)."""

from __future__ import annotations

import calendar
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from credits import grants, zones
from credits.models import Company, Source, User

PERIOD_ENDS_IN = timedelta(days=9)  # So that something expires soon after the first start.
PERIODS = 3
CREDITS_PER_SEAT = 20
SEATS = (28, 36, 40)
ALLOCATED_AHEAD = timedelta(days=3)


@dataclass(frozen=True, slots=True)
class Grant:
    """Credits a person gave at ``given_at``; the rest as ``grants.issue`` takes it."""

    given_at: datetime
    source: Source
    amount: Decimal
    effective_at: datetime | None = None
    expires_at: datetime | None = None
    reference: str = ""
    reason: str = ""

    def issue(self, company: Company, by: User) -> None:
        grants.issue(
            company=company,
            source=self.source,
            amount=self.amount,
            by=by,
            effective_at=self.effective_at,
            expires_at=self.expires_at,
            reference=self.reference,
            reason=self.reason,
        )


def of_first_company(*, today: date, days: int, zone: ZoneInfo) -> Iterator[Grant]:
    """Yield a pilot, then a contract by seats that grew, two purchases and two corrections."""

    def at(ago: int, hour: int = 0, minute: int = 0) -> datetime:
        day = datetime.combine(today - timedelta(days=ago), time(hour, minute), tzinfo=zone)
        return day if hour else zones.start_of_day(day.date(), zone)

    first = at(days - 1)
    yield Grant(
        first,
        Source.INTRODUCTORY,
        Decimal(300),
        expires_at=first + timedelta(days=90),
        reason="Pilot of ten weeks",
    )
    yield from _allocations(today, zone)
    yield Grant(
        at(74, 11, 20),
        Source.PURCHASE,
        Decimal(600),
        expires_at=at(74 - 365),
        reference="NW-2107",
    )
    yield Grant(
        at(55, 16, 5),
        Source.ADJUSTMENT,
        Decimal("25.5"),
        expires_at=at(25),
        reason="Goodwill: results of one weekend came late",
    )
    yield Grant(
        at(18, 10, 40),
        Source.ADJUSTMENT,
        Decimal(40),
        expires_at=at(-12),
        reason="Goodwill for taking part in the interview",
    )
    yield Grant(
        at(2, 9, 15),
        Source.PURCHASE,
        Decimal(1000),
        effective_at=at(-14),
        expires_at=at(-14 - 365),
        reference="NW-2291",
        reason="For the peak weeks",
    )


def of_second_company(*, today: date, days: int, zone: ZoneInfo) -> Iterator[Grant]:
    """Yield one introductory grant, too small for the whole month."""
    first = zones.start_of_day(today - timedelta(days=days - 1), zone)
    yield Grant(
        first,
        Source.INTRODUCTORY,
        Decimal(20),
        expires_at=first + timedelta(days=90),
        reason="Trial",
    )


def _allocations(today: date, zone: ZoneInfo) -> Iterator[Grant]:
    """Yield what the seats bring, each period's issued three days ahead."""
    end = today + PERIOD_ENDS_IN
    starts = [_months_before(end, months) for months in range(PERIODS, -1, -1)]
    for seats, start, following in zip(SEATS, starts, starts[1:], strict=False):
        begins = zones.start_of_day(start, zone)
        yield Grant(
            begins - ALLOCATED_AHEAD,
            Source.ALLOCATION,
            Decimal(seats * CREDITS_PER_SEAT),
            effective_at=begins,
            expires_at=zones.start_of_day(following, zone),
            reason=f"{seats} seats, {CREDITS_PER_SEAT} credits each",
        )


def _months_before(day: date, months: int) -> date:
    """Return the same day some months earlier, or the month's last."""
    count = day.year * 12 + day.month - 1 - months
    year, month = divmod(count, 12)
    return date(year, month + 1, min(day.day, calendar.monthrange(year, month + 1)[1]))
