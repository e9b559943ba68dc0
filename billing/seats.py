"""Seats: how many of which type a company has from a day on, and late ones made good (SPEC §2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db.models import QuerySet, Sum

from billing.models import Allocation, SeatCount, SeatType, TopUp
from credits.amounts import ZERO, exact, prorated_down
from credits.models import Company, User

COUNT_MAX = 1_000_000
CREDITS_MAX = Decimal(1_000_000)


class SeatsRefused(Exception):
    """This cannot be recorded; the message says why."""


class CountRefused(SeatsRefused):
    """Enter a whole number of seats from 0 to 1,000,000."""


class CreditsRefused(SeatsRefused):
    """Enter an amount above 0 and at most 1,000,000 credits a seat."""


@dataclass(frozen=True, slots=True)
class Line:
    """What one seat type brings to a period."""

    seat_type: SeatType
    seats: int
    credits: Decimal

    @property
    def amount(self) -> Decimal:
        return self.seats * self.credits


def add_type(*, company: Company, name: str, credits: Decimal) -> SeatType:
    """Make a kind of seat; it brings nothing until seats of it are counted.

    :raises CreditsRefused: for an amount that is not above 0, or too large.
    :raises InexactAmount: for a fourth decimal place.
    """
    return SeatType.objects.create(company=company, name=name, credits=_credits(credits))


def set_credits(*, seat_type: SeatType, credits: Decimal) -> SeatType:
    """Set what a seat brings, for periods that have not started; written ones keep theirs.

    :raises CreditsRefused: for an amount that is not above 0, or too large.
    :raises InexactAmount: for a fourth decimal place.
    """
    seat_type.credits = _credits(credits)
    seat_type.save(update_fields=["credits"])
    return seat_type


def count(
    *,
    seat_type: SeatType,
    seats: int,
    effective_on: date,
    by: User,
    now: datetime,
    note: str = "",
) -> SeatCount:
    """Record how many seats of a type there are from a local day on; earlier rows stay.

    :raises CountRefused: for a number below 0 or too large.
    """
    if not 0 <= seats <= COUNT_MAX:
        raise CountRefused(CountRefused.__doc__)
    return SeatCount.objects.create(
        company_id=seat_type.company_id,
        seat_type=seat_type,
        count=seats,
        effective_on=effective_on,
        recorded_at=now,
        recorded_by=by,
        note=note,
    )


def on(*, company: Company, day: date) -> tuple[Line, ...]:
    """Return the seats in force on a local day as known now, by type; types without one not."""
    return by_company({company.pk: day})[company.pk]


def by_company(days: dict[int, date]) -> dict[int, tuple[Line, ...]]:
    """Return the seats in force in each company on a day of its own, in one query."""
    if not days:
        return {}
    rows = (
        SeatCount.objects.filter(company__in=days, effective_on__lte=max(days.values()))
        .order_by("seat_type", "-effective_on", "-recorded_at", "-id")
        .select_related("seat_type")
    )
    latest: dict[UUID, SeatCount] = {}
    for row in rows:
        if row.effective_on <= days[row.company_id]:
            latest.setdefault(row.seat_type_id, row)
    found: dict[int, tuple[Line, ...]] = dict.fromkeys(days, ())
    for row in sorted(latest.values(), key=lambda row: (row.seat_type.name, row.seat_type.pk)):
        if row.count:
            line = Line(seat_type=row.seat_type, seats=row.count, credits=row.seat_type.credits)
            found[row.company_id] += (line,)
    return found


def planned(*, company: Company, after: date) -> QuerySet[SeatCount]:
    """Return the counts that begin after a local day, as recorded last for each, soonest first."""
    latest = (
        SeatCount.objects.filter(company=company, effective_on__gt=after)
        .order_by("seat_type", "effective_on", "-recorded_at", "-id")
        .distinct("seat_type", "effective_on")
    )
    return (
        SeatCount.objects.filter(pk__in=latest.values("pk"))
        .select_related("seat_type")
        .order_by("effective_on", "seat_type__name", "pk")
    )


def owed(*, allocation: Allocation, today: date) -> Decimal:
    """Return the credits that seats recorded late would have brought, less what made them good.

    Seats missing on the period's first day count in full, ones that came within it for the days
    from then to its end. Fewer seats than were issued take nothing back, so never below 0.
    """
    issued = {line.seat_type_id: line for line in allocation.lines.all()}
    known = {
        line.seat_type.pk: line.seats
        for line in on(company=allocation.company, day=allocation.starts_on)
    }
    total = ZERO
    for seat_type in SeatType.objects.filter(company=allocation.company_id):
        line = issued.get(seat_type.pk)
        credits = line.credits if line else seat_type.credits
        peak = line.seats if line else 0
        first = known.get(seat_type.pk, 0)
        total += max(first - peak, 0) * credits
        total += _within(allocation, seat_type, max(first, peak), credits, today)
    given = TopUp.objects.filter(company=allocation.company_id, allocation=allocation)
    return max(total - (given.aggregate(sum=Sum("amount"))["sum"] or ZERO), ZERO)


def _within(
    allocation: Allocation, seat_type: SeatType, peak: int, credits: Decimal, today: date
) -> Decimal:
    """Return what seats above ``peak`` that came within the period bring for its rest."""
    changes = (
        SeatCount.objects.filter(
            company=allocation.company_id,
            seat_type=seat_type,
            effective_on__gt=allocation.starts_on,
            effective_on__lte=min(today, allocation.ends_on),
        )
        .order_by("effective_on", "-recorded_at", "-id")
        .distinct("effective_on")
    )
    days = (allocation.ends_on - allocation.starts_on).days + 1
    total = ZERO
    for change in changes:
        if change.count > peak:
            left = (allocation.ends_on - change.effective_on).days + 1
            total += prorated_down((change.count - peak) * credits, left, days)
            peak = change.count
    return total


def _credits(credits: Decimal) -> Decimal:
    amount = exact(credits)
    if not 0 < amount <= CREDITS_MAX:
        raise CreditsRefused(CreditsRefused.__doc__)
    return amount
