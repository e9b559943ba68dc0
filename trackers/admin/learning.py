"""The page on which a tracker learns from reviews: what changes, in numbers, then a button."""

from __future__ import annotations

from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils import timezone

from credits import shown
from credits.companies import CompanyClosed
from trackers import teaching
from trackers.admin import previews, reviews
from trackers.models import Tracker
from trackers.publishing import StaleForm
from trackers.teaching import Lesson, NothingToLearn, ReviewsChanged


class ActForm(forms.Form):
    """The tracker as the page showed it."""

    edit_number = forms.IntegerField()


def learn(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Show what the reviews would teach; learn it, or take back what was learned."""
    tracker = previews.to_see(model_admin, request, tracker_id)
    reviews.refuse_who_only_reads(request, tracker.company_id)
    problems = []
    if request.method == "POST":
        seen = ActForm(request.POST)
        act = teaching.forget if "forget" in request.POST else teaching.learn
        try:
            changed = act(
                tracker_id=tracker.pk,
                edit_number=seen.cleaned_data["edit_number"] if seen.is_valid() else 0,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except (NothingToLearn, StaleForm, ReviewsChanged, CompanyClosed) as refusal:
            problems.append(str(refusal))
            tracker = previews.to_see(model_admin, request, tracker_id)
        else:
            messages.success(request, _done(changed, forgot="forget" in request.POST))
            return redirect("admin:trackers_tracker_test", tracker.pk)
    lesson, reason = _lesson(tracker)
    context = model_admin.admin_site.each_context(request) | {
        "title": f"Learn from reviews: {tracker}",
        "content_title": "Learn from reviews",
        "object": tracker,
        "problems": problems,
        "reason": reason,
        "lesson": lesson and _figures(lesson),
        "learned": teaching.learned(tracker),
        "threshold_now": _threshold(tracker.threshold),
    }
    return render(request, "admin/trackers/tracker/learn.html", context)


def _lesson(tracker: Tracker) -> tuple[Lesson | None, str]:
    version = teaching.version_of(tracker.pk)
    if version is None:
        return None, "A tracker needs a question before it can learn from reviews."
    try:
        return teaching.prepare(version=version), ""
    except NothingToLearn as reason:
        return None, str(reason)


def _figures(lesson: Lesson) -> dict[str, object]:
    return {
        "reviews": shown.count(len(lesson.review_ids), metric="reviews"),
        "examples": shown.count(len(lesson.example_ids), metric="examples"),
        "counter_examples": shown.count(len(lesson.counter_example_ids), metric="counter_examples"),
        "threshold_before": _threshold(lesson.threshold_before),
        "threshold_after": _threshold(lesson.threshold_after),
        "right_before": shown.count(lesson.right_before, metric="right_before"),
        "right_after": shown.count(lesson.right_after, metric="right_after"),
    }


def _threshold(value: Any) -> str:
    return "the built-in one" if value is None else f"{value:.2f}"


def _done(tracker: Tracker, *, forgot: bool) -> str:
    if forgot:
        return f"“{tracker}” took back what reviews had taught it. Nothing is charged again."
    return (
        f"“{tracker}” has learned from the reviews. It holds for what is read from now on; "
        "nothing is charged again."
    )
