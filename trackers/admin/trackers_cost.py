"""What a tracker costs: on the page of a saved one, and beside the form of a new one (UX C4)."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from django.utils import timezone

from credits import balances, outlooks, rating, shown
from credits.admin import live
from trackers import estimates, narrowing, questioning
from trackers.admin import run_out_moves, trackers_shown
from trackers.admin.forms import FILTER_FIELDS, TrackerForm
from trackers.models import (
    FREE_KINDS,
    Tracker,
    TrackerFilter,
    TrackerState,
    TrackerVersion,
)
from trackers.narrowing import Reads
from trackers.questioning import NotSaved, Question

# What decides which conversations are read, and how long they are.
PRICED_FIELDS = (
    *("include_calls", "include_emails", "language", "side", "part", "part_minutes"),
    *(name for names in FILTER_FIELDS.values() for name in names),
)
NOT_SAVED = "Not saved: "


class NoFigures(Exception):
    """Why what is in a form has no price yet, in one sentence."""


def of(
    tracker: Tracker,
    version: TrackerVersion | None,
    *,
    now: datetime,
    conditions: Iterable[TrackerFilter] | None = None,
) -> dict[str, Any]:
    """Return the figures of ``tracker/cost.html``; ``conditions`` stand in for saved filters.

    Neither the tracker nor its version need be saved.
    """
    rates = rating.rates_at(now)
    outlook = outlooks.of(company=tracker.company)
    month = version and estimates.monthly(
        tracker=tracker, version=version, now=now, rates=rates, conditions=conditions
    )
    allocated = balances.allocated(company=tracker.company, instant=outlook.instant)
    # What is published is in the present pace already.
    moved = (
        None
        if tracker.state == TrackerState.PUBLISHED or not month
        else run_out_moves.of(
            outlook, company=tracker.company, more_a_month=month.credits, at_once=None
        )
    )
    return {
        "month": month and trackers_shown.month_in_words(month),
        "share": month and trackers_shown.share_in_words(month, allocated),
        "run_out": moved,
        "rates": trackers_shown.cost_in_words(version, rates),
        "is_free": tracker.kind in FREE_KINDS,
        "available": shown.amount(outlook.available, metric="available"),
    }


def of_form(form: TrackerForm) -> dict[str, Any]:
    """Return the figures of the tracker that a form would make; of an empty one, as it begins.

    What else is missing before it can be saved is said beside them.

    :raises NoFigures: what is read is not decided, or cannot be.
    """
    now = timezone.now()
    if not form.is_bound:
        tracker = Tracker(company=form.company, kind=form.kind)
        return of(tracker, TrackerVersion(kind=form.kind), now=now, conditions=())
    reads, question = _priced(form)
    tracker = narrowing.changed(Tracker(company=form.company, kind=form.kind), reads)
    version = TrackerVersion()
    missing = [str(form[name].label) for name in form.errors if name in form.fields]
    try:
        question = questioning.checked(question)
    except NotSaved as refusal:
        if refusal.field in form.fields and refusal.field not in form.errors:
            missing.append(str(form[refusal.field].label))
    questioning.apply(question, version)
    conditions = narrowing.rows(tracker, reads)
    return of(tracker, version, now=now, conditions=conditions) | {"missing": missing}


def _priced(form: TrackerForm) -> tuple[Reads, Question]:
    """Return what a filled-in form would read, and of which words.

    :raises NoFigures: in the words of the form, or of the operation that would refuse to save it.
    """
    for name in PRICED_FIELDS:
        if name in form.errors:
            raise NoFigures(live.problem_of(form, name))
    data = form.cleaned_data
    reads = Reads(
        calls=data["include_calls"],
        emails=data["include_emails"],
        language=data["language"],
        filters=form.filters,
    )
    if not (reads.calls or reads.emails):
        raise NoFigures("Choose calls, e-mails or both.")
    try:
        return reads, questioning.with_part(form.asked)
    except NotSaved as refusal:
        sentence = str(refusal).removeprefix(NOT_SAVED)
        raise NoFigures(sentence[:1].upper() + sentence[1:]) from refusal
