"""Lists that a body may hold, each refused in one sentence."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits.api import problems
from credits.api.fields import CodeField, FlagField, IdField, TextField, shortened
from trackers.configuring import FILTERS_MAX, FilterValue
from trackers.models import FilterField

BY_ID = (FilterField.TEAM, FilterField.USER)


def refuse_unknown(names: Any, known: list[str]) -> None:
    """Check the names of a nested object.

    :raises ValidationError: there is one that is not known.
    """
    for name in names:
        if name not in known:
            hint = problems.nearest(name, known) or f" Those there are: {', '.join(known)}."
            raise serializers.ValidationError(f"There is no field “{shortened(name)}”.{hint}")


@extend_schema_field({"type": "array", "items": {"type": "string"}})
class TextsField(serializers.Field[tuple[str, ...], Any, list[str], Any]):
    """Several texts, in order; how many and how long is for the operation to say."""

    def to_internal_value(self, data: Any) -> tuple[str, ...]:
        if not isinstance(data, list):
            raise serializers.ValidationError('Write a list of texts, such as ["a", "b"].')
        child = TextField(trim_whitespace=True)
        return tuple(str(child.run_validation(one)) for one in data)

    def to_representation(self, value: Any) -> list[str]:
        return list(value)


class FilterInput(serializers.Serializer[Any]):
    """One value of a tracker's filters."""

    field = CodeField(choices=FilterField.choices, help_text="What it looks at.")
    value = TextField(
        help_text="The id of a team or team member; the text of an account type or deal stage."
    )
    is_excluded = FlagField(
        required=False, default=False, help_text="Leave out conversations with this value."
    )

    class Meta:
        ref_name = "TrackerFilterInput"


@extend_schema_field(FilterInput(many=True))
class FiltersField(serializers.Field[frozenset[FilterValue], Any, Any, Any]):
    """The filters of a tracker: any of the values of one field, and between fields."""

    def to_internal_value(self, data: Any) -> frozenset[FilterValue]:
        if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
            raise serializers.ValidationError("Write a list of objects with “field” and “value”.")
        if len(data) > FILTERS_MAX:
            raise serializers.ValidationError(f"A tracker has at most {FILTERS_MAX} filters.")
        return frozenset(self._value(one) for one in data)

    def _value(self, data: dict[str, Any]) -> FilterValue:
        read = FilterInput(data=data)
        refuse_unknown(data, list(read.fields))
        if not read.is_valid():
            name, details = next(iter(read.errors.items()))
            raise serializers.ValidationError(f"{name}: {details[0]}")
        field = FilterField(read.validated_data["field"])
        value: UUID | str = read.validated_data["value"]
        if field in BY_ID:
            value = IdField().run_validation(value)
        return FilterValue(field, value, read.validated_data["is_excluded"])

    def to_representation(self, value: Any) -> Any:
        return value
