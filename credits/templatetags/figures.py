"""How our own pages show amounts, instants and states: exact, and readable by a test."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import slugify

from credits import amounts
from credits.models import Company

register = template.Library()

FIGURE_LENGTH_MAX = 9


@register.simple_tag
def amount(value: Decimal, metric: str) -> SafeString:
    """Show credits with all their places; ``data-value`` is the same, unformatted."""
    return format_html(
        '<span class="credits-amount" data-metric="{}" data-value="{}">{}</span>',
        metric,
        amounts.text(value),
        _typeset(amounts.grouped(value)),
    )


@register.simple_tag
def change(value: Decimal, metric: str) -> SafeString:
    """Show an entry's amount with its sign, + for what came in."""
    shown = amounts.grouped(value)
    return format_html(
        '<span class="credits-amount" data-metric="{}" data-value="{}">{}</span>',
        metric,
        amounts.text(value),
        f"+{shown}" if value > 0 else _typeset(shown),
    )


@register.filter
def raw(value: Decimal) -> str:
    return amounts.text(value)


@register.filter
def grouped(value: Decimal) -> str:
    return amounts.grouped(value)


@register.filter
def figure_class(value: Decimal) -> str:
    """Return the look of a key figure: one with many digits is set smaller, never broken."""
    is_long = len(amounts.grouped(value)) > FIGURE_LENGTH_MAX
    return "credits-figure credits-figure-long" if is_long else "credits-figure"


@register.filter
def percent(share: Decimal) -> str:
    """Show a share of 1 in whole percent; one that would round to nothing as “< 1 %”."""
    whole = (share * 100).quantize(Decimal(1), rounding=ROUND_HALF_UP)
    return "< 1 %" if share and not whole else f"{whole} %"


@register.filter
def day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


@register.filter
def short_day(value: date) -> str:
    return f"{value:%a} {value.day} {value:%b}"


@register.simple_tag
def moment(value: datetime, company: Company) -> SafeString:
    """Show an instant in the company's zone with its abbreviation, to the minute."""
    local = value.astimezone(ZoneInfo(company.time_zone))
    name = local.tzname() or ""
    # Zones without letters of their own are named by their offset, such as +03.
    zone = name if name[:1].isalpha() else f"UTC{name}"
    return _time(value, f"{day(local.date())} {local:%H:%M} {zone}")


@register.simple_tag
def first_day(starts_at: datetime, company: Company) -> SafeString:
    """Show the local day an instant is in."""
    return _time(starts_at, day(starts_at.astimezone(ZoneInfo(company.time_zone)).date()))


@register.simple_tag
def last_day(ends_at: datetime | None, company: Company) -> SafeString | str:
    """Show the last local day before an exclusive end; “no end” for none."""
    if ends_at is None:
        return "no end"
    last = (ends_at - timedelta(microseconds=1)).astimezone(ZoneInfo(company.time_zone))
    return _time(ends_at, day(last.date()))


@register.simple_tag
def status(label: str) -> SafeString:
    """Show a state; ``data-status`` is its label in small letters with hyphens."""
    code = slugify(label)
    return format_html(
        '<span class="credits-status credits-status-{}" data-status="{}">{}</span>',
        code,
        code,
        label,
    )


def _typeset(shown: str) -> str:
    """Typeset a minus sign; a hyphen is too short to be seen beside figures."""
    return shown.replace("-", "−", 1)


def _time(value: datetime, shown: str) -> SafeString:
    exact = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        exact.isoformat(),
        f"{exact:%Y-%m-%d %H:%M:%S} UTC",
        shown,
    )
