"""Fulfil a purchase: the one way by which bought credits reach a pool (I12).

Only the staff's own page imports this module; tests/security/test_nothing_buys_by_itself holds
that no task, command, API, MCP tool or setting can. The row of a fulfilled purchase must name a
person and the grant, by CHECK.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction

from billing import orders, periods, purchases, trail
from billing.models import Contract, Purchase, PurchaseState
from billing.models.contracts import PURCHASE_MONTHS_DEFAULT
from credits import balances, faults, grants, zones
from credits.ledger import Key
from credits.models import Company, Source, User
from credits.roles import Act


@dataclass(frozen=True, slots=True)
class Preview:
    """What fulfilling will do: the credits remaining at its start, before and after.

    ``starts_at`` is None for credits that are usable at once.
    """

    before: Decimal
    after: Decimal
    starts_at: datetime | None


def last_day(company: Company, starts_on: date) -> date:
    """Return the expiration date the contract gives a purchase that starts on a day."""
    months = Contract.objects.filter(company=company).values_list("purchase_months", flat=True)
    return periods.last_day_of_life(starts_on, months.first() or PURCHASE_MONTHS_DEFAULT)


def preview(*, company: Company, amount: Decimal, starts_on: date, ends_on: date) -> Preview:
    """Return what fulfilling will do to the balance, as things stand."""
    starts_at, _ = _span(company, starts_on, ends_on)
    found = balances.at_start(company=company, starts_at=starts_at)
    return Preview(
        before=found.remaining,
        after=found.remaining + amount,
        starts_at=starts_at if found.instant == starts_at else None,
    )


def fulfil(
    *,
    purchase: Purchase,
    by: User,
    starts_on: date,
    ends_on: date,
    now: datetime,
    order_reference: str = "",
) -> Purchase:
    """Add an approved purchase's credits, once; return it with its grant.

    Usable from local midnight of the first day, at once when that is past, through the last.

    :raises NotAllowed: the person is not, or not any more, of the vendor's staff.
    :raises NotApproved: it waits to be approved.
    :raises AlreadyDecided: it was fulfilled or cancelled before.
    :raises SecondPersonNeeded: it is above the limit, and this person approved it.
    :raises DaysRefused: for a last day before the first.
    :raises YearsRefused: for a day before 2000 or after 2199.
    :raises AlreadyRecorded: another purchase has the order reference.
    :raises GrantExpiresBeforeItStarts: the last day is past.
    :raises CompanyClosed: nothing is bought for a closed company.
    """
    purchases.refuse_days(starts_on, ends_on)
    with transaction.atomic():
        company = purchases.lock_company(purchase.company)
        current = purchases.locked(purchase)
        purchases.refuse_others(by, Act.SELL_CREDITS)
        if current.state == PurchaseState.REQUESTED:
            raise purchases.NotApproved(current)
        if current.state != PurchaseState.APPROVED:
            raise purchases.AlreadyDecided(current)
        if purchases.is_above(current) and by.pk == current.approved_by_id:
            raise purchases.SecondPersonNeeded(current, current.approval_limit or Decimal(0))
        purchases.refuse_recorded(company, order_reference, but=current.pk)
        was = current.order_reference
        if orders.key_of(order_reference):
            purchases.name_order(current, order_reference)
        reference = current.order_reference
        starts_at, ends_at = _span(company, starts_on, ends_on)
        trail.fulfilled(
            current, by=by, starts_on=starts_on, ends_on=ends_on, order_reference_was=was
        )
        # The pool stays locked for one more statement: the row may not name a grant that is not
        # there, and a fulfilled one may not be without. It is a person's act, not a hot path.
        current.grant = grants.issue(
            company=company,
            source=Source.PURCHASE,
            amount=current.amount,
            by=by,
            effective_at=starts_at,
            expires_at=ends_at,
            reference=f"Purchase #{current.number}",
            reason=f"Order {reference}" if reference else "",
        )
        faults.reach(faults.Point.FULFILLED)
        current.state = PurchaseState.FULFILLED
        current.starts_on, current.ends_on = starts_on, ends_on
        current.fulfilled_at, current.fulfilled_by = now, by
        current.save()
    return current


def record(
    *,
    company: Company,
    amount: Decimal,
    by: User,
    starts_on: date,
    ends_on: date,
    now: datetime,
    order_reference: str = "",
    note: str = "",
    replaces: Purchase | None = None,
    key: Key | None = None,
) -> Purchase:
    """Enter an order in one act: asked for, approved and fulfilled by the same person.

    Above the contract's limit it only waits, as REQUESTED, for somebody else to approve it. With
    a key the same form again returns the first purchase.

    :raises NotAllowed: the person is not, or not any more, of the vendor's staff.
    :raises InexactAmount: for a fourth decimal place.
    :raises AmountRefused: for an amount that is not above 0, or too large.
    :raises DaysRefused: for a last day before the first.
    :raises YearsRefused: for a day before 2000 or after 2199.
    :raises AlreadyRecorded: the company has this order reference.
    :raises GrantExpiresBeforeItStarts: the last day is past.
    :raises IdempotencyConflict: the key was used for another order.
    :raises CompanyClosed: nothing is bought for a closed company.
    """
    purchases.refuse_others(by, Act.SELL_CREDITS)
    with transaction.atomic():
        purchase = purchases.request(
            company=company,
            amount=amount,
            by=by,
            now=now,
            starts_on=starts_on,
            ends_on=ends_on,
            order_reference=order_reference,
            note=note,
            replaces=replaces,
            key=key,
        )
        limit = purchases.limit_of(purchase, by=by)
        if purchase.state != PurchaseState.REQUESTED or (
            limit is not None and purchase.amount > limit
        ):
            return purchase
        approved = purchases.approve(purchase=purchase, by=by, now=now)
        return fulfil(purchase=approved, by=by, starts_on=starts_on, ends_on=ends_on, now=now)


def _span(company: Company, starts_on: date, ends_on: date) -> tuple[datetime, datetime]:
    return zones.days(starts_on, ends_on, ZoneInfo(company.time_zone))
