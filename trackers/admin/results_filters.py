"""How the list of results is narrowed down, beyond what a column of its own says."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.db.models import QuerySet
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter

from trackers import reviewing
from trackers.reviewing import CONFIRMED, JUDGED, OPEN, REJECTED


class NamedFilter(TextFilter):
    """Results whose account or deal has these words in its name: too many for a list."""

    path: ClassVar[str]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        words = (self.value() or "").strip()
        return queryset.filter(**{f"{self.path}__icontains": words}) if words else queryset


class AccountFilter(NamedFilter):
    title = "account"
    parameter_name = "account"
    path = "conversation__account__name"


class DealFilter(NamedFilter):
    title = "deal"
    parameter_name = "deal"
    path = "conversation__deal__name"


class JudgedFilter(SimpleListFilter):
    """Results that a person confirmed or rejected, or that nobody has looked at."""

    title = "judged"
    parameter_name = "judged"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (JUDGED, "Judged"),
            (OPEN, "Not judged"),
            (CONFIRMED, "Confirmed"),
            (REJECTED, "Rejected"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return reviewing.judged(queryset, self.value() or "")
