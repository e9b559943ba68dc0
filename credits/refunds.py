"""Give a charge back, whole or in part (SPEC §2); called as ``charging.refund``."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal

from credits import amounts, corrections, ledger
from credits.amounts import ZERO, movable
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.ledger import IdempotencyConflict, Key
from credits.models import CreditGrant, LedgerEntry, UsageEvent, User
from credits.models.pool import PRIORITY_DEFAULT


class NothingCharged(Exception):
    """This use cost nothing, so there is nothing to refund."""


class AlreadyRefunded(Exception):
    """All of this charge was refunded before."""


class RefundExceedsCharge(Exception):
    """A refund is at most what is left of its charge: says how much that is."""

    def __init__(self, *, required: Decimal, left: Decimal) -> None:
        self.required = required
        self.left = left
        super().__init__(
            f"{amounts.grouped(left)} credits of this charge are left to refund,"
            f" not {amounts.grouped(required)}."
        )


@dataclass(frozen=True, slots=True)
class RefundPart:
    """What goes back to one grant; it stays there unless the grant has expired or was voided."""

    grant: CreditGrant
    amount: Decimal
    is_expired: bool
    is_voided: bool


@dataclass(frozen=True, slots=True)
class RefundPreview:
    """What a refund would do now, grant by grant in its order. Amounts in credits."""

    amount: Decimal
    charged: Decimal
    refunded_before: Decimal
    parts: tuple[RefundPart, ...]

    @property
    def expires_at_once(self) -> Decimal:
        return sum((part.amount for part in self.parts if part.is_expired), ZERO)

    @property
    def voided_at_once(self) -> Decimal:
        return sum((part.amount for part in self.parts if part.is_voided), ZERO)

    @property
    def stays(self) -> Decimal:
        return self.amount - self.expires_at_once - self.voided_at_once


def refund(
    *,
    usage_event: UsageEvent,
    by: User,
    reason: str,
    amount: Decimal | None = None,
    replace_expired: bool = False,
    key: Key | None = None,
) -> LedgerEntry:
    """Give back a charge, or ``amount`` of it, to the lots it drew on; return the REFUNDED entry.

    Without an amount, all that was not refunded before. Lots get theirs in reverse of the order
    drawn; what comes to an expired lot expires, and to a voided one is voided, in the same act.
    With ``replace_expired`` what expires so comes again as an adjustment that lasts 30 days. With
    a key the same request again returns the first entry.

    :raises InexactAmount: for a fourth decimal place.
    :raises ValueError: if the amount is not above 0.
    :raises ReasonMissing: for a reason of fewer than 10 characters.
    :raises NothingCharged: for a use of 0.
    :raises AlreadyRefunded: nothing of the charge is left.
    :raises RefundExceedsCharge: nothing was refunded.
    :raises IdempotencyConflict: the key was used with another body.
    :raises CompanyClosed: nothing comes back to a closed company.
    """
    signature = corrections.sign(by=by, reason=reason)
    answer = ledger.refund(
        company_id=usage_event.company_id,
        usage_id=usage_event.pk,
        amount=_part(amount),
        signature=signature,
        replacement_id=new_id() if replace_expired else None,
        replacement=corrections.sign(by=by, reason=reason) if replace_expired else None,
        priority=PRIORITY_DEFAULT,
        key=key,
    )
    if answer.outcome == "CLOSED":
        raise CompanyClosed(usage_event.company)
    _refuse_refund(answer.outcome, required=answer.required, left=answer.available)
    correction = corrections.made(company_id=usage_event.company_id, answer=answer)
    return corrections.entry_of(correction)


def refund_preview(*, usage_event: UsageEvent, amount: Decimal | None = None) -> RefundPreview:
    """Say what ``refund`` would do now, by the same rules; settles what is due first.

    :raises RefundExceedsCharge: and the other refusals of ``refund``.
    """
    company_id = usage_event.company_id
    now = ledger.read(company_id=company_id)
    found = ledger.refundable(company_id=company_id, usage_id=usage_event.pk, amount=_part(amount))
    left = (found.charged or ZERO) - found.refunded
    _refuse_refund(found.outcome, required=found.amount, left=left)
    parts = ledger.refund_parts(
        company_id=company_id,
        charge_sequence=found.charge_sequence,
        amount=found.amount,
        instant=now.instant,
    )
    grants = CreditGrant.objects.filter(company_id=company_id).in_bulk(
        [part.grant_id for part in parts]
    )
    return RefundPreview(
        amount=found.amount,
        charged=found.charged,
        refunded_before=found.refunded,
        parts=tuple(
            RefundPart(
                grants[part.grant_id],
                part.amount,
                is_expired=part.fate == "EXPIRED",
                is_voided=part.fate == "VOIDED",
            )
            for part in parts
        ),
    )


def _part(amount: Decimal | None) -> Decimal | None:
    return None if amount is None else movable(amount)


def _refuse_refund(outcome: str, *, required: Decimal | None, left: Decimal) -> None:
    match outcome:
        case "FREE":
            raise NothingCharged(NothingCharged.__doc__)
        case "REFUNDED":
            raise AlreadyRefunded(AlreadyRefunded.__doc__)
        case "EXCEEDS":
            raise RefundExceedsCharge(required=required or ZERO, left=left)
        case "CONFLICT":
            raise IdempotencyConflict(IdempotencyConflict.__doc__)
        case "UNKNOWN":
            raise UsageEvent.DoesNotExist("There is no such use in this company.")
