"""What the pages of trackers and backfills say in words, and how their states look."""

from __future__ import annotations

from decimal import Decimal

from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits import shown
from credits.amounts import grouped, text
from credits.models.rates import RateItem
from credits.rating import Rates
from trackers.estimates import MonthlyEstimate
from trackers.models import (
    BackfillState,
    Tracker,
    TrackerKind,
    TrackerState,
    TrackerVersion,
)

TONES: dict[str, str] = {
    TrackerState.DRAFT: shown.QUIET,
    TrackerState.PUBLISHED: shown.GOOD,
    TrackerState.UNPUBLISHED: shown.QUIET,
    BackfillState.RUNNING: shown.INFO,
    BackfillState.PAUSED: shown.QUIET,
    BackfillState.WAITING: shown.WARNING,
    BackfillState.STOPPED: shown.QUIET,
    BackfillState.DONE: shown.GOOD,
}

KIND_NOTES: dict[str, str] = {
    TrackerKind.QUESTION: "asks each conversation a question; charged by the rate card",
    TrackerKind.KEYWORD: "finds words and phrases as they were said; free",
    TrackerKind.PRETRAINED: "one of ours, with its example phrases; free",
}


def state(code: str, label: str) -> SafeString:
    """Show a state as a badge."""
    return shown.status(label, code=code, tone=TONES[code])


def waiting_badge(count: int) -> SafeString:
    """Show that conversations of a tracker wait for credits; nothing when none does."""
    if not count:
        return SafeString("")
    return format_html(
        ' <span class="credits-badge credits-badge-warning" data-status="WAITING"'
        ' data-metric="waiting" data-value="{}">Waiting for credits ({})</span>',
        count,
        f"{count:,}",
    )


def limited_badge(count: int) -> SafeString:
    """Show that conversations of a tracker met a limit; nothing when none did."""
    if not count:
        return SafeString("")
    return format_html(
        ' <span class="credits-badge credits-badge-warning" data-status="LIMITED"'
        ' data-metric="limited" data-value="{}">Waiting for a limit ({})</span>',
        count,
        f"{count:,}",
    )


def kinds(tracker: Tracker) -> str:
    """Say what a tracker reads; its language is said with the filters."""
    if tracker.include_calls and tracker.include_emails:
        return "Calls and e-mails"
    return "Calls" if tracker.include_calls else "E-mails"


def month_in_words(estimate: MonthlyEstimate) -> SafeString:
    """Say what a month costs, how sure that is, and what it is counted from."""
    span = format_html(
        " ({} to {})",
        shown.amount(estimate.low, metric="monthly_low"),
        shown.amount(estimate.high, metric="monthly_high"),
    )
    return format_html(
        "{} credits a month{}: {}, {} in the last 30 days",
        shown.about(estimate.credits, metric="monthly_estimate"),
        span if estimate.credits else "",
        shown.counted(estimate.calls, "call"),
        shown.counted(estimate.emails, "e-mail"),
    )


def share_in_words(month: MonthlyEstimate, allocated: Decimal) -> str:
    """Say which part of what the seats get a month would take; a period may be longer."""
    if not month.credits:
        return "none of it"
    if not allocated:
        return "no credits are allocated to seats at present"
    share = month.credits / allocated * 100
    shown_share = "less than 1" if share < 1 else f"{share:,.0f}"
    return f"{shown_share} % of {grouped(allocated)} credits"


def cost_in_words(version: TrackerVersion | None, rates: Rates) -> str:
    """Say what reading one conversation costs."""
    if version is not None and version.is_free:
        return "a keyword or pretrained tracker is free"
    items = (RateItem.CALL_LONG, RateItem.CALL_SHORT, RateItem.EMAIL)
    return "; ".join(f"{item.label}: {text(rates.of(item))}" for item in items)


def kinds_to_choose(chosen: str) -> list[dict[str, object]]:
    """Return the kinds a new tracker may have, with what each is; one is chosen."""
    return [
        {
            "code": kind.value,
            "label": kind.label,
            "note": KIND_NOTES[kind],
            "is_chosen": kind == chosen,
        }
        for kind in TrackerKind
    ]
