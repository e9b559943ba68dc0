"""Purchases: asked for, approved or cancelled, each by a person (SPEC §2).

Nothing here adds credits. That is ``billing.fulfilment``, a module of its own, so that who can
reach it is a question about imports with an answer (tests/security/test_nothing_buys_by_itself).

Every act locks the company first: acts on one company's purchases follow each other, and none
meets the closing of the company half-way.
"""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Max, QuerySet, Value
from django.db.models.functions import Least

from billing import orders, trail
from billing.models import OPEN_STATES, Contract, Purchase, PurchaseState
from credits import roles
from credits.amounts import ACT_MAX, AmountField, exact, grouped
from credits.audit import Actor
from credits.companies import CompanyClosed
from credits.ledger import IdempotencyConflict, Key
from credits.models import REASON_LENGTH_MIN, Company, User
from credits.roles import Act


class PurchaseRefused(Exception):
    """This cannot be done with the purchase; the message says why and what to do."""


class AmountRefused(PurchaseRefused):
    """Enter an amount above 0 and at most 1,000,000,000 credits."""


class DaysRefused(PurchaseRefused):
    """The credits would end before they start; choose a later expiration date."""


class AlreadyRecorded(PurchaseRefused):
    """This order is recorded already; ``purchase`` is the one it is recorded as."""

    def __init__(self, purchase: Purchase) -> None:
        self.purchase = purchase
        super().__init__(f"Already recorded as #{purchase.number}.")


class AlreadyDecided(PurchaseRefused):
    """Somebody was faster: the purchase is not waiting any more; ``purchase`` is as it is now."""

    def __init__(self, purchase: Purchase) -> None:
        self.purchase = purchase
        label = PurchaseState(purchase.state).label.lower()
        super().__init__(f"Purchase #{purchase.number} is {label} already. Nothing was changed.")


class NotApproved(PurchaseRefused):
    """A purchase is approved before its credits are added."""

    def __init__(self, purchase: Purchase) -> None:
        super().__init__(f"Purchase #{purchase.number} is not approved yet; approve it first.")


class NotAllowed(PurchaseRefused):
    """Only people of the provider's who sell credits approve and fulfil purchases."""


class SecondPersonNeeded(PurchaseRefused):
    """Above the contract's limit another person approves than the one who asked or fulfils."""

    def __init__(self, purchase: Purchase, limit: Decimal) -> None:
        now = approval_limit(purchase.company)
        raised = ""
        if now is None or now > limit:
            raised = " A limit raised after the request, or by oneself, does not count."
        super().__init__(
            f"Purchase #{purchase.number} is above the limit of {grouped(limit)} credits: "
            f"a person who neither asked for it nor fulfils it has to approve it.{raised}"
        )


class ReasonMissing(PurchaseRefused):
    """Write why, in at least 10 characters: it stays with the purchase for ever."""


def request(
    *,
    company: Company,
    amount: Decimal,
    by: User,
    now: datetime,
    starts_on: date | None = None,
    ends_on: date | None = None,
    order_reference: str = "",
    note: str = "",
    replaces: Purchase | None = None,
    key: Key | None = None,
    through: Actor | None = None,
) -> Purchase:
    """Ask for credits; return the purchase that waits for the vendor. Adds no credits.

    With a key the same request again returns the first purchase, whatever became of it.
    ``through`` is who asks in the name of ``by``, where that is not the person themselves.

    :raises InexactAmount: for a fourth decimal place.
    :raises AmountRefused: for an amount that is not above 0, or too large.
    :raises DaysRefused: for a last day before the first.
    :raises AlreadyRecorded: the company has this order reference, however it is spelled.
    :raises IdempotencyConflict: the key was used for another request.
    :raises CompanyClosed: nothing is bought for a closed company.
    """
    amount = exact(amount)
    if not 0 < amount <= ACT_MAX:
        raise AmountRefused(AmountRefused.__doc__)
    refuse_reversed(starts_on, ends_on)
    with transaction.atomic():
        lock_company(company)
        if key is not None and (first := _first_with(company, key)):
            return first
        refuse_recorded(company, order_reference)
        last = Purchase.objects.filter(company=company).aggregate(last=Max("number"))["last"]
        purchase = Purchase(
            company=company,
            number=(last or 0) + 1,
            amount=amount,
            starts_on=starts_on,
            ends_on=ends_on,
            note=note.strip(),
            approval_limit=approval_limit(company),
            requested_at=now,
            requested_by=by,
            replaces=replaces,
            request_key=key.text if key else "",
            request_sha256=key.body_sha256 if key else None,
        )
        name_order(purchase, order_reference)
        purchase.save(force_insert=True)
        trail.requested(purchase, by=by, through=through)
    return purchase


def approve(*, purchase: Purchase, by: User, now: datetime) -> Purchase:
    """Agree to a purchase; above the contract's limit as a second person. Adds no credits.

    :raises NotAllowed: the person is not, or not any more, of the vendor's staff.
    :raises AlreadyDecided: it was not waiting to be approved.
    :raises SecondPersonNeeded: the one who asked cannot approve this much.
    :raises CompanyClosed: nothing is bought for a closed company.
    """
    with transaction.atomic():
        lock_company(purchase.company)
        current = locked(purchase)
        refuse_others(by, Act.APPROVE_PURCHASES)
        if current.state != PurchaseState.REQUESTED:
            raise AlreadyDecided(current)
        limit = limit_of(current, by=by)
        current.approval_limit = limit
        if is_above(current) and by.pk == current.requested_by_id:
            raise SecondPersonNeeded(current, limit or Decimal(0))
        current.state = PurchaseState.APPROVED
        current.approved_at, current.approved_by = now, by
        current.save(update_fields=["state", "approved_at", "approved_by", "approval_limit"])
        trail.approved(current, by=by)
    return current


def cancel(*, purchase: Purchase, by: User, reason: str, now: datetime) -> Purchase:
    """Withdraw a purchase that added no credits yet. Possible for a closed company too.

    :raises AlreadyDecided: it is fulfilled or cancelled; a fulfilled one is voided instead.
    :raises ReasonMissing: the reason is too short to tell anybody anything.
    """
    reason = reason_of(reason)
    with transaction.atomic():
        lock_company(purchase.company, even_closed=True)
        current = locked(purchase)
        if current.state not in OPEN_STATES:
            raise AlreadyDecided(current)
        current.state = PurchaseState.CANCELLED
        current.cancelled_at, current.cancelled_by = now, by
        current.cancel_reason = reason
        current.save(update_fields=["state", "cancelled_at", "cancelled_by", "cancel_reason"])
        trail.cancelled(current, by=by, reason=reason)
    return current


def recorded(company: Company, order_reference: str) -> Purchase | None:
    """Return the purchase that holds an order reference; None for none, and for no reference."""
    key = orders.key_of(order_reference)
    if not key:
        return None
    standing = Purchase.objects.filter(company=company, cancelled_at=None, voided_at=None)
    return standing.filter(order_key=key).first()


def name_order(purchase: Purchase, order_reference: str) -> None:
    """Set a purchase's order reference, and its normal form; one that shows nothing is none."""
    purchase.order_key = orders.key_of(order_reference)
    purchase.order_reference = order_reference.strip() if purchase.order_key else ""


def waiting(purchases: QuerySet[Purchase]) -> QuerySet[Purchase]:
    """Limit purchases to those that wait to be approved."""
    return purchases.filter(state=PurchaseState.REQUESTED)


def approval_limit(company: Company, *, by: User | None = None) -> Decimal | None:
    """Return the credits above which a second person approves; None for no limit.

    For the person ``by`` who raised it, it is what it was before: nobody gives themselves leave.
    """
    contract = Contract.objects.filter(company=company).first()
    if contract is None:
        return None
    if by is not None and contract.limit_raised_by_id == by.pk:
        return contract.limit_before_raise
    return contract.approval_limit


def limit_of(purchase: Purchase, *, by: User) -> Decimal | None:
    """Return the limit a person approves a waiting purchase under: the lowest since its request.

    None for no limit. See ``approval_limit`` for the person who raised it.
    """
    limits = (purchase.approval_limit, approval_limit(purchase.company, by=by))
    return min((one for one in limits if one is not None), default=None)


def lower_limits(company: Company, *, to: Decimal | None) -> None:
    """Let a contract's new limit count for what waits, where it is lower than those before."""
    if to is None:
        return
    waits = waiting(Purchase.objects.filter(company=company))
    # LEAST leaves a missing limit out of account.
    waits.update(approval_limit=Least("approval_limit", Value(to, AmountField())))


def is_above(purchase: Purchase) -> bool:
    """Tell whether a purchase is above the limit it was, or is being, approved under."""
    return purchase.approval_limit is not None and purchase.amount > purchase.approval_limit


def lock_company(company: Company, *, even_closed: bool = False) -> Company:
    """Let no other act on the company's purchases run until the transaction ends.

    :raises CompanyClosed: unless ``even_closed``.
    """
    current = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
    if current.closed_at is not None and not even_closed:
        raise CompanyClosed(current)
    return current


def locked(purchase: Purchase) -> Purchase:
    """Return the purchase as it is now, kept so until the transaction ends."""
    return (
        Purchase.objects.select_related("company")
        .select_for_update(no_key=True, of=("self",))
        .get(company=purchase.company_id, pk=purchase.pk)
    )


def refuse_recorded(company: Company, order_reference: str, *, but: UUID | None = None) -> None:
    """Check that no other purchase has this order.

    :raises AlreadyRecorded: names the one that does.
    """
    found = recorded(company, order_reference)
    if found is not None and found.pk != but:
        raise AlreadyRecorded(found)


def refuse_others(by: User, act: Act) -> None:
    """Check that a person may do an act on purchases, whatever page or program asks.

    :raises NotAllowed: they are deactivated, or not of the vendor's staff.
    """
    if not roles.may_as_vendor(by, act):
        raise NotAllowed(NotAllowed.__doc__)


def refuse_reversed(starts_on: date | None, ends_on: date | None) -> None:
    """Check that the last day is not before the first.

    :raises DaysRefused: it is.
    """
    if starts_on is not None and ends_on is not None and ends_on < starts_on:
        raise DaysRefused(DaysRefused.__doc__)


def reason_of(text: str) -> str:
    """Return a reason without the space around it.

    :raises ReasonMissing: it has fewer than 10 characters.
    """
    reason = text.strip()
    if len(reason) < REASON_LENGTH_MIN:
        raise ReasonMissing(ReasonMissing.__doc__)
    return reason


def _first_with(company: Company, key: Key) -> Purchase | None:
    first = Purchase.objects.filter(company=company, request_key=key.text).first()
    if first is not None and bytes(first.request_sha256 or b"") != key.body_sha256:
        raise IdempotencyConflict(IdempotencyConflict.__doc__)
    return first
