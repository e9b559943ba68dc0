"""How the list of results is narrowed down, beyond what a column of its own says."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib.admin import SimpleListFilter
from django.db.models import BooleanField, Case, F, OuterRef, Q, QuerySet, Subquery, When
from django.http import HttpRequest
from unfold.contrib.filters.admin import TextFilter

from trackers.models import Review, Scan, Verdict

CONFIRMED, REJECTED, JUDGED, OPEN = "confirmed", "rejected", "yes", "no"


def with_judgement(rows: QuerySet[Scan]) -> QuerySet[Any]:
    """Say of each result what a person said of it: ``is_right``, None where nobody did.

    Of an unsure result it says whether what was asked for is there.
    """
    said = Review.objects.filter(
        company=OuterRef("company"),
        tracker=OuterRef("tracker"),
        version=OuterRef("version"),
        conversation=OuterRef("conversation"),
        revision=OuterRef("revision"),
        replaced_at=None,
    ).values("is_yes")[:1]
    is_no = Q(verdict=Verdict.NO)
    return rows.annotate(is_yes=Subquery(said)).annotate(
        is_right=Case(
            When(is_no & Q(is_yes=True), then=False),
            When(is_no & Q(is_yes=False), then=True),
            default=F("is_yes"),
            output_field=BooleanField(null=True),
        )
    )


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
        match self.value():
            case "yes":
                return queryset.filter(is_right__isnull=False)
            case "no":
                return queryset.filter(is_right=None)
            case "confirmed":
                return queryset.filter(is_right=True)
            case "rejected":
                return queryset.filter(is_right=False)
            case _:
                return queryset
