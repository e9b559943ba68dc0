"""Fill the pool: make grants, now or for later (SPEC §2)."""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from uuid import UUID

from credits import ledger
from credits.amounts import exact
from credits.identifiers import new_id
from credits.ledger import IdempotencyConflict, Key
from credits.models import Company, CreditGrant, Source, User
from credits.models.pool import PRIORITY_DEFAULT


class GrantExpiresBeforeItStarts(Exception):
    """A grant must expire after it starts; a start already past counts from now."""


class AlreadyIntroduced(Exception):
    """A company gets introductory credits once, and this one has had them."""


def issue(
    *,
    company: Company,
    source: Source,
    amount: Decimal,
    by: User | None,
    effective_at: datetime | None = None,
    expires_at: datetime | None = None,
    priority: int = PRIORITY_DEFAULT,
    reference: str = "",
    reason: str = "",
    key: Key | None = None,
    grant_id: UUID | None = None,
) -> CreditGrant:
    """Give a company credits, usable in ``effective_at <= t < expires_at``.

    Without ``effective_at``, or with one already past, from now; without ``expires_at``, for
    ever. A later start writes no ledger entry until then. With a key the same request again
    returns the first grant. ``grant_id`` is for a caller who has named the grant already, in the
    audit trail.

    :raises InexactAmount: for a fourth decimal place.
    :raises ValueError: if the amount is not above 0.
    :raises GrantExpiresBeforeItStarts: nothing was granted.
    :raises AlreadyIntroduced: for a second introductory grant.
    :raises IdempotencyConflict: the key was used with another body.
    """
    amount = exact(amount)
    if amount <= 0:
        raise ValueError("Enter an amount above 0.")
    grant_id = grant_id or new_id()
    answer = ledger.issue(
        company_id=company.pk,
        actor_ref=None if by is None else by.public_id,
        grant_id=grant_id,
        source=source,
        amount=amount,
        effective_at=effective_at,
        expires_at=expires_at,
        priority=priority,
        reference=reference,
        reason=reason,
        created_by_id=None if by is None else by.pk,
        key=key,
    )
    match answer.outcome:
        case "EXPIRES_BEFORE_IT_STARTS":
            raise GrantExpiresBeforeItStarts(GrantExpiresBeforeItStarts.__doc__)
        case "ALREADY_INTRODUCED":
            raise AlreadyIntroduced(AlreadyIntroduced.__doc__)
        case "CONFLICT":
            raise IdempotencyConflict(IdempotencyConflict.__doc__)
    return CreditGrant.objects.get(company=company, id=answer.certain_ref)
