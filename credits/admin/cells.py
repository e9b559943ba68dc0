"""Amounts, instants, states and links as pages show them: one look, one way to test them."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Model
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

from credits import amounts
from credits.models import Company

NOTHING = "–"


def amount(value: Decimal, *, metric: str, is_signed: bool = False) -> SafeString:
    """Show credits exactly, right-aligned; ``is_signed`` adds the sign of what came in."""
    shown = amounts.grouped(abs(value))
    if value < 0:
        shown = f"−{shown}"
    elif is_signed:
        shown = f"+{shown}"
    return format_html(
        '<span class="ledger-amount" data-metric="{}" data-value="{}">{}</span>',
        metric,
        amounts.text(value),
        shown,
    )


def count(value: int, *, metric: str) -> SafeString:
    return format_html(
        '<span class="ledger-amount" data-metric="{}" data-value="{}">{}</span>',
        metric,
        value,
        f"{value:,}",
    )


def instant(value: datetime | None, company: Company) -> SafeString | str:
    """Show an instant in the company's zone with its abbreviation; a dash for none."""
    if value is None:
        return NOTHING
    local = value.astimezone(ZoneInfo(company.time_zone))
    return _time(value, f"{day(local.date())} {local:%H:%M} {_abbreviation(local)}")


def utc(value: datetime | None) -> SafeString | str:
    """Show an instant that belongs to no company; a dash for none."""
    if value is None:
        return NOTHING
    exact = value.astimezone(UTC)
    return _time(value, f"{day(exact.date())} {exact:%H:%M} UTC")


def last_day(expires_at: datetime | None, company: Company) -> SafeString | str:
    """Show the last local day before an exclusive end; “no end” for none."""
    if expires_at is None:
        return "no end"
    return _time(expires_at, day(last_day_before(expires_at, ZoneInfo(company.time_zone))))


def last_day_before(end: datetime, zone: ZoneInfo) -> date:
    """Return the local day that the last instant before ``end`` is in."""
    return (end - timedelta(microseconds=1)).astimezone(zone).date()


def day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def status(label: str) -> SafeString:
    """Show a state; ``data-status`` is its label in small letters with hyphens."""
    code = slugify(label)
    return format_html(
        '<span class="ledger-status ledger-status-{}" data-status="{}">{}</span>',
        code,
        code,
        label,
    )


def code(text: str) -> SafeString:
    """Show a long code, which may break anywhere."""
    return format_html('<span class="ledger-code">{}</span>', text)


def link(row: Model, text: Any) -> SafeString:
    """Link to a row's own admin page."""
    options = row._meta
    url = reverse(f"admin:{options.app_label}_{options.model_name}_change", args=[row.pk])
    return format_html('<a class="ledger-link" href="{}">{}</a>', url, text)


def _time(value: datetime, shown: str) -> SafeString:
    exact = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(),
        f"{exact:%Y-%m-%d %H:%M:%S.%f} UTC",
        shown,
    )


def _abbreviation(local: datetime) -> str:
    # Zones without letters of their own are named by their offset, such as +03.
    name = local.tzname() or ""
    return name if name[:1].isalpha() else f"UTC{name}"
