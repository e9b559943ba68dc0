"""What the audit trail says when a person grants or corrects credits.

The ledger's operations leave no line: schedulers and other apps use them too, and have an act of
their own around it. Whoever lets a person do them calls here first, in the same transaction.
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
from credits.models import Company, CreditGrant, Operation, Source, UsageEvent, User

CORRECTED: dict[Operation, Action] = {
    Operation.CANCEL: Action.CANCELLED,
    Operation.VOID: Action.VOIDED,
    Operation.ADJUST: Action.ADJUSTED,
    Operation.REFUND: Action.REFUNDED,
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
    operation: Operation,
    subject: CreditGrant | Company | UsageEvent,
    *,
    company: Company,
    by: User,
    asked: Mapping[str, Any],
    reason: str,
) -> None:
    """Write a correction of a grant, a use or the balance down; ``asked`` is what was typed."""
    audit.record(
        action=CORRECTED[operation],
        by=by,
        company=company,
        subject=audit.Subject(audit.type_of(type(subject)), str(subject.pk)),
        after=asked,
        reason=reason,
    )
