"""The functions of ``credits.shown`` for templates, and what only the credits page writes."""

from __future__ import annotations

from decimal import ROUND_HALF_UP, Decimal

from django import template

from credits import amounts, shown

register = template.Library()

FIGURE_LENGTH_MAX = 9

register.simple_tag(shown.amount)
register.simple_tag(shown.left)
register.simple_tag(shown.about)
register.simple_tag(shown.status)
register.simple_tag(shown.instant)
register.simple_tag(shown.first_day)
register.simple_tag(shown.last_day)
register.simple_tag(shown.entry_link)
register.filter(shown.day)
register.filter(shown.short_day)
register.filter("counted", shown.counted)
register.filter("whole", lambda value: f"{value:,}")
register.filter("raw", amounts.text)
register.filter("grouped", amounts.grouped)
register.filter("approximate", amounts.approximate)


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
