"""What a company could save, in words (setting ``CREDIT_ADVICE``)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from django.contrib.postgres.expressions import ArraySubquery
from django.db.models import F, JSONField, OuterRef, Q, QuerySet, Subquery, TextField
from django.db.models.functions import Cast, JSONObject
from django.urls import reverse

from credits import advice, shown
from credits.advice import Advice, AskedAdvice
from credits.models import Company
from trackers.models import AdviceRun, Suggestion, SuggestionKind, Tracker, TrackerState

AMOUNTS = ("credits_before", "credits_after")
SUGGESTIONS_MAX = 100
# Of a tracker that is as it was when the suggestion was worked out, and so is what repeats it:
# else both would end up switched off.
STANDING = Q(tracker__edit_number=F("edit_number"), tracker__state=TrackerState.PUBLISHED) & (
    Q(twin=None) | Q(twin__edit_number=F("twin_edit_number"), twin__state=TrackerState.PUBLISHED)
)


def suggested(*, company: Company) -> AskedAdvice:
    """Ask for the suggestions that were worked out last, without those overtaken since."""
    columns = [column.attname for column in Suggestion._meta.concrete_fields]
    rows = (
        standing()
        .filter(run=OuterRef("pk"))
        .values(
            json=JSONObject(
                # As text: JSON's numbers would come back as floats.
                **{name: Cast(F(name), TextField()) for name in AMOUNTS},
                **{name: F(name) for name in columns if name not in AMOUNTS},
                tracker_name=F("tracker__name"),
                tracker_end=F("tracker__campaign_end_date"),
                twin_name=F("twin__name"),
            )
        )
    )
    run = AdviceRun.objects.filter(company=company).values(
        json=JSONObject(as_of=F("computed_at"), rows=ArraySubquery(rows[:SUGGESTIONS_MAX]))
    )
    return AskedAdvice(Subquery(run, output_field=JSONField()), _read)


def _read(answer: dict[str, Any] | None) -> Advice:
    if answer is None:
        return Advice()
    return Advice(
        suggestions=tuple(_suggestion(row) for row in answer["rows"]),
        as_of=datetime.fromisoformat(answer["as_of"]),
    )


def _suggestion(row: dict[str, Any]) -> advice.Suggestion:
    tracker, twin = Tracker(name=row.pop("tracker_name")), Tracker(name=row.pop("twin_name"))
    if (end := row.pop("tracker_end")) is not None:
        tracker.campaign_end_date = date.fromisoformat(end)
    row |= {name: Decimal(row[name]) for name in AMOUNTS}
    one = Suggestion(**row)
    one.tracker, one.twin = tracker, twin
    return advice.Suggestion(
        kind=one.kind,
        sentence=sentence(one),
        evidence=evidence(one),
        saved=one.saved,
        url=reverse("admin:trackers_suggestion_apply", args=[one.pk]),
    )


def standing(rows: QuerySet[Suggestion] | None = None) -> QuerySet[Any]:
    """Return the suggestions whose trackers are as they were, the dearest first."""
    found = Suggestion.objects.all() if rows is None else rows
    return (
        found.filter(STANDING)
        .select_related("run", "tracker", "twin")
        .order_by(F("credits_after") - F("credits_before"), "pk")
    )


def sentence(one: Suggestion) -> str:
    """Say what to do."""
    name = f"“{one.tracker}”"
    match one.kind:
        case SuggestionKind.EMAILS:
            return f"Leave e-mails out of {name}"
        case SuggestionKind.FILTER | SuggestionKind.NO_FILTER:
            return f"Narrow {name}: {one.words}"
        case SuggestionKind.DUPLICATE:
            return f"Unpublish {name}, which repeats “{one.twin}”"
        case _:
            return f"Unpublish {name}"


def evidence(one: Suggestion) -> str:
    """Say why, in the figures of the 30 days it was worked out from."""
    read = shown.counted(one.read_count, "conversation")
    results = shown.counted(one.found_count, "result")
    less = percent(one.saved, one.credits_before)
    match one.kind:
        case SuggestionKind.NO_RESULTS:
            return f"No results in 30 days, in {read} read."
        case SuggestionKind.ENDED:
            assert one.tracker.campaign_end_date is not None  # Without it nothing has ended.
            ended = shown.day(one.tracker.campaign_end_date)
            return f"Its campaign ended on {ended}; {results} in {read} read in 30 days."
        case SuggestionKind.DUPLICATE:
            kept = one.found_count - one.lost_count
            return f"Reads the same conversations; “{one.twin}” has {kept:,} of its {results} too."
        case SuggestionKind.FEW_RESULTS:
            return (
                f"{results[:1].upper()}{results[1:]} in {read} read; other trackers find about "
                f"{one.usual_count:,} for as many credits."
            )
        case SuggestionKind.EMAILS:
            emails = shown.counted(one.conversations_before - one.conversations_after, "e-mail")
            return f"No results in {emails} of 30 days; all {results} are from calls."
        case SuggestionKind.NO_FILTER:
            lost = f"lost {one.lost_count:,} of {results}"
            return f"It has no filter. With this one, 30 days had cost {less} less and {lost}."
        case _:
            lost = f"lost {one.lost_count:,} of {results}"
            return f"With this filter, 30 days had cost {less} less and {lost}."


def percent(part: Decimal, whole: Decimal) -> str:
    """Show a part in whole percent."""
    return f"{(100 * part / whole).quantize(Decimal(1), rounding=ROUND_HALF_UP)} %"
