"""Reverse a purchase recorded by mistake: take back what is left, and say so for ever (SPEC §2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from django.db import transaction

from billing import purchases, trail
from billing.models import Purchase, PurchaseState
from credits import grants
from credits.amounts import ZERO, grouped
from credits.models import CreditGrant, User

GONE = (grants.AlreadyVoided, grants.AlreadyCancelled)


class NothingLeft(purchases.PurchaseRefused):
    """Nothing is left of a purchase to take back."""

    def __init__(self, purchase: Purchase, how: str) -> None:
        super().__init__(
            f"All {grouped(purchase.amount)} credits of purchase #{purchase.number} are {how}; "
            "nothing can be taken back."
        )


class NotFulfilled(purchases.PurchaseRefused):
    """This purchase added no credits; cancel it instead."""


class AlreadyReversed(purchases.PurchaseRefused):
    """This purchase was reversed before. Nothing was changed."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What reversing takes: ``leaves`` is by how much the balance falls at once."""

    amount: Decimal
    used: Decimal
    held: Decimal
    taken: Decimal
    leaves: Decimal

    @property
    def sentence(self) -> str:
        used = f"{grouped(self.used)} of {grouped(self.amount)} already used"
        held = f"; {grouped(self.held)} held by work under way" if self.held else ""
        return f"{used}{held}; {grouped(self.taken)} can be taken back."


def preview(*, purchase: Purchase) -> Preview:
    """Return what ``void`` would take now, and what it could not.

    :raises NotFulfilled: there is nothing to reverse.
    :raises NothingLeft: all of it is used or has expired.
    """
    grant = _grant_of(purchase)
    try:
        found = grants.void_preview(grant=grant)
    except grants.GrantNotStarted:
        return Preview(grant.amount, ZERO, ZERO, taken=grant.amount, leaves=ZERO)
    except GONE:
        return Preview(grant.amount, ZERO, ZERO, taken=ZERO, leaves=ZERO)
    except grants.GrantUsedUp as error:
        raise NothingLeft(purchase, "used") from error
    except grants.GrantExpired as error:
        raise NothingLeft(purchase, "used or expired") from error
    return Preview(found.amount, found.used, found.held, found.taken, leaves=found.taken)


def void(*, purchase: Purchase, by: User, reason: str, now: datetime) -> Purchase:
    """Take back what is left of a purchase's credits; return it, reversed.

    The row and its grant stay and name each other. What work under way holds is taken back when
    that work gives it back. A grant that was taken back by itself before is only written down.

    :raises AlreadyReversed: it was reversed before.
    :raises NotFulfilled: it added nothing.
    :raises NothingLeft: all of it is used or has expired.
    :raises ReasonMissing: the reason is too short to tell anybody anything.
    """
    reason = purchases.reason_of(reason)
    with transaction.atomic():
        purchases.lock_company(purchase.company, even_closed=True)
        current = purchases.locked(purchase)
        grant = _grant_of(current)
        if current.voided_at is not None:
            raise AlreadyReversed(AlreadyReversed.__doc__)
        trail.taken_back(current, by=by, reason=reason)
        _take_back(current, grant, by, reason)
        current.voided_at, current.voided_by, current.void_reason = now, by, reason
        current.save(update_fields=["voided_at", "voided_by", "void_reason"])
    return current


def _take_back(purchase: Purchase, grant: CreditGrant, by: User, reason: str) -> None:
    try:
        grants.void(grant=grant, by=by, reason=reason)
    except grants.GrantNotStarted:
        grants.cancel(grant=grant, by=by, reason=reason)
    except GONE:
        return
    except grants.GrantUsedUp as error:
        raise NothingLeft(purchase, "used") from error
    except grants.GrantExpired as error:
        raise NothingLeft(purchase, "used or expired") from error


def _grant_of(purchase: Purchase) -> CreditGrant:
    if purchase.state != PurchaseState.FULFILLED or purchase.grant is None:
        raise NotFulfilled(NotFulfilled.__doc__)
    return purchase.grant
