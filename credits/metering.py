"""Read what was used: by day, by feature, over half-open spans of time."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Max, QuerySet, Sum
from django.db.models.functions import TruncDate

from credits.amounts import ZERO
from credits.models import Company, FeatureType, UsageEvent

FEATURES_MAX = 10


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """What one feature used; ``share`` is its part of all use in the span, from 0 to 1."""

    feature_type: FeatureType
    feature_name: str
    feature_ref: UUID | None
    calls: int
    emails: int
    credits: Decimal
    share: Decimal


@dataclass(frozen=True, slots=True)
class DayUse:
    """What the company used on one local day, by feature name."""

    day: date
    by_feature: dict[str, Decimal]

    @property
    def credits(self) -> Decimal:
        return sum(self.by_feature.values(), ZERO)


def used(*, company: Company, since: datetime, until: datetime) -> Decimal:
    """Return the credits used in ``since <= t < until``, gross: refunds are their own figure."""
    return _events(company, since, until).aggregate(sum=Sum("amount"))["sum"] or ZERO


def by_feature(
    *, company: Company, since: datetime, until: datetime, limit: int = FEATURES_MAX
) -> list[FeatureUse]:
    """Return the features that used most, most first; a renamed feature is one row."""
    rows = list(
        _events(company, since, until)
        .values("feature_type", "feature_ref")
        .annotate(
            # Ids are time-ordered and a name is a snapshot, so any one of them will do.
            name=Max("feature_name"),
            calls=Sum("calls"),
            emails=Sum("emails"),
            credits=Sum("amount"),
        )
        .order_by("-credits", "name", "feature_ref")
    )
    total = sum((row["credits"] for row in rows), ZERO)
    return [
        FeatureUse(
            feature_type=FeatureType(row["feature_type"]),
            feature_name=row["name"],
            feature_ref=row["feature_ref"],
            calls=row["calls"],
            emails=row["emails"],
            credits=row["credits"],
            share=row["credits"] / total if total else Decimal(0),
        )
        for row in rows[:limit]
    ]


def daily(*, company: Company, since: datetime, until: datetime) -> list[DayUse]:
    """Return the use of each local day that had any, in the company's zone, oldest first."""
    zone = ZoneInfo(company.time_zone)
    rows = (
        _events(company, since, until)
        .annotate(day=TruncDate("occurred_at", tzinfo=zone))
        .values("day", "feature_name")
        .annotate(credits=Sum("amount"))
        .order_by("day", "feature_name")
    )
    found: dict[date, dict[str, Decimal]] = {}
    for row in rows:
        if row["credits"]:
            found.setdefault(row["day"], {})[row["feature_name"]] = row["credits"]
    return [DayUse(day=day, by_feature=features) for day, features in found.items()]


def _events(company: Company, since: datetime, until: datetime) -> QuerySet[UsageEvent]:
    return UsageEvent.objects.filter(company=company, occurred_at__gte=since, occurred_at__lt=until)
