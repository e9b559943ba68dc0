"""What a company has: now, at a past instant, or at a future one (SPEC §2)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Case, F, Q, Sum, When

from credits import ledger, zones
from credits.amounts import ZERO, AmountField
from credits.models import (
    Company,
    CreditGrant,
    Hold,
    LedgerEntry,
    ReservationState,
    Source,
)


@dataclass(frozen=True, slots=True)
class Balance:
    """A company's credits now: ``remaining`` = ``available`` + ``reserved``."""

    instant: datetime
    sequence: int
    remaining: Decimal
    reserved: Decimal

    @property
    def available(self) -> Decimal:
        return self.remaining - self.reserved


@dataclass(frozen=True, slots=True)
class BalanceAt:
    """The credits remaining at an instant, after the entry with ``sequence``."""

    instant: datetime
    sequence: int
    remaining: Decimal


@dataclass(frozen=True, slots=True)
class Standing:
    """A company's credits now, and ``total``: what its live grants were good for."""

    instant: datetime
    sequence: int
    remaining: Decimal
    reserved: Decimal
    total: Decimal

    @property
    def available(self) -> Decimal:
        return self.remaining - self.reserved


def now(*, company: Company) -> Balance:
    """Return what the company has, by the ledger's clock; settles what is due first."""
    answer = ledger.read(company_id=company.pk)
    return Balance(
        instant=answer.instant,
        sequence=answer.sequence,
        remaining=answer.balance,
        reserved=answer.reserved,
    )


def standing(*, company: Company) -> Standing:
    """Return what the company has, and ``total`` with it, in one round trip; settles first."""
    return Standing(*ledger.standing(company_id=company.pk))


def total(*, company: Company, instant: datetime) -> Decimal:
    """Return “of how many”: what the grants live at ``instant``, just settled, were good for.

    Σ (amount − voided − corrected down) over grants live now, used up or not, plus what is still
    held on expired ones.
    """
    live = Q(granted_at__isnull=False) & (Q(expires_at=None) | Q(expires_at__gt=instant))
    good_for = F("amount") - F("voided") - F("corrected_down")
    counted = Case(When(live, then=good_for), default=F("held"), output_field=AmountField())
    found = CreditGrant.objects.filter(company=company, granted_at__isnull=False)
    return found.aggregate(total=Sum(counted))["total"] or ZERO


def allocated(*, company: Company, instant: datetime) -> Decimal:
    """Return what the seat allocations live at ``instant``, just settled, were good for."""
    live = CreditGrant.objects.filter(
        Q(expires_at=None) | Q(expires_at__gt=instant),
        company=company,
        source=Source.ALLOCATION,
        granted_at__isnull=False,
    )
    good_for = F("amount") - F("voided") - F("corrected_down")
    return live.aggregate(total=Sum(good_for))["total"] or ZERO


def total_of(grants: Iterable[CreditGrant], *, instant: datetime) -> Decimal:
    """Return ``total`` from a company's grants, all of which were read."""
    return sum(
        (
            grant.amount - grant.voided - grant.corrected_down
            if grant.expires_at is None or grant.expires_at > instant
            else grant.held
            for grant in grants
            if grant.granted_at is not None
        ),
        ZERO,
    )


def at(*, company: Company, instant: datetime) -> BalanceAt:
    """Return the credits remaining at an instant, past or future.

    Past: after the last entry dated at or before it, zero before the first. Future: as the
    ledger would settle it if nothing else happened, from known grants, expiries and leases.
    """
    current = now(company=company)
    if instant > current.instant:
        return BalanceAt(instant, current.sequence, _settled_at(company, instant))
    entry = (
        LedgerEntry.objects.filter(company=company, occurred_at__lte=instant)
        .order_by("-occurred_at", "-sequence")
        .first()
    )
    if entry is None:
        return BalanceAt(instant, 0, ZERO)
    return BalanceAt(instant, entry.sequence, entry.balance_after)


def daily(*, company: Company, first: date, last: date) -> dict[date, Decimal]:
    """Return what remained when each local day ended, from ``first`` to ``last``, both included.

    Of a day that is not over, what remains now; none for days before the first ledger entry.
    What has come due is settled by the caller. One query, whose time does not grow with the
    ledger: one look into the index for each day.
    """
    days = zones.each_day(first, last, ZoneInfo(company.time_zone))
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ends.day, entry.balance_after"
            " FROM unnest(%s::date[], %s::timestamptz[]) AS ends (day, ends_at)"
            " CROSS JOIN LATERAL ("
            "   SELECT balance_after FROM credits_ledgerentry"
            "   WHERE company_id = %s AND occurred_at < ends.ends_at"
            "   ORDER BY occurred_at DESC, sequence DESC LIMIT 1) AS entry",
            [[day.date for day in days], [day.ends_at for day in days], company.pk],
        )
        return dict(cursor.fetchall())


def at_start(*, company: Company, starts_at: datetime | None) -> BalanceAt:
    """Return the credits remaining when a grant starts: now, for None or an instant not ahead."""
    current = now(company=company)
    if starts_at is None or starts_at <= current.instant:
        return BalanceAt(current.instant, current.sequence, current.remaining)
    return BalanceAt(starts_at, current.sequence, _settled_at(company, starts_at))


def _settled_at(company: Company, instant: datetime) -> Decimal:
    live = Q(expires_at=None) | Q(expires_at__gt=instant)
    grants = CreditGrant.objects.filter(company=company, cancelled_at=None, voided_at=None)
    granted = grants.filter(live, granted_at__isnull=False).aggregate(sum=Sum("remaining"))
    coming = grants.filter(live, granted_at=None, effective_at__lte=instant).aggregate(
        sum=Sum("amount")
    )
    # A reservation still open then keeps what it holds on a grant that has expired by then, or
    # that was voided.
    kept = Hold.objects.filter(
        Q(grant__voided_at__isnull=False) | Q(grant__expires_at__lte=instant),
        company=company,
        reservation__state=ReservationState.OPEN,
        reservation__lapses_at__gt=instant,
    ).aggregate(sum=Sum("amount"))
    return sum((part["sum"] or ZERO for part in (granted, coming, kept)), ZERO)
