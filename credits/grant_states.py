"""What state a grant is in, in one word; the same word on every page and in the API."""

from __future__ import annotations

from datetime import datetime

from django.db.models import Case, CharField, F, Q, QuerySet, Value, When

from credits.models import CreditGrant

SCHEDULED, ACTIVE, USED_UP, EXPIRED, VOIDED = STATES = (
    "Scheduled",
    "Active",
    "Used up",
    "Expired",
    "Voided",
)


def with_state(grants: QuerySet[CreditGrant], now: datetime) -> QuerySet[CreditGrant]:
    """Add ``state``: one of the five words, by what the ledger has settled and the time.

    A grant cancelled before it started counts as voided. One that was used up before its end
    stays used up.
    """
    withdrawn = Q(voided_at__isnull=False) | Q(cancelled_at__isnull=False)
    state = Case(
        When(withdrawn, then=Value(VOIDED)),
        When(effective_at__gt=now, granted_at=None, then=Value(SCHEDULED)),
        When(
            Q(expired_at__isnull=False) | Q(expires_at__lte=now, remaining__gt=0),
            then=Value(EXPIRED),
        ),
        When(remaining=0, granted_at__isnull=False, then=Value(USED_UP)),
        default=Value(ACTIVE),
        output_field=CharField(),
    )
    return grants.annotate(state=state, left=F("remaining") - F("held"))
