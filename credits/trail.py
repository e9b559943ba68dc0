"""What the audit trail says when a person grants or corrects credits.

The ledger's operations leave no line: schedulers and other apps use them too, and have an act of
their own around it. Whoever lets a person do them calls here as well, in the same transaction.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Any
from uuid import UUID

from credits import audit
from credits.amounts import grouped
from credits.audit import Action
from credits.models import (
    Company,
    Correction,
    CorrectionKind,
    CreditGrant,
    Source,
    UsageEvent,
    User,
)

CORRECTED: dict[CorrectionKind, Action] = {
    CorrectionKind.CANCELLED: Action.CANCELLED,
    CorrectionKind.VOIDED: Action.VOIDED,
    CorrectionKind.ADJUSTED: Action.ADJUSTED,
    CorrectionKind.REFUNDED: Action.REFUNDED,
}


def granted(
    *,
    grant_id: UUID,
    company: Company,
    source: Source,
    amount: Decimal,
    by: User,
    first_day: date | None,
    last_day: date | None,
    reason: str,
) -> None:
    """Write a grant down, under the id that it is about to get."""
    audit.record(
        action=Action.GRANTED,
        by=by,
        company=company,
        subject=audit.Subject(
            audit.type_of(CreditGrant), str(grant_id), f"of {grouped(amount)} credits"
        ),
        after={
            "credits": amount,
            "source": source,
            "first_day": first_day,
            "last_day": last_day,
        },
        reason=reason,
    )


def corrected(
    correction: Correction,
    subject: CreditGrant | Company | UsageEvent,
    *,
    asked: Mapping[str, Any],
) -> None:
    """Write a correction down: what was chosen, the balance before and after, and the entry.

    A cancelled grant, and a void of credits that are all held, move nothing and have no entry.
    """
    entry = correction.entry
    asked = {
        name: _called(one) if isinstance(one, CreditGrant) else one or None
        for name, one in asked.items()
    }
    moved = {} if entry is None else {"balance": entry.balance_after}
    if entry is not None:
        moved |= {"credits": correction.amount, "entry": f"#{entry.sequence}"}
    audit.record(
        action=CORRECTED[CorrectionKind(correction.kind)],
        by=correction.by,
        company=correction.company_id,
        subject=audit.named(subject, _called(subject)),
        before={} if entry is None else {"balance": entry.balance_before},
        after={**asked, **moved},
        reason=correction.reason,
    )


def _called(subject: CreditGrant | Company | UsageEvent) -> str:
    if isinstance(subject, CreditGrant):
        return f"{subject.get_source_display()} of {grouped(subject.amount)} credits"
    if isinstance(subject, UsageEvent):
        return f"{subject.feature_name}, {grouped(subject.amount)} credits"
    return str(subject)
