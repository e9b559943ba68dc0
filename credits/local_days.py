"""Group usage events by local day in a query, by the instants at which the days began."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from django.contrib.postgres.fields import ArrayField
from django.db.models import (
    DateTimeField,
    F,
    Func,
    Max,
    Min,
    PositiveIntegerField,
    QuerySet,
    Value,
)

from credits import zones
from credits.models import UsageEvent


def starts(events: QuerySet[UsageEvent], zone: ZoneInfo) -> list[datetime]:
    """Return the first instants of all local days that the events fall on, in order.

    They come from ``zones``, as ranges do: ``AT TIME ZONE 'CET'`` in PostgreSQL means a fixed
    offset, not the zone of that name.
    """
    span = events.aggregate(first=Min("occurred_at"), last=Max("occurred_at"))
    if span["first"] is None:
        return [datetime(2000, 1, 1, tzinfo=UTC)]
    first, last = (span[side].astimezone(zone).date() for side in ("first", "last"))
    return [day.starts_at for day in zones.each_day(first, last, zone)]


def start_of(starts: Sequence[datetime]) -> Func:
    """Return the expression for the last of the given instants at or before a usage event."""
    array = Value(list(starts), output_field=ArrayField(DateTimeField()))
    place = Func(
        F("occurred_at"), array, function="width_bucket", output_field=PositiveIntegerField()
    )
    return Func(
        array, place, template="(%(expressions)s]", arg_joiner=")[", output_field=DateTimeField()
    )
