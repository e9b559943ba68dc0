"""The values the API reads and writes: amounts, instants, ids and choices, each in one form."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits import amounts
from credits.api import problems

# RFC 3339, with the offset optional: without one an instant is read as UTC.
INSTANT = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:\.(\d+))?([Zz]|[+-]\d\d:\d\d)?", re.ASCII
)
INSTANT_HINT = "Write an instant like 2026-11-01T00:00:00Z."
COUNT = re.compile(r"-?\d+", re.ASCII)
DAY_MIN, DAY_MAX = date(2000, 1, 1), date(2199, 12, 31)
DAY = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
AMOUNT = re.compile(r"-?\d{1,15}(\.\d{1,3})?", re.ASCII)
# Right in form, with more digits than an amount can have.
LONG_AMOUNT = re.compile(r"-?\d{16,}(\.\d{1,3})?", re.ASCII)
LONG_AMOUNT_HINT = "Write credits with at most 15 digits before the decimal point."
AMOUNT_HINT = 'Write credits as a string with at most three decimal places, like "12.5".'
SHOWN_LENGTH_MAX = 60


def shortened(value: object) -> str:
    """Return what a client sent, short enough to be repeated in a sentence."""
    text = str(value)
    return text if len(text) <= SHOWN_LENGTH_MAX else f"{text[:SHOWN_LENGTH_MAX]}…"


def instant_text(instant: datetime) -> str:
    """Return RFC 3339 in UTC: 2026-11-21T23:10:05.123456Z."""
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def parse_instant(text: str) -> datetime:
    """Return the instant; digits of a second below the sixth are dropped.

    :raises ValueError: for anything but RFC 3339 within the years 1 to 9999 of UTC.
    """
    found = INSTANT.fullmatch(text)
    if found is None:
        raise ValueError(text)
    *parts, fraction, offset = found.groups()
    year, month, day, hour, minute, second = map(int, parts)
    microsecond = int((fraction or "0")[:6].ljust(6, "0"))
    zone = _zone(offset or "Z")
    try:
        local = datetime(year, month, day, hour, minute, second, microsecond, tzinfo=zone)
        return local.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(text) from error


def _zone(offset: str) -> timezone:
    if offset in "Zz":
        return UTC
    hours, minutes = int(offset[1:3]), int(offset[4:6])
    if hours > 23 or minutes > 59:
        raise ValueError(offset)
    span = timedelta(hours=hours, minutes=minutes)
    return timezone(-span if offset[0] == "-" else span)


@extend_schema_field({"type": "string", "pattern": r"^-?\d+(\.\d{1,3})?$"})
class AmountField(serializers.Field[Decimal, Any, str, Any]):
    """Credits as a string with all non-zero places, at least one: "8411.4"."""

    def to_internal_value(self, data: Any) -> Decimal:
        if isinstance(data, str) and LONG_AMOUNT.fullmatch(data):
            raise serializers.ValidationError(LONG_AMOUNT_HINT)
        if not isinstance(data, str) or not AMOUNT.fullmatch(data):
            raise serializers.ValidationError(AMOUNT_HINT)
        return Decimal(data)

    def to_representation(self, value: Decimal) -> str:
        return amounts.text(value)


@extend_schema_field({"type": "string", "format": "date-time"})
class InstantField(serializers.Field[datetime, Any, str, Any]):
    """An instant: written in UTC, read with any offset."""

    def to_internal_value(self, data: Any) -> datetime:
        try:
            return parse_instant(data if isinstance(data, str) else "")
        except ValueError as error:
            is_plus_lost = isinstance(data, str) and " " in data
            hint = " In an address a + is written %2B." if is_plus_lost else ""
            raise serializers.ValidationError(f"{INSTANT_HINT}{hint}") from error

    def to_representation(self, value: datetime) -> str:
        return instant_text(value)


@extend_schema_field({"type": "string", "format": "uuid"})
class IdField(serializers.Field[UUID, Any, str, Any]):
    """The id of a row."""

    def to_internal_value(self, data: Any) -> UUID:
        try:
            return UUID(data if isinstance(data, str) else "")
        except ValueError as error:
            raise serializers.ValidationError(
                "Write an id like 01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11."
            ) from error

    def to_representation(self, value: UUID) -> str:
        return str(value)


@extend_schema_field({"type": "string", "format": "date"})
class DayField(serializers.Field[date, Any, str, Any]):
    """A local day of the years 2000 to 2199: 2026-12-01."""

    def to_internal_value(self, data: Any) -> date:
        try:
            if not isinstance(data, str) or not DAY.fullmatch(data):
                raise ValueError(data)
            found = date.fromisoformat(data)
        except ValueError as error:
            raise serializers.ValidationError("Write a day like 2026-12-01.") from error
        if not DAY_MIN <= found <= DAY_MAX:
            raise serializers.ValidationError("Write a day of the years 2000 to 2199.")
        return found

    def to_representation(self, value: date) -> str:
        return value.isoformat()


class TextField(serializers.CharField):
    """A text, which may be empty; a number is not taken for one."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(allow_blank=True, **kwargs)

    def to_internal_value(self, data: Any) -> str:
        if not isinstance(data, str):
            raise serializers.ValidationError("Write a text in quotes.")
        return super().to_internal_value(data)


class CodeField(serializers.ChoiceField):
    """One of a few codes; another one is refused with the nearest there is."""

    def to_internal_value(self, data: Any) -> Any:
        if isinstance(data, str) and data in self.choices:
            return data
        known = [str(code) for code in self.choices]
        raise serializers.ValidationError(
            f"Write one of {', '.join(known)}.{problems.nearest(shortened(data), known)}"
        )


class CountField(serializers.IntegerField):
    """A whole number within bounds, which the refusal names; in an address plain digits."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        sentence = f"Write a whole number from {self.min_value} to {self.max_value}."
        for name in ("invalid", "max_value", "min_value", "max_string_length"):
            self.error_messages[name] = sentence
        for validator in self.validators:
            validator.message = sentence  # type: ignore[union-attr]

    def to_internal_value(self, data: Any) -> int:
        # int() also takes “1_0”, “+5”, “ 5” and the digits of every script.
        if isinstance(data, str) and not COUNT.fullmatch(data):
            self.fail("invalid")
        found: int = super().to_internal_value(data)
        return found


class FlagField(serializers.BooleanField):
    """true or false."""

    def to_internal_value(self, data: Any) -> Any:
        if data == "true" or data is True:
            return True
        if data == "false" or data is False:
            return False
        raise serializers.ValidationError("Write true or false.")
