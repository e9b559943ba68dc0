"""Read what was used: by local day and by feature, gross (refunds are their own figure)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import NamedTuple, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Max, Sum, TextChoices
from django.db.models.functions import TruncDate

from credits import zones
from credits.amounts import ZERO
from credits.models import Company, FeatureType, UsageEvent
from credits.models.entries import FREE_ACTIONS


class Priced(Protocol):
    """Anything that has a number of credits."""

    @property
    def credits(self) -> Decimal: ...


class Feature(NamedTuple):
    """Which feature: a renamed one keeps its reference and stays one feature."""

    type: FeatureType
    ref: UUID | None


@dataclass(frozen=True, slots=True)
class DayUse:
    """What one feature used on one local day; ``name`` is what it was called then."""

    day: date
    feature: Feature
    name: str
    calls: int
    emails: int
    credits: Decimal


@dataclass(frozen=True, slots=True)
class FeatureUse:
    """What one feature used; ``share`` is its part of all use, from 0 to 1."""

    feature: Feature
    name: str
    calls: int
    emails: int
    credits: Decimal
    share: Decimal


class Dimension(TextChoices):
    """What use is told apart by; the value names the column of a usage event."""

    FEATURE = "feature_ref", "feature"
    TEAM = "team_ref", "team"
    USER = "user_ref", "user"
    INTEGRATION = "integration_ref", "integration"


Key = Feature | UUID | None


class DayAmount(NamedTuple):
    """What one feature, team, user or integration used on one local day; None for no such."""

    day: date
    key: Key
    credits: Decimal


def daily(*, company: Company, first: date, last: date) -> list[DayUse]:
    """Return what was used on the local days from ``first`` to ``last``, oldest first.

    A day of 23 or 25 hours is one day. Free actions are left out; items of price 0 that others
    came with are counted.
    """
    since, until = zones.days(first, last, ZoneInfo(company.time_zone))
    rows = (
        UsageEvent.objects.filter(company=company, occurred_at__gte=since, occurred_at__lt=until)
        .exclude(action__in=FREE_ACTIONS)
        .annotate(day=TruncDate("occurred_at", tzinfo=ZoneInfo(company.time_zone)))
        .values("day", "feature_type", "feature_ref")
        .annotate(
            name=Max("feature_name"),
            calls=Sum("calls"),
            emails=Sum("emails"),
            credits=Sum("amount"),
        )
        .order_by("day", "feature_type", "feature_ref")
    )
    return [
        DayUse(
            day=row["day"],
            feature=Feature(FeatureType(row["feature_type"]), row["feature_ref"]),
            name=row["name"],
            calls=row["calls"],
            emails=row["emails"],
            credits=row["credits"],
        )
        for row in rows
    ]


def daily_by(dimension: Dimension, *, company: Company, first: date, last: date) -> list[DayAmount]:
    """Return the credits used on the local days, told apart by a reference of the usage events."""
    zone = ZoneInfo(company.time_zone)
    since, until = zones.days(first, last, zone)
    rows = (
        UsageEvent.objects.filter(
            company=company, occurred_at__gte=since, occurred_at__lt=until, amount__gt=0
        )
        .annotate(day=TruncDate("occurred_at", tzinfo=zone))
        .values("day", dimension.value)
        .annotate(credits=Sum("amount"))
        .order_by("day", dimension.value)
    )
    return [DayAmount(row["day"], row[dimension.value], row["credits"]) for row in rows]


def total(parts: Iterable[Priced]) -> Decimal:
    """Return the credits of all parts together."""
    return sum((part.credits for part in parts), ZERO)


def by_feature(days: Iterable[DayUse]) -> list[FeatureUse]:
    """Add the days up by feature, under its newest name; most used first.

    A feature that used no credits is left out.
    """
    found: dict[Feature, list[DayUse]] = {}
    for day in days:
        found.setdefault(day.feature, []).append(day)
    everything = sum((total(rows) for rows in found.values()), ZERO)
    uses = [
        FeatureUse(
            feature=feature,
            name=max(rows, key=lambda row: row.day).name,
            calls=sum(row.calls for row in rows),
            emails=sum(row.emails for row in rows),
            credits=total(rows),
            share=total(rows) / everything,
        )
        for feature, rows in found.items()
        if total(rows)
    ]
    return sorted(uses, key=lambda use: (-use.credits, use.name, str(use.feature.ref)))
