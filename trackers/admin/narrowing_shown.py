"""What the pages say of a change of what a tracker reads: before → after, all as of one instant."""

from __future__ import annotations

from datetime import date, datetime
from typing import Any

from django.db.models import prefetch_related_objects
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits import outlooks, rating, shown
from credits.amounts import ZERO
from trackers import advice, filters, narrowing, publishing
from trackers.admin import run_out_moves, trackers_shown
from trackers.estimates import ScanEstimate
from trackers.models import Tracker, TrackerState
from trackers.narrowing import Reads

NOTE = (
    "Estimates a month are from the conversations of the last 30 days, by the rates in force; the "
    "day credits run out is a forecast at the present pace. Nothing is changed yet."
)
NOTHING_READ = ScanEstimate(0, 0, 0, ZERO)


def facts(tracker: Tracker, reads: Reads | None, *, now: datetime) -> tuple[tuple[str, Any], ...]:
    """Return what changes, as facts of a plan; without ``reads``, by unpublishing."""
    is_published = tracker.state == TrackerState.PUBLISHED
    version = tracker.current_version if is_published else publishing.next_version(tracker)
    assert version is not None  # Every tracker that was saved asks something.
    rates = rating.rates_at(now)
    present = narrowing.of(tracker)
    before = narrowing.monthly(tracker, version, present, now=now, rates=rates)
    after = NOTHING_READ
    if reads is not None:
        after = narrowing.monthly(tracker, version, reads, now=now, rates=rates)
    return (
        *_changes(tracker, present, reads),
        (
            "Conversations in 30 days",
            shown.number(
                "{} → {}",
                shown.count(before.conversations, metric="conversations-before"),
                shown.count(after.conversations, metric="conversations-after"),
            ),
        ),
        ("Credits a month", _credits(before, after)),
        *_run_out(tracker, before, after),
    )


def saved(tracker: Tracker) -> SafeString:
    """Say that a change is done, with the way back."""
    return format_html(
        '“{}” reads that from now on. <a class="credits-link" href="{}">Undo</a>',
        tracker,
        reverse("admin:trackers_tracker_undo", args=[tracker.pk]),
    )


def _changes(tracker: Tracker, present: Reads, reads: Reads | None) -> tuple[tuple[str, Any], ...]:
    if reads is None:
        return (("State", f"{TrackerState.PUBLISHED.label} → {TrackerState.UNPUBLISHED.label}"),)
    found: list[tuple[str, Any]] = []
    if (present.calls, present.emails) != (reads.calls, reads.emails):
        later = trackers_shown.kinds(narrowing.changed(tracker, reads))
        found.append(("Reads", f"{trackers_shown.kinds(tracker)} → {later}"))
    if (present.filters, present.language) != (reads.filters, reads.language):
        found.append(("Filters", f"{_in_words(tracker, present)} → {_in_words(tracker, reads)}"))
    return tuple(found) or (("Reads", "as before"),)


def _in_words(tracker: Tracker, reads: Reads) -> str:
    rows = narrowing.rows(tracker, reads)
    prefetch_related_objects(rows, "team", "member")
    return filters.words(rows, language=reads.language)


def _credits(before: ScanEstimate, after: ScanEstimate) -> SafeString:
    change = before.credits - after.credits
    sign = "−" if change >= 0 else "+"
    part = f" ({sign}{advice.percent(abs(change), before.credits)})" if before.credits else ""
    return shown.number(
        "{} → {}{}",
        shown.about(before.credits, metric="credits-before"),
        shown.about(after.credits, metric="credits-after"),
        part,
    )


def _run_out(
    tracker: Tracker, before: ScanEstimate, after: ScanEstimate
) -> tuple[tuple[str, Any], ...]:
    """Say how the day moves; a tracker that is not published uses nothing, whatever it reads."""
    if tracker.state != TrackerState.PUBLISHED:
        return ()
    moved = run_out_moves.of(
        outlooks.of(company=tracker.company),
        company=tracker.company,
        more_a_month=after.credits - before.credits,
        at_once=None,
    )
    if not moved.after:
        return (("Credits run out", _day("runs-out-before", moved.before_day, moved.before)),)
    return (
        ("Credits run out now", _day("runs-out-before", moved.before_day, moved.before)),
        ("After this", _day("runs-out-after", moved.after_day, moved.after)),
    )


def _day(metric: str, day: date | None, words: str) -> SafeString:
    return format_html(
        '<span data-metric="{}" data-value="{}">{}</span>',
        metric,
        day.isoformat() if day else "",
        words,
    )
