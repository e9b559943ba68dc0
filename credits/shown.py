"""How every page shows amounts, instants, days, states and links: one look, one way to test them.

Every figure carries its raw value and every state its code, so that a test or a script reads them
without parsing words. The classes are those of ``credits/static/credits/pages.css``.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.contrib import admin
from django.db.models import Model
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html
from django.utils.module_loading import import_string
from django.utils.safestring import SafeString
from django.utils.text import slugify

from credits import amounts
from credits.metering import Feature
from credits.models import Company, CreditGrant

NOTHING = "–"

# How states look; color only repeats what the words say.
GOOD, INFO, WARNING, CRITICAL, QUIET = "good", "info", "warning", "critical", "quiet"
TONES = {
    "active": GOOD,
    "added": GOOD,
    "in-force": GOOD,
    "held": INFO,
    "scheduled": INFO,
}


class Named:
    """A row under the name its page gives it, for headings that would else show its id."""

    def __init__(self, row: Model, name: str) -> None:
        self._meta = row._meta
        self.pk = row.pk
        self._name = name

    def __str__(self) -> str:
        return self._name


def amount(value: Decimal | None, *, metric: str, is_signed: bool = False) -> str:
    """Show credits exactly; ``is_signed`` adds the sign of what came in; a dash for none."""
    if value is None:
        return NOTHING
    # A minus sign; a hyphen is too short to be seen beside figures.
    shown = amounts.grouped(value).replace("-", "−", 1)
    if is_signed and value > 0:
        shown = f"+{shown}"
    return _figure(metric, amounts.text(value), shown)


def left(grant: CreditGrant, company: Company, *, metric: str) -> str:
    """Show what is left of a grant; of one that has not started, all of it and its first day.

    The balance does not hold those credits yet, so that they are another figure.
    """
    is_over = grant.voided_at is not None or grant.cancelled_at is not None
    if grant.granted_at is not None or is_over:
        return amount(grant.remaining, metric=metric)
    figure = amount(grant.amount, metric=f"{metric}-scheduled")
    starts = first_day(grant.effective_at, company)
    return format_html(
        '<span class="credits-amount credits-breaks">{} from {}</span>', figure, starts
    )


def about(value: Decimal, *, metric: str) -> SafeString:
    """Show an estimate of credits, rounded and marked as one."""
    return _figure(metric, amounts.text(value), amounts.approximate(value))


def count(value: int, *, metric: str) -> SafeString:
    return _figure(metric, str(value), f"{value:,}")


def number(text: str, *figures: str) -> SafeString:
    """Set a cell of several figures, such as “{} of {}”, as a column of figures is set."""
    return format_html('<span class="credits-amount">{}</span>', format_html(text, *figures))


def counted(count: int, one: str, many: str | None = None) -> str:
    """Say a count with its noun: 1 call, 20 calls."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def to_read(calls: int, emails: int, *, readers: int) -> str:
    """Say what waits to be read, or “nothing”.

    Several readers may read the same conversation, each for itself: these are readings then.
    """
    parts = [(calls, "call"), (emails, "e-mail")]
    if readers < 2:
        return " and ".join(counted(count, one) for count, one in parts if count) or "nothing"
    said = [(count, one) for count, one in parts if count]
    if not said:
        return "nothing"
    (first, one), *more = said
    rest = "".join(f" and {count:,} of {name}s" for count, name in more)
    return f"{counted(first, 'reading')} of {one}s{rest}"


def instant(value: datetime | None, company: Company) -> str:
    """Show an instant in the company's zone with its abbreviation; a dash for none."""
    if value is None:
        return NOTHING
    return _time(value, instant_in_words(value, company))


def instant_in_words(value: datetime, company: Company) -> str:
    local = value.astimezone(zone_of(company))
    # Zones without letters of their own are named by their offset, such as +03.
    name = local.tzname() or ""
    zone = name if name[:1].isalpha() else f"UTC{name}"
    return f"{day(local.date())} {local:%H:%M} {zone}"


def utc(value: datetime | None) -> str:
    """Show an instant that belongs to no company; a dash for none."""
    if value is None:
        return NOTHING
    exact = value.astimezone(UTC)
    return _time(value, f"{day(exact.date())} {exact:%H:%M} UTC")


def first_day(starts_at: datetime, company: Company) -> SafeString:
    """Show the local day an instant is in."""
    return _time(starts_at, day(starts_at.astimezone(zone_of(company)).date()))


def last_day(ends_at: datetime | None, company: Company) -> str:
    """Show the last local day before an exclusive end; “no end” for none."""
    if ends_at is None:
        return "no end"
    return _time(ends_at, day(last_day_before(ends_at, zone_of(company))))


def last_day_before(end: datetime, zone: ZoneInfo) -> date:
    """Return the local day that the last instant before ``end`` is in."""
    return (end - timedelta(microseconds=1)).astimezone(zone).date()


def day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def short_day(value: date) -> str:
    return f"{value:%a} {value.day} {value:%b}"


def zone_of(company: Company) -> ZoneInfo:
    return ZoneInfo(company.time_zone)


def status(label: str, *, code: str = "", tone: str = "") -> SafeString:
    """Show a state; ``data-status`` is its code, or its label in small letters with hyphens."""
    code = code or slugify(label)
    return format_html(
        '<span class="credits-badge credits-badge-{}" data-status="{}">{}</span>',
        tone or TONES.get(code, QUIET),
        code,
        label or NOTHING,
    )


def code(text: str) -> SafeString:
    """Show a long code, which may break anywhere."""
    return format_html('<span class="credits-code">{}</span>', text)


def link(row: Model, text: Any) -> SafeString:
    """Link to a row's own admin page."""
    return _anchor(address_of(row), text)


def address_of(row: Model) -> str:
    """Return the address of a row's own admin page."""
    return _address(row._meta, "change", row.pk)


def origin(grant: CreditGrant) -> str:
    """Link to what a grant was made for, as another app names it; a dash for none."""
    for path in settings.CREDIT_ORIGINS:
        find: Callable[[CreditGrant], tuple[str, str] | None] = import_string(path)
        if (found := find(grant)) is not None:
            text, url = found
            return _anchor(url, text)
    return NOTHING


def page_address(name: str, *args: Any) -> str | None:
    """Return a page's address; None where this installation has no such page."""
    try:
        return reverse(name, args=args)
    except NoReverseMatch:
        return None


def feature_address(feature: Feature) -> str | None:
    """Return the address of the page of what uses credits; None where it has none."""
    for path in settings.CREDIT_FEATURE_LINKS:
        find: Callable[[str, UUID | None], str | None] = import_string(path)
        try:
            if url := find(feature.type, feature.ref):
                return url
        except NoReverseMatch:
            continue
    return None


def entry_address(company: Company, sequence: int) -> str:
    """Return the permanent address of a ledger entry."""
    return reverse("admin:ledger_entry", args=[company.slug, sequence])


def entry_link(company: Company, sequence: int) -> SafeString:
    """Link to a ledger entry by its place."""
    return _anchor(entry_address(company, sequence), f"#{sequence}")


def link_if_allowed(request: HttpRequest, row: Model | None, text: str = "") -> str:
    """Link to a row's page for those who may see it; its name alone for the others."""
    if row is None:
        return NOTHING
    text = text or str(row)
    return link(row, text) if _may_open(request, row) else format_html("{}", text)


def list_link(model: type[Model], text: str, **lookups: object) -> SafeString:
    """Link to the list of a model's rows that have the values."""
    query = "&".join(f"{name}={value}" for name, value in lookups.items())
    return _anchor(f"{_address(model._meta, 'changelist')}?{query}", text)


def _figure(metric: str, value: str, shown: str) -> SafeString:
    return format_html(
        '<span class="credits-amount" data-metric="{}" data-value="{}">{}</span>',
        metric,
        value,
        shown,
    )


def _time(value: datetime, shown: str) -> SafeString:
    exact = value.astimezone(UTC)
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        exact.isoformat(),
        exact.replace(tzinfo=None).isoformat(sep=" "),
        shown,
    )


def _address(options: Any, page: str, *args: Any) -> str:
    return reverse(f"admin:{options.app_label}_{options.model_name}_{page}", args=args)


def _anchor(url: str, text: Any) -> SafeString:
    return format_html('<a class="credits-link" href="{}">{}</a>', url, text)


def _may_open(request: HttpRequest, row: Model) -> bool:
    if not admin.site.is_registered(type(row)):
        return False
    return admin.site.get_model_admin(type(row)).has_view_permission(request, row)
