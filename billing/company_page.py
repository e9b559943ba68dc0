"""What the vendor's page of one company says, as of one instant (UX §2.3).

Everything is limited: the number of queries and the length of the page do not grow with a
company's history.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from django.db.models import Count, F, Sum

from billing import allocations, seats, zone_changes
from billing.allocations import Ahead
from billing.models import OPEN_STATES, Allocation, Contract, Purchase, SeatCount, ZoneChange
from credits import balances, metering, overview, snapshots
from credits.amounts import ZERO
from credits.models import AuditEvent, Company, Correction, CreditGrant, CreditPool
from credits.overview import GrantState, HeldGrant

GRANTS_READ_MAX = 200
PERIODS_AHEAD = 3
SEATS_PLANNED_MAX = 10
PURCHASES_MAX = 6
EVENTS_MAX = 8


@dataclass(frozen=True, slots=True)
class Expiry:
    """The credits that expire next, from ``expires_at`` on."""

    amount: Decimal
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class Closing:
    """What closing the company took back."""

    voided: Decimal
    cancelled: Decimal
    cancelled_count: int


@dataclass(frozen=True, slots=True)
class CompanyPage:
    """One company as its vendor sees it: ``remaining`` = ``available`` + ``reserved``.

    ``used`` is what was used on the last 30 local days. ``next_expiry`` is None while nothing the
    company holds expires, ``closing`` for an open company, ``change`` without a change of time
    zone ahead.
    """

    company: Company
    instant: datetime
    sequence: int
    remaining: Decimal
    reserved: Decimal
    total: Decimal
    used: Decimal
    scheduled: Decimal
    scheduled_count: int
    next_expiry: Expiry | None
    grants: tuple[HeldGrant, ...]
    contract: Contract | None
    running: Allocation | None
    seat_lines: tuple[seats.Line, ...]
    seats_planned: tuple[SeatCount, ...]
    ahead: tuple[Ahead, ...]
    purchases: tuple[Purchase, ...]
    purchase_count: int
    open_purchase_count: int
    events: tuple[AuditEvent, ...]
    change: ZoneChange | None
    closing: Closing | None

    @property
    def available(self) -> Decimal:
        return self.remaining - self.reserved


def of(*, company: Company, now: datetime) -> CompanyPage:
    """Return what the page shows; settles what is due first, then reads one snapshot."""
    balances.now(company=company)
    with snapshots.taken():
        pool = CreditPool.objects.get(company=company)
        instant = max(now, pool.last_occurred_at or now)
        today = allocations.local_day(company, instant)
        grants = _grants(company)
        coming = [one.grant.amount for one in grants if one.state == GrantState.SCHEDULED]
        contract = Contract.objects.filter(company=company).first()
        if contract is not None:
            contract.company = company
        bought = Purchase.objects.filter(company=company)
        states = dict(bought.values_list("state").annotate(count=Count("pk")).order_by())
        first = today - timedelta(days=overview.DAYS - 1)
        return CompanyPage(
            company=company,
            instant=instant,
            sequence=pool.sequence,
            remaining=pool.balance,
            reserved=pool.reserved,
            total=balances.total(company=company, instant=instant),
            used=metering.total(metering.daily(company=company, first=first, last=today)),
            scheduled=sum(coming, ZERO),
            scheduled_count=len(coming),
            next_expiry=_next_expiry(grants),
            grants=grants,
            contract=contract,
            running=allocations.running(company=company, now=instant),
            seat_lines=seats.on(company=company, day=today),
            seats_planned=tuple(seats.planned(company=company, after=today)[:SEATS_PLANNED_MAX]),
            ahead=_ahead(contract, instant),
            purchases=tuple(bought.select_related("grant").order_by("-number")[:PURCHASES_MAX]),
            purchase_count=sum(states.values()),
            open_purchase_count=sum(states.get(state, 0) for state in OPEN_STATES),
            events=tuple(
                AuditEvent.objects.filter(company=company)
                .select_related("text")
                .order_by("-occurred_at", "-pk")[:EVENTS_MAX]
            ),
            change=zone_changes.ahead(company),
            closing=None if company.closed_at is None else _closing(company),
        )


def _grants(company: Company) -> tuple[HeldGrant, ...]:
    """Return the newest grants, those left out that were cancelled before they started."""
    found = CreditGrant.objects.filter(company=company, cancelled_at=None)
    # What can still be spent is never behind what is over.
    rows = found.order_by(F("is_open").desc(), "-effective_at", "-pk")[:GRANTS_READ_MAX]
    return tuple(HeldGrant(grant, overview.state_of(grant)) for grant in rows)


def _next_expiry(grants: tuple[HeldGrant, ...]) -> Expiry | None:
    ends = [
        (one.grant.expires_at, one.grant.remaining)
        for one in grants
        if one.state == GrantState.ACTIVE and one.grant.expires_at is not None
    ]
    if not ends:
        return None
    first = min(at for at, _ in ends)
    return Expiry(sum((left for at, left in ends if at == first), ZERO), first)


def _ahead(contract: Contract | None, now: datetime) -> tuple[Ahead, ...]:
    if contract is None or contract.company.closed_at is not None:
        return ()
    return allocations.ahead(contract=contract, now=now, count=PERIODS_AHEAD)


def _closing(company: Company) -> Closing:
    """Add up what was taken back with the closing's own reason, by whoever closed it."""
    made = Correction.objects.filter(
        company=company, by=company.closed_by, reason=company.closing_reason
    )
    voided = made.filter(kind="VOIDED").aggregate(sum=Sum("amount"))["sum"] or ZERO
    cancelled = made.filter(kind="CANCELLED").aggregate(sum=Sum("grant__amount"), count=Count("pk"))
    return Closing(
        voided=-voided,
        cancelled=cancelled["sum"] or ZERO,
        cancelled_count=cancelled["count"],
    )
