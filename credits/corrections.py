"""What every correction of the books needs: a reason, a person, and the row that keeps them."""

from __future__ import annotations

from credits.identifiers import new_id
from credits.ledger import Outcome, Signature
from credits.models import REASON_LENGTH_MIN, Company, Correction, CorrectionKind, LedgerEntry, User


class ReasonMissing(ValueError):
    """Write why, in at least 10 characters."""


def sign(*, by: User | None, reason: str) -> Signature:
    """Name who corrects and why, under a new id.

    :raises ReasonMissing: for fewer than 10 characters, spaces around them not counted.
    """
    reason = reason.strip()
    if len(reason) < REASON_LENGTH_MIN:
        raise ReasonMissing(ReasonMissing.__doc__)
    if by is None:
        return Signature(new_id(), reason, None, None)
    return Signature(new_id(), reason, by.pk, by.public_id)


def made(*, company_id: int, answer: Outcome) -> Correction:
    """Return the correction an act wrote, or the first one for a repeated key."""
    return Correction.objects.select_related("grant", "entry").get(
        company_id=company_id, id=answer.certain_ref
    )


def newest(*, company: Company, kind: CorrectionKind) -> Correction:
    """Return the company's last correction of a kind; right after one, in its transaction, that.

    By kind, since a refund may come with the adjustment that gives its expired part again.
    """
    found = Correction.objects.filter(company=company, kind=kind).select_related("entry", "by")
    return found.order_by("-created_at")[:1].get()


def entry_of(correction: Correction) -> LedgerEntry:
    """Return the entry of a correction that moved credits."""
    assert correction.entry is not None
    return correction.entry
