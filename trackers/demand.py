"""What waits for credits, and what changed filters will move, for the credits page (settings
``CREDIT_DEMAND``, ``CREDIT_PLANNED``).
"""

from __future__ import annotations

from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import (
    Count,
    DateTimeField,
    DurationField,
    ExpressionWrapper,
    F,
    Func,
    Q,
    Subquery,
    Sum,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, ExtractDay, Greatest, Now, TruncDate

from credits.amounts import ZERO
from credits.demand import PACE
from credits.forecasts import HISTORY_DAYS
from credits.models import Company, FeatureType
from trackers.estimates import MONTH
from trackers.models import ConversationKind, Narrowing, Scan, ScanState


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


def planned_per_day(*, company: Company) -> Combinable:
    """Add up what recent changes of trackers move a day, each by what of it is not history yet.

    The local day of the change counts as before it: history is of full days.
    """
    zone = ZoneInfo(company.time_zone)
    day = TruncDate(Func(function="ledger_clock", output_field=DateTimeField()), tzinfo=zone)
    ago = ExtractDay(
        ExpressionWrapper(
            Cast(day, DateTimeField()) - Cast(TruncDate("made_at", tzinfo=zone), DateTimeField()),
            output_field=DurationField(),
        )
    )
    left = Greatest(HISTORY_DAYS - ago, 0)
    moved = Cast(F("more_a_month") * left, PACE) / (HISTORY_DAYS * MONTH.days)
    rows = (
        Narrowing.objects.filter(company=company, made_at__gte=Now() - 2 * MONTH)
        .order_by()
        .values("company")
        .annotate(moved=Sum(moved, output_field=PACE))
        .values("moved")
    )
    return Coalesce(Subquery(rows), ZERO, output_field=PACE)
