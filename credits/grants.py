"""Fill the pool, and correct what filled it: issue, cancel, void, adjust (SPEC §2)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.utils import timezone

from credits import amounts, companies, corrections, ledger
from credits.amounts import exact, movable
from credits.identifiers import new_id
from credits.ledger import IdempotencyConflict, Key, Outcome
from credits.models import Company, CreditGrant, LedgerEntry, Source, User
from credits.models.pool import PRIORITY_DEFAULT


class GrantExpiresBeforeItStarts(Exception):
    """A grant must expire after it starts; a start already past counts from now."""


class AlreadyIntroduced(Exception):
    """A company gets introductory credits once, and this one has had them."""


class GrantAlreadyStarted(Exception):
    """This grant has started; void what is left of it instead."""


class GrantNotStarted(Exception):
    """This grant has not started yet, so there is nothing to void; cancel it instead."""


class AlreadyCancelled(Exception):
    """This grant was cancelled before it started; nothing is left to do."""


class AlreadyVoided(Exception):
    """This grant was voided before; what comes back to it is voided by itself."""


class GrantExpired(Exception):
    """This grant has expired; what comes back to it expires by itself."""


class GrantUsedUp(Exception):
    """All of this grant was used; refund a charge to give credits back."""


class AdjustmentExceedsAvailable(Exception):
    """Take no more than is available: says how much that is; the rest is used or held."""

    def __init__(self, *, required: Decimal, available: Decimal) -> None:
        self.required = required
        self.available = available
        super().__init__(
            f"{amounts.grouped(available)} credits can be taken, not {amounts.grouped(required)};"
            " what is used or held stays."
        )


_REFUSALS: dict[str, type[Exception]] = {
    "EXPIRES_BEFORE_IT_STARTS": GrantExpiresBeforeItStarts,
    "ALREADY_INTRODUCED": AlreadyIntroduced,
    "STARTED": GrantAlreadyStarted,
    "NOT_STARTED": GrantNotStarted,
    "CANCELLED": AlreadyCancelled,
    "VOIDED": AlreadyVoided,
    "EXPIRED": GrantExpired,
    "USED_UP": GrantUsedUp,
    "CONFLICT": IdempotencyConflict,
}


@dataclass(frozen=True, slots=True)
class VoidPreview:
    """What a void would take now. Amounts in credits; ``held`` is voided if it comes back."""

    amount: Decimal
    used: Decimal
    held: Decimal
    taken: Decimal

    def __str__(self) -> str:
        used = f"{amounts.grouped(self.used)} of {amounts.grouped(self.amount)} already used"
        held = f"; {amounts.grouped(self.held)} held by work under way" if self.held else ""
        return f"{used}{held}; {amounts.grouped(self.taken)} can be taken back"


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
    ever. A later start writes no ledger entry until then. The entry is GRANTED, for the source
    ADJUSTMENT it is ADJUSTED. With a key the same request again returns the first grant.
    ``grant_id`` is for a caller who has named the grant already, in the audit trail.

    :raises InexactAmount: for a fourth decimal place.
    :raises ValueError: if the amount is not above 0 or more than a pool can hold, or an instant
        has no time zone.
    :raises GrantExpiresBeforeItStarts: nothing was granted.
    :raises AlreadyIntroduced: for a second introductory grant.
    :raises IdempotencyConflict: the key was used with another body.
    :raises CompanyClosed: nothing is granted to a closed company.
    """
    amount = movable(amount)
    for instant in (effective_at, expires_at):
        _refuse_naive(instant)
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
    companies.refuse_closed(company, answer)
    _refuse(answer.outcome)
    return CreditGrant.objects.get(company=company, id=answer.certain_ref)


def cancel(
    *, grant: CreditGrant, by: User | None, reason: str, key: Key | None = None
) -> CreditGrant:
    """Take back a grant that has not started; it never has an entry. Return it as it is now.

    ``by`` is None when the scheduler replaces an allocation. With a key the same request again
    returns the grant it cancelled.

    :raises ReasonMissing: for a reason of fewer than 10 characters.
    :raises GrantAlreadyStarted: its instant has come, whether or not anything noticed before.
    :raises AlreadyCancelled: it was cancelled before.
    :raises IdempotencyConflict: the key was used with another body.
    """
    answer = ledger.cancel(
        company_id=grant.company_id,
        grant_id=grant.pk,
        signature=corrections.sign(by=by, reason=reason),
        key=key,
    )
    return _corrected(grant.company_id, answer)


def void(*, grant: CreditGrant, by: User, reason: str, key: Key | None = None) -> CreditGrant:
    """Take back what is not held of a grant, for good. Return it as it is now.

    What work under way holds can still be captured; what comes back to the grant later, by a
    release, a lapse or a refund, is voided in the same act. A void of credits that are all held
    writes no entry yet. With a key the same request again returns the grant it voided.

    :raises ReasonMissing: for a reason of fewer than 10 characters.
    :raises GrantNotStarted: cancel it instead.
    :raises AlreadyCancelled: it never started.
    :raises AlreadyVoided: it was voided before.
    :raises GrantExpired: nothing is left to take.
    :raises GrantUsedUp: nothing is left to take.
    :raises IdempotencyConflict: the key was used with another body.
    """
    answer = ledger.void(
        company_id=grant.company_id,
        grant_id=grant.pk,
        signature=corrections.sign(by=by, reason=reason),
        key=key,
    )
    return _corrected(grant.company_id, answer)


def void_preview(*, grant: CreditGrant) -> VoidPreview:
    """Say what ``void`` would take now and what it would not; settles what is due first.

    :raises GrantNotStarted: and the other refusals of ``void``.
    """
    ledger.read(company_id=grant.company_id)
    found = ledger.voidable(company_id=grant.company_id, grant_id=grant.pk)
    _refuse(found.outcome)
    return VoidPreview(found.amount, found.used, found.held, found.taken)


def adjust(
    *,
    company: Company,
    amount: Decimal,
    by: User,
    reason: str,
    grant: CreditGrant | None = None,
    expires_at: datetime | None = None,
    key: Key | None = None,
) -> LedgerEntry:
    """Correct a company's credits by a signed amount; return the ADJUSTED entry.

    Above 0: a grant of its own with source ADJUSTMENT, usable from now until ``expires_at``; it
    is the entry's ``grant``. Below 0: taken from ``grant``, or without one in spending order,
    from what is available only, never from what is held; ``corrected_down`` of those grants
    rises. With a key the same request again returns the first entry.

    :raises InexactAmount: for a fourth decimal place.
    :raises ValueError: if the amount is 0 or more than a pool can hold, or credits added name a
        grant, or taken an expiry, or the expiry has no time zone.
    :raises ReasonMissing: for a reason of fewer than 10 characters.
    :raises GrantExpiresBeforeItStarts: nothing was added.
    :raises AdjustmentExceedsAvailable: nothing was taken.
    :raises IdempotencyConflict: the key was used with another body.
    :raises CompanyClosed: nothing is corrected in a closed company.
    """
    amount = exact(amount)
    if amount == 0:
        raise ValueError("Enter an amount other than 0.")
    movable(abs(amount))
    _refuse_naive(expires_at)
    signature = corrections.sign(by=by, reason=reason)
    if amount > 0:
        if grant is not None:
            raise ValueError("Credits are added as a grant of their own; name no other.")
        answer = ledger.adjust_up(
            company_id=company.pk,
            grant_id=new_id(),
            amount=amount,
            expires_at=expires_at,
            priority=PRIORITY_DEFAULT,
            signature=signature,
            key=key,
        )
    else:
        if expires_at is not None:
            raise ValueError("Only credits that are added expire; leave the expiry out.")
        answer = ledger.adjust_down(
            company_id=company.pk,
            grant_id=None if grant is None else grant.pk,
            amount=-amount,
            signature=signature,
            key=key,
        )
    companies.refuse_closed(company, answer)
    if answer.outcome == "INSUFFICIENT":
        raise AdjustmentExceedsAvailable(required=-amount, available=answer.available)
    _refuse(answer.outcome)
    return corrections.entry_of(corrections.made(company_id=company.pk, answer=answer))


def _corrected(company_id: int, answer: Outcome) -> CreditGrant:
    _refuse(answer.outcome)
    grant = corrections.made(company_id=company_id, answer=answer).grant
    assert grant is not None
    return grant


def _refuse_naive(instant: datetime | None) -> None:
    if instant is not None and timezone.is_naive(instant):
        raise ValueError(f"{instant} does not say in which time zone; no grant can start or end.")


def _refuse(outcome: str) -> None:
    if outcome == "UNKNOWN":
        raise CreditGrant.DoesNotExist("There is no such grant in this company.")
    if error := _REFUSALS.get(outcome):
        raise error(error.__doc__)
