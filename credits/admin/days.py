"""Local days typed by people: form fields, and the list filter by date."""

from __future__ import annotations

from datetime import date
from typing import Any
from zoneinfo import ZoneInfo

from django import forms
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import RangeDateFilter
from unfold.widgets import INPUT_CLASSES

from credits.current_company import scope_of
from credits.reports.base import DayRange

# Far enough for any grant, and near enough that every zone can turn the day into an instant.
FIRST_DAY = date(2000, 1, 1)
LAST_DAY = date(2199, 12, 31)


class DayField(forms.DateField):
    """A day in a browser's own date field."""

    def __init__(self, **kwargs: Any) -> None:
        widget = forms.DateInput(
            format="%Y-%m-%d",
            attrs={
                "type": "date",
                "class": " ".join(INPUT_CLASSES),
                "min": FIRST_DAY.isoformat(),
                "max": LAST_DAY.isoformat(),
            },
        )
        super().__init__(
            widget=widget,
            input_formats=["%Y-%m-%d"],
            error_messages={"invalid": "Enter a day as year-month-day, such as 2026-12-31."},
            **kwargs,
        )

    def to_python(self, value: Any) -> date | None:
        day = super().to_python(value)
        if day is not None and not FIRST_DAY <= day <= LAST_DAY:
            raise forms.ValidationError("Enter a day between the years 2000 and 2199.")
        return day


class DaysFilter(RangeDateFilter):
    """Inclusive local days of the current company, or UTC days where several are shown."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        company = scope_of(request).company
        zone = ZoneInfo(company.time_zone if company else "UTC")
        days = DayRange(first=self._day("from"), last=self._day("to"))
        return days.limit(queryset, zone=zone, instant=self.field_path)

    def _day(self, side: str) -> date | None:
        """Return the day typed on one side; None for none and for what is no day."""
        typed = self.used_parameters.get(f"{self.field_path}_{side}")
        if not typed:
            return None
        try:
            return DayField(required=False).clean(typed)
        except forms.ValidationError:
            return None
