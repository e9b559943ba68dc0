"""A company's ledger as the lines of a statement of account; lots bear the names tests gave them.

``02 Mar 12:00 Used -2.5 = 7.5 (March -2.0, Goodwill -0.5)``: when it took effect (UTC), what it
was, its amount, the balance after it, and the lots that moved, in drawing order.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal

from credits import amounts, charging, grants, reconciliation
from credits.ledger import Use
from credits.models import (
    Company,
    Correction,
    CreditGrant,
    LedgerEntry,
    RateItem,
    Reservation,
    Source,
    UsageEvent,
)
from credits.models.pool import PRIORITY_DEFAULT
from credits.rating import Rates, Work
from tests.support import people

# A thousandth an item makes any amount chargeable.
MILLS = Rates(card_id=1, amounts=dict.fromkeys(RateItem.values, Decimal("0.001")))


def use() -> Use:
    return Use("ASK", "Ask anything", None, "API_REQUEST")


def lot(
    company: Company,
    name: str,
    amount: str,
    *,
    source: Source = Source.PURCHASE,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    priority: int = PRIORITY_DEFAULT,
) -> CreditGrant:
    return grants.issue(
        company=company,
        source=source,
        amount=Decimal(amount),
        # Nothing buys by itself: a purchase has its person.
        by=people.vera() if source == Source.PURCHASE else None,
        effective_at=effective_at,
        expires_at=expires_at,
        priority=priority,
        reference=name,
    )


def charge(company: Company, amount: str) -> UsageEvent:
    return charging.charge(company=company, use=use(), work=work_of(amount), rates=MILLS)


def reserve(company: Company, amount: str, *, minutes: int = 15) -> Reservation:
    return charging.reserve(
        company=company,
        amount=Decimal(amount),
        use=use(),
        rates=MILLS,
        lease=timedelta(minutes=minutes),
    )


def capture(reservation: Reservation, amount: str) -> UsageEvent:
    return charging.capture(reservation=reservation, work=work_of(amount), rates=MILLS)


def work_of(amount: str) -> Work:
    return Work(emails_with_text=int(Decimal(amount) * 1000))


def held(company: Company) -> dict[str, str]:
    """Return what is held of each lot, of those with anything held."""
    return {
        grant.reference: amounts.text(grant.held)
        for grant in CreditGrant.objects.filter(company=company, held__gt=0)
    }


def left(company: Company) -> dict[str, str]:
    """Return what remains of each lot, of those with anything remaining."""
    return {
        grant.reference: amounts.text(grant.remaining)
        for grant in CreditGrant.objects.filter(company=company, remaining__gt=0)
    }


def corrections(company: Company) -> list[tuple]:
    """Return what was corrected: kind, amount, why, whose e-mail begins how, and its entry."""
    return [
        (
            one.kind,
            one.amount,
            one.reason,
            one.by and one.by.email[:4],
            one.entry and one.entry.sequence,
        )
        for one in Correction.objects.filter(company=company).order_by("id")
    ]


def of(company: Company) -> list[str]:
    """Return the statement, and fail if the books are not in order."""
    assert reconciliation.check() == []
    entries = LedgerEntry.objects.filter(company=company).order_by("sequence")
    return [_line(entry) for entry in entries]


def _line(entry: LedgerEntry) -> str:
    draws = ", ".join(
        f"{draw.grant.reference} {_signed(draw.amount)}"
        for draw in entry.drawdowns.select_related("grant").order_by("id")
    )
    return (
        f"{_when(entry.occurred_at)} {entry.get_kind_display()} {_signed(entry.amount)}"
        f" = {amounts.text(entry.balance_after)} ({draws})"
    )


def _when(instant: datetime) -> str:
    if instant.microsecond:
        return f"{instant:%d %b %H:%M:%S.%f}"
    return f"{instant:%d %b %H:%M}" if instant.second == 0 else f"{instant:%d %b %H:%M:%S}"


def _signed(amount: Decimal) -> str:
    return f"{'+' if amount > 0 else ''}{amounts.text(amount)}"


def company() -> Company:
    return people.company(time_zone="UTC")
