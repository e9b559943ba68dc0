"""What waits for credits, for the credits page (setting ``CREDIT_DEMAND``)."""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db.models import Count, Q, Sum

from credits.amounts import ZERO
from credits.models import Company, FeatureType
from trackers.models import ConversationKind, Scan, ScanState


class Waiting(NamedTuple):
    """What one tracker has waiting: conversations by kind, and their price in credits."""

    feature_type: FeatureType
    feature_name: str
    feature_ref: UUID
    calls: int
    emails: int
    credits: Decimal


def waiting(*, company: Company) -> list[Waiting]:
    """Return what waits, the dearest tracker first."""
    rows = (
        Scan.objects.filter(company=company, state=ScanState.WAITING)
        .values("tracker_id", "tracker__name")
        .annotate(
            calls=Count("pk", filter=Q(conversation__kind=ConversationKind.CALL)),
            emails=Count("pk", filter=Q(conversation__kind=ConversationKind.EMAIL)),
            credits=Sum("price", default=ZERO),
        )
        .order_by("-credits", "tracker__name")
    )
    return [
        Waiting(
            FeatureType.TRACKER,
            row["tracker__name"],
            row["tracker_id"],
            row["calls"],
            row["emails"],
            row["credits"],
        )
        for row in rows
    ]
