"""One charged request: its full price is held first, then the work is done, then it is charged.

Ask and briefs come through here, from every door. The ledger is called twice: to reserve, and to
capture as the last statement of the transaction that writes the answer. A failure releases; a
process that dies leaves a hold that lapses. Nothing is analyzed in a transaction.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Generic, TypeVar
from uuid import UUID

from django.db import transaction

from credits import allowances, amounts, charging, faults, idempotency, rating
from credits.amounts import ZERO
from credits.idempotency import Claim
from credits.identifiers import new_id
from credits.ledger import Key
from credits.limits import Standing
from credits.models import Reservation, UsageEvent
from credits.rating import Work
from trackers import locks
from trackers.requesters import Feature, Requester

Found = TypeVar("Found")
Row = TypeVar("Row")


class AboveMaximum(Exception):
    """This costs more than max_credits allows; raise it, or choose a shorter period."""

    def __init__(self, *, required: Decimal, maximum: Decimal) -> None:
        self.required = required
        self.maximum = maximum
        super().__init__(
            f"This needs {amounts.grouped(required)} credits and max_credits is "
            f"{amounts.grouped(maximum)}."
        )


@dataclass(frozen=True, slots=True)
class RequestEstimate:
    """What a request would cost now, and what it would leave. Amounts in credits.

    ``available_after`` is negative by the shortfall when there are not enough credits.
    ``limit`` is the requester's tightest limit, if any. ``is_enough`` says whether the request
    would be admitted now, by the pool and by the limits. ``reused_at`` is when the answer was
    made that would be given again, None when none would.
    """

    credits: Decimal
    calls: int
    emails: int
    web_searches: int
    available_before: Decimal
    available_after: Decimal
    limit: Standing | None
    is_enough: bool
    reused_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Charge:
    """What is about to be charged: the id of the usage event, and credits."""

    usage_id: UUID
    credits: Decimal


@dataclass(frozen=True, slots=True)
class Performed(Generic[Row]):
    """What was written, its usage event, and what can be spent after it."""

    row: Row
    event: UsageEvent
    remaining: Decimal


def price(*, requester: Requester, work: Work, now: datetime) -> Decimal:
    """Return what work costs this requester, in credits: 0 for a person at the page."""
    return ZERO if requester.is_free else rating.price(work, rating.rates_at(now))


def estimate(
    *, requester: Requester, feature: Feature, work: Work, now: datetime
) -> RequestEstimate:
    """Price work without doing or holding anything: the price that ``perform`` charges."""
    cost = price(requester=requester, work=work, now=now)
    return estimate_of(requester=requester, feature=feature, work=work, cost=cost)


def estimate_of(
    *, requester: Requester, feature: Feature, work: Work, cost: Decimal
) -> RequestEstimate:
    """Say what a cost would leave of what this requester may spend."""
    allowance = allowances.of(company=requester.company, use=requester.use(feature))
    return RequestEstimate(
        credits=cost,
        calls=work.calls,
        emails=work.emails,
        web_searches=work.web_searches,
        available_before=allowance.available,
        available_after=allowance.available - cost,
        limit=allowance.tightest,
        is_enough=allowance.covers(cost),
    )


def refuse_above(required: Decimal, maximum: Decimal | None) -> None:
    """Refuse what costs more than the caller allows.

    :raises AboveMaximum: nothing was done.
    """
    if maximum is not None and required > maximum:
        raise AboveMaximum(required=required, maximum=maximum)


@contextmanager
def claimed(*, requester: Requester, operation: str, key: Key | None) -> Iterator[Claim | None]:
    """Have a key for as long as the request takes; None without a key.

    Where ``claim.result_ref`` is set the request was done before: give that again and do nothing.
    Else call ``claim.remember`` in the transaction that charges.

    :raises InFlight: another request with the key is under way.
    :raises IdempotencyConflict: the key was used with another body.
    """
    if key is None:
        yield None
        return
    with idempotency.claimed(company=requester.company, operation=operation, key=key) as claim:
        yield claim


def perform(
    *,
    requester: Requester,
    feature: Feature,
    work: Work,
    now: datetime,
    analyze: Callable[[], Found],
    write: Callable[[Found, Charge], Row],
    max_credits: Decimal | None = None,
) -> Performed[Row]:
    """Hold the price, analyze, then write and charge in one transaction; return what it made.

    ``analyze`` runs with no transaction open. ``write`` runs in the transaction and writes what
    it returns; the ledger is called after it. What fails costs nothing.

    :raises AboveMaximum: nothing was done.
    :raises InsufficientCredits: nothing was done.
    :raises CompanyClosed: nothing was done.
    """
    rates = rating.rates_at(now)
    cost = ZERO if requester.is_free else rating.price(work, rates)
    refuse_above(cost, max_credits)
    use = requester.use(feature)
    charge = Charge(usage_id=new_id(), credits=cost)
    if cost == ZERO:
        found = analyze()
        with transaction.atomic():
            locks.keep_open(requester.company.pk)
            row = write(found, charge)
            event = charging.charge(
                company=requester.company,
                use=use,
                work=work,
                rates=rates,
                by=requester.user,
                is_free=requester.is_free,
                usage_id=charge.usage_id,
            )
        return Performed(row, event, event.certain_available)
    reservation = charging.reserve(
        company=requester.company, amount=cost, use=use, rates=rates, by=requester.user
    )
    faults.reach(faults.Point.HELD)
    try:
        found = analyze()
        with transaction.atomic():
            locks.keep_open(requester.company.pk)
            row = write(found, charge)
            event = charging.capture(
                reservation=reservation,
                work=work,
                rates=rates,
                by=requester.user,
                usage_id=charge.usage_id,
            )
            faults.reach(faults.Point.CHARGED)
    except BaseException:
        _release(reservation, requester)
        raise
    faults.reach(faults.Point.PERFORMED)
    return Performed(row, event, event.certain_available)


def _release(reservation: Reservation, requester: Requester) -> None:
    """Give back what a failed request held; what was closed meanwhile is closed."""
    try:
        charging.release(reservation=reservation, by=requester.user)
    except (charging.AlreadyCaptured, charging.AlreadyReleased, charging.ReservationLapsed):
        return
