"""How these pages show times, amounts and states; whatever a transcript says is escaped."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import Model, QuerySet
from django.http import HttpRequest
from django.urls import reverse
from django.utils.functional import cached_property
from django.utils.html import format_html
from unfold.contrib.filters.admin import RangeDateFilter

from credits import amounts, zones
from credits.current_company import scope_of
from credits.models import Company

NOTHING = "–"
COUNT_MAX = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and pages through the first rows only: a million are found by filters, not pages."""

    count_max = COUNT_MAX

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.count_max].count()


class LocalDaysFilter(RangeDateFilter):
    """Inclusive days in the current company's zone; UTC while all companies are shown."""

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        company = scope_of(request).company
        zone = ZoneInfo(company.time_zone) if company else ZoneInfo("UTC")
        for end, lookup in (("from", "gte"), ("to", "lt")):
            day = _day(self.used_parameters.get(f"{self.parameter_name}_{end}"))
            if day is not None:
                start, after = zones.days(day, day, zone)
                bound = start if end == "from" else after
                queryset = queryset.filter(**{f"{self.parameter_name}__{lookup}": bound})
        return queryset


def time(instant: datetime | None, company: Company) -> str:
    """Show an instant on the company's clock, with the zone's abbreviation."""
    if instant is None:
        return NOTHING
    local = instant.astimezone(ZoneInfo(company.time_zone))
    return format_html(
        '<time class="ts-time" datetime="{}">{}</time>',
        instant.astimezone(UTC).isoformat(timespec="seconds"),
        f"{local.day} {local:%b %Y, %H:%M %Z}",
    )


def clock(seconds: Decimal | int | None) -> str:
    """Show a place in a call as minutes and seconds; nothing for e-mails, which have none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def amount(credits: Decimal | None, metric: str) -> str:
    if credits is None:
        return NOTHING
    return _figure(metric, str(credits), amounts.grouped(credits))


def count(number: int, metric: str) -> str:
    return _figure(metric, str(number), f"{number:,}")


def badge(status: str, label: str) -> str:
    """Show a state in words; its colour only repeats them."""
    return format_html(
        '<span class="ts-badge" data-status="{}">{}</span>', status, label or NOTHING
    )


def link(request: HttpRequest, row: Model | None, text: str = "") -> str:
    """Link to a row's page for those who may see it; its name alone for the others."""
    if row is None:
        return NOTHING
    text = text or str(row)
    if not _may_open(request, row):
        return format_html("{}", text)
    options = row._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    return format_html('<a class="ts-link" href="{}">{}</a>', url, text)


def list_link(model: type[Model], text: str, **lookups: object) -> str:
    """Link to the list of a model's rows that have the values."""
    options = model._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_changelist")
    query = "&".join(f"{name}={value}" for name, value in lookups.items())
    return format_html('<a class="ts-link" href="{}?{}">{}</a>', url, query, text)


def facts(pairs: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    """Keep the name of each fact with its value, a dash where there is none."""
    return [(name, NOTHING if value in (None, "") else value) for name, value in pairs]


def _figure(metric: str, value: str, shown: str) -> str:
    return format_html(
        '<span class="ts-figure" data-metric="{}" data-value="{}">{}</span>', metric, value, shown
    )


def _may_open(request: HttpRequest, row: Model) -> bool:
    if not admin.site.is_registered(type(row)):
        return False
    return admin.site.get_model_admin(type(row)).has_view_permission(request, row)


def _day(text: Any) -> date | None:
    """Read a day as the filter's form writes it; None when it is empty or no day."""
    try:
        return date.fromisoformat(text or "")
    except ValueError:
        return None
