"""How the pages of trackers and backfills show figures, states and times.

Every figure carries its raw value and every state its code, so that a test or a script reads them
without parsing words.
"""

from __future__ import annotations

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits.amounts import approximate, grouped, text
from credits.models import Company
from credits.models.rates import RateItem
from credits.rating import Rates
from trackers.estimates import ScanEstimate
from trackers.models import BackfillState, Tracker, TrackerState

TONES: dict[str, str] = {
    TrackerState.DRAFT: "quiet",
    TrackerState.PUBLISHED: "good",
    TrackerState.UNPUBLISHED: "quiet",
    BackfillState.RUNNING: "busy",
    BackfillState.PAUSED: "warning",
    BackfillState.STOPPED: "quiet",
    BackfillState.DONE: "good",
}


def zone_of(company: Company) -> ZoneInfo:
    return ZoneInfo(company.time_zone)


def figure(metric: str, value: Decimal | int) -> SafeString:
    """Show an amount of credits or a count exactly."""
    shown = grouped(value) if isinstance(value, Decimal) else f"{value:,}"
    return _marked(metric, value, shown)


def about(metric: str, amount: Decimal) -> SafeString:
    """Show an estimate of credits, rounded and marked as one."""
    return _marked(metric, amount, approximate(amount))


def state(code: str, label: str) -> SafeString:
    """Show a state as a badge."""
    return format_html(
        '<span class="tt-badge tt-{}" data-status="{}">{}</span>', TONES[code], code, label
    )


def waiting_badge(count: int) -> SafeString:
    """Show that conversations of a tracker wait for credits; nothing when none does."""
    if not count:
        return SafeString("")
    return format_html(
        ' <span class="tt-badge tt-warning" data-status="WAITING" data-metric="waiting"'
        ' data-value="{}">Waiting for credits ({})</span>',
        count,
        f"{count:,}",
    )


def moment(at: datetime, company: Company) -> SafeString:
    """Show an instant in the company's time, the exact one in its title."""
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        at.isoformat(),
        at.strftime("%Y-%m-%d %H:%M:%S"),
        moment_in_words(at, company),
    )


def moment_in_words(at: datetime, company: Company) -> str:
    local = at.astimezone(zone_of(company))
    return f"{local.day} {local:%b %Y %H:%M %Z}"


def kinds(tracker: Tracker) -> str:
    """Say what a tracker reads."""
    if tracker.include_calls and tracker.include_emails:
        return "Calls and e-mails"
    return "Calls" if tracker.include_calls else "E-mails"


def counted(count: int, one: str, many: str | None = None) -> str:
    """Say a count with its noun: 1 call, 20 calls."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def month_in_words(estimate: ScanEstimate) -> SafeString:
    """Say what a month costs and what it is counted from."""
    return format_html(
        "{} credits a month: {}, {} in the last 30 days",
        about("monthly_estimate", estimate.credits),
        counted(estimate.calls, "call"),
        counted(estimate.emails, "e-mail"),
    )


def rates_in_words(rates: Rates) -> str:
    """Say what reading one conversation costs."""
    items = (RateItem.CALL_LONG, RateItem.CALL_SHORT, RateItem.EMAIL)
    return "; ".join(f"{item.label}: {text(rates.of(item))}" for item in items)


def _marked(metric: str, value: Decimal | int, shown: str) -> SafeString:
    raw = text(value) if isinstance(value, Decimal) else str(value)
    return format_html('<span data-metric="{}" data-value="{}">{}</span>', metric, raw, shown)
