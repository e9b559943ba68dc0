"""Close a company: it is never deleted, and what it did stays readable (SPEC §10)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.conf import settings
from django.db import transaction
from django.db.models import QuerySet, Sum
from django.utils.module_loading import import_string

from billing import purchases, zone_changes
from billing.models import OPEN_STATES, Purchase
from credits import audit, balances, charging, expirations, grants
from credits.amounts import ZERO
from credits.audit import Action
from credits.models import Company, CreditGrant, Reservation, ReservationState, User


@dataclass(frozen=True, slots=True)
class Preview:
    """What closing a company ends, in numbers as things stand.

    ``others`` is what ends elsewhere, as (name, count) by ``COMPANY_CLOSING_FACTS``.
    """

    remaining: Decimal
    held: Decimal
    reservations: int
    future_grants: int
    future_credits: Decimal
    open_purchases: int
    others: tuple[tuple[str, int], ...] = ()


def preview(*, company: Company) -> Preview:
    """Return what ``close`` would do now; settles what is due first."""
    current = balances.now(company=company)
    future = _future(company)
    return Preview(
        remaining=current.remaining,
        held=current.reserved,
        reservations=_reservations(company).count(),
        future_grants=future.count(),
        future_credits=future.aggregate(sum=Sum("amount"))["sum"] or ZERO,
        open_purchases=_purchases(company).count(),
        others=tuple(
            fact
            for path in settings.COMPANY_CLOSING_FACTS
            for fact in import_string(path)(company=company)
        ),
    )


def close(*, company: Company, by: User, reason: str, now: datetime) -> Company:
    """End everything a company could still spend or be given; return it, closed.

    All or nothing, in one transaction: keys are revoked and whatever else the setting
    ``COMPANY_CLOSING`` names happens, open purchases and future grants are cancelled, holds
    released, and the remainder is voided with the reason. Nothing is deleted. Allocations stop.

    :raises CompanyClosed: it was closed before.
    :raises ReasonMissing: the reason is too short to tell anybody anything.
    """
    reason = purchases.reason_of(reason)
    with transaction.atomic():
        current = purchases.lock_company(company)
        for purchase in _purchases(current):
            purchases.cancel(purchase=purchase, by=by, reason=reason, now=now)
        zone_changes.withdraw(company=current, now=now)
        for path in settings.COMPANY_CLOSING:
            import_string(path)(company=current, by=by, now=now)
        # Settles what is due, and from here on the pool is ours until the commit: what was charged
        # while this waited for it came before the closing.
        expirations.settle(company=current)
        closed_at = max(now, balances.now(company=current).instant)
        current.closed_at, current.closed_by, current.closing_reason = closed_at, by, reason
        current.save(update_fields=["closed_at", "closed_by", "closing_reason"])
        audit.record(action=Action.CLOSED, by=by, company=current, subject=current, reason=reason)
        for grant in _future(current):
            grants.cancel(grant=grant, by=by, reason=reason)
        for reservation in _reservations(current):
            # One that lapses at this very instant has given back what it held.
            with suppress(charging.ReservationLapsed):
                charging.release(reservation=reservation, by=by)
        for grant in CreditGrant.objects.filter(company=current, remaining__gt=0).order_by("pk"):
            grants.void(grant=grant, by=by, reason=reason)
    return current


def _future(company: Company) -> QuerySet[CreditGrant]:
    return CreditGrant.objects.filter(company=company, granted_at=None, cancelled_at=None).order_by(
        "pk"
    )


def _reservations(company: Company) -> QuerySet[Reservation]:
    return Reservation.objects.filter(company=company, state=ReservationState.OPEN).order_by("pk")


def _purchases(company: Company) -> QuerySet[Purchase]:
    return Purchase.objects.filter(company=company, state__in=OPEN_STATES).order_by("number")
