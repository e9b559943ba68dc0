"""Read what was used: by local day and by feature, gross (refunds are their own figure)."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple, Protocol
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Subquery, TextChoices

from credits import zones
from credits.amounts import ZERO
from credits.models import FREE_ACTIONS, Company, FeatureType, UsageEvent
from credits.zones import Day


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


@dataclass(frozen=True, slots=True)
class Reading:
    """What was used, and which of the days had to be read event by event.

    Those of them that are closed may be added up (``usage_days.add_up``), for the next reader.
    """

    uses: list[DayUse]
    not_added_up: list[Day]


# One row for each group of each day; a day without use is a row of nulls. The two parts read the
# same columns, the sums of a day where there are any, else its events.
_READ = """
    SELECT day.date, known.id IS NOT NULL, used.*
      FROM unnest(%(dates)s::date[], %(starts)s::timestamptz[], %(ends)s::timestamptz[])
           AS day (date, starts_at, ends_at)
      LEFT JOIN credits_usageday AS known
           ON known.company_id = %(company)s
          AND known.starts_at = day.starts_at AND known.ends_at = day.ends_at
      LEFT JOIN LATERAL (
           SELECT {columns} FROM credits_usagesum AS part
            WHERE part.day_id = known.id AND {condition} GROUP BY {keys}
           UNION ALL
           SELECT {columns} FROM credits_usageevent AS part
            WHERE known.id IS NULL AND part.company_id = %(company)s
              AND part.occurred_at >= day.starts_at AND part.occurred_at < day.ends_at
              AND {condition} GROUP BY {keys}) AS used ON true
     ORDER BY day.date, {order}
"""
_BY_FEATURE = _READ.format(
    columns="part.feature_type, part.feature_ref, max(part.feature_name), sum(part.calls),"
    " sum(part.emails), sum(part.amount)",
    condition="part.action <> ALL(%(free)s)",
    keys="part.feature_type, part.feature_ref",
    order="used.feature_type, used.feature_ref",
)


def daily(*, company: Company, first: date, last: date) -> list[DayUse]:
    """Return what was used on the local days from ``first`` to ``last``, oldest first.

    A day of 23 or 25 hours is one day. Free actions are left out; items of price 0 that others
    came with are counted.
    """
    return read(company=company, first=first, last=last).uses


def read(*, company: Company, first: date, last: date) -> Reading:
    """Return ``daily``, and which days it had to read event by event."""
    days = {day.date: day for day in zones.each_day(first, last, ZoneInfo(company.time_zone))}
    uses: list[DayUse] = []
    not_added_up: dict[date, Day] = {}
    for day, is_added_up, kind, ref, name, calls, emails, credits in _rows(
        _BY_FEATURE, company, days.values()
    ):
        if not is_added_up:
            not_added_up[day] = days[day]
        if kind is not None:
            feature = Feature(FeatureType(kind), ref)
            uses.append(DayUse(day, feature, name, int(calls), int(emails), credits))
    return Reading(uses, list(not_added_up.values()))


def daily_by(dimension: Dimension, *, company: Company, first: date, last: date) -> list[DayAmount]:
    """Return the credits used on the local days, told apart by a reference of the usage events."""
    key = f"part.{dimension.value}"
    statement = _READ.format(
        columns=f"{key} AS key, sum(part.amount) AS amount",
        condition="part.amount > 0",
        keys=key,
        order="used.key",
    )
    days = zones.each_day(first, last, ZoneInfo(company.time_zone))
    return [
        DayAmount(day, key, amount)
        for day, _, key, amount in _rows(statement, company, days)
        if amount is not None
    ]


def asked_first_use(company: Company) -> Subquery:
    """Say, in somebody's query, when a company first used credits; null where it never did."""
    events = UsageEvent.objects.filter(company=company, amount__gt=0).order_by("occurred_at")
    return Subquery(events.values("occurred_at")[:1])


def _rows(statement: str, company: Company, days: Collection[Day]) -> list[Any]:
    parameters: dict[str, Any] = {
        "company": company.pk,
        "dates": [day.date for day in days],
        "starts": [day.starts_at for day in days],
        "ends": [day.ends_at for day in days],
        "free": [str(action) for action in FREE_ACTIONS],
    }
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)
        return cursor.fetchall()


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
