"""What the audit trail says of acts on contracts, seats and purchases."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from datetime import date
from decimal import Decimal
from typing import TYPE_CHECKING, Any
from uuid import UUID

from billing.models import Allocation, Contract, Period, Purchase, SeatCount, TopUp, ZoneChange
from credits import audit
from credits.amounts import grouped
from credits.audit import Action, Actor
from credits.models import User

if TYPE_CHECKING:
    from billing.contracts import Terms


def requested(purchase: Purchase, *, by: User, through: Actor | None) -> None:
    """Write a request down; ``through`` is the key that asked in the person's name."""
    named = None if through is None else by
    _record(
        Action.REQUESTED,
        purchase,
        by=through or by,
        after={
            "credits": purchase.amount,
            "first_day": purchase.starts_on,
            "last_day": purchase.ends_on,
            "order_reference": purchase.order_reference,
            "note": purchase.note,
            "in_place_of": purchase.replaces,
            "in_the_name_of": named and named.get_full_name(),
        },
        about=named,
    )


def approved(purchase: Purchase, *, by: User) -> None:
    after = {"credits": purchase.amount, "limit": purchase.approval_limit}
    _record(Action.APPROVED, purchase, by=by, after=after)


def fulfilled(
    purchase: Purchase, *, by: User, starts_on: date, ends_on: date, order_reference_was: str
) -> None:
    """Write down that a purchase's credits are added, before they are."""
    _record(
        Action.FULFILLED,
        purchase,
        by=by,
        before={"order_reference": order_reference_was},
        after={
            "credits": purchase.amount,
            "first_day": starts_on,
            "last_day": ends_on,
            "order_reference": purchase.order_reference,
        },
    )


def cancelled(purchase: Purchase, *, by: User, reason: str) -> None:
    before = {"credits": purchase.amount}
    _record(Action.CANCELLED, purchase, by=by, before=before, reason=reason)


def taken_back(purchase: Purchase, *, by: User, reason: str) -> None:
    """Write down that a purchase is reversed, before its credits are taken back."""
    before = {"credits": purchase.amount}
    _record(Action.REVERSED, purchase, by=by, before=before, reason=reason)


def agreed(contract: Contract, *, by: User, was: Terms | None, terms: Terms) -> None:
    """Write a contract down, or what of its terms changed; nothing for what stayed the same."""
    before = {} if was is None else _in_words(was)
    after = _in_words(terms)
    if before == after:
        return
    audit.record(
        action=Action.ADDED if was is None else Action.CHANGED,
        by=by,
        company=contract.company_id,
        subject=audit.named(contract, f"of {contract.company}"),
        before=before,
        after=after,
    )


def counted(
    count: SeatCount, *, by: User, was: int, credits_were: Decimal | None, credits: Decimal
) -> None:
    """Write down how many seats there are from a day on, and what each brings."""
    seat_type = count.seat_type.name
    audit.record(
        action=Action.ADDED,
        by=by,
        company=count.company_id,
        subject=audit.named(count, f"of {seat_type}"),
        before={"seats": was, "credits_a_seat": credits_were},
        after={
            "seats": count.count,
            "credits_a_seat": credits,
            "from": count.effective_on,
            "note": count.note,
        },
    )


def topped_up(allocation: Allocation, *, key: UUID, amount: Decimal, by: User, reason: str) -> None:
    """Write a top-up down, before its credits are added."""
    label = f"of {grouped(amount)} credits for period {allocation.period_number}"
    audit.record(
        action=Action.GRANTED,
        by=by,
        company=allocation.company_id,
        subject=audit.Subject(audit.type_of(TopUp), str(key), label),
        after={"credits": amount, "last_day": allocation.ends_on},
        reason=reason,
    )


def zone_changed(change: ZoneChange, *, by: User) -> None:
    """Write down that a company gets another time zone, and from when."""
    _record_zone(change, by=by, before=change.before, after=change.after, reason=change.reason)


def zone_change_withdrawn(change: ZoneChange, *, by: User, reason: str) -> None:
    """Write down that a company keeps its time zone after all."""
    _record_zone(change, by=by, before=change.after, after=change.before, reason=reason)


def _record_zone(change: ZoneChange, *, by: User, before: str, after: str, reason: str) -> None:
    audit.record(
        action=Action.CHANGED,
        by=by,
        company=change.company_id,
        subject=change.company,
        before={"time_zone": before},
        after={"time_zone": after, "from": change.effective_at},
        reason=reason,
    )


def _in_words(terms: Terms) -> dict[str, Any]:
    # A row read from the database has the period's code, a form's terms the choice.
    return asdict(terms) | {"period": Period(terms.period)}


def _record(
    action: Action,
    purchase: Purchase,
    *,
    by: User | Actor,
    before: Mapping[str, Any] | None = None,
    after: Mapping[str, Any] | None = None,
    reason: str = "",
    about: User | None = None,
) -> None:
    audit.record(
        action=action,
        by=by,
        company=purchase.company_id,
        subject=audit.named(purchase, f"#{purchase.number}"),
        before=before,
        after=after,
        reason=reason,
        about=about,
    )
