"""Contracts, seats and purchases for tests, as staff would have made them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

from billing import fulfilment, purchases, seats
from billing.models import Contract, Purchase, SeatType
from credits.models import Company, User
from tests.support import people

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def contract(company: Company, starts_on: str, **terms) -> Contract:
    """Return a contract without seats, from a day on."""
    return Contract.objects.create(
        company=company, starts_on=date.fromisoformat(starts_on), changed_at=NOW, **terms
    )


def seat_type(company: Company, name: str = "Seat", credits: str = "2000") -> SeatType:
    return seats.add_type(company=company, name=name, credits=Decimal(credits))


def count(kind: SeatType, seats_: int, on: str, *, by: User, now: datetime = NOW):
    return seats.count(
        seat_type=kind, seats=seats_, effective_on=date.fromisoformat(on), by=by, now=now
    )


def seated(
    company: Company, starts_on: str, seats_: int = 10, *, credits: str = "2000", **terms
) -> SeatType:
    """Give a company a contract and seats from its first day; return their type."""
    contract(company, starts_on, **terms)
    kind = seat_type(company, credits=credits)
    count(kind, seats_, starts_on, by=people.vera())
    return kind


def requested(company: Company, by: User, amount: str = "50000", **wish) -> Purchase:
    return purchases.request(company=company, amount=Decimal(amount), by=by, now=NOW, **wish)


def approved(company: Company, by: User, amount: str = "50000", **wish) -> Purchase:
    return purchases.approve(purchase=requested(company, by, amount, **wish), by=by, now=NOW)


def fulfilled(company: Company, by: User, amount: str = "50000", **wish) -> Purchase:
    return fulfilment.fulfil(
        purchase=approved(company, by, amount, **wish),
        by=by,
        starts_on=date(2026, 3, 2),
        ends_on=date(2199, 3, 1),
        now=NOW,
    )
