"""The test page of a tracker: try its question for nothing, say what was right (UX §1c, C2–C3)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from unfold import widgets

from credits import shown
from credits.companies import CompanyClosed
from trackers import filters, language_model, previewing, publishing, reviewing, teaching
from trackers.admin import reading, reviews, scans, trackers_shown
from trackers.admin.reviews import Thumbs
from trackers.analyzers.offline import calibration
from trackers.models import (
    PREVIEW_CONVERSATIONS_MAX,
    AnswerType,
    PreviewQuote,
    PreviewResult,
    Review,
    Tracker,
    TrackerKind,
    TrackerVersion,
)
from trackers.previewing import PreviewRefused
from trackers.reviewing import NotReviewable

RESULTS_MAX = 100


class CountForm(forms.Form):
    """On how many conversations to test."""

    count = forms.IntegerField(
        label="Conversations",
        min_value=1,
        max_value=PREVIEW_CONVERSATIONS_MAX,
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
    )


@dataclass(frozen=True, slots=True)
class Quoted:
    """A quote with who said it when."""

    text: str
    speaker: str
    time: str


@dataclass(frozen=True, slots=True)
class Shown:
    """One conversation that was tested: what was found, what it rests on, what people say."""

    pk: UUID
    title: str
    link: str
    verdict: str
    confidence: str
    answer: str
    quotes: tuple[Quoted, ...]
    is_found: bool
    is_earlier: bool
    tested: str
    thumbs: Thumbs


def test(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Show what tests found and what people say of it; test on a few conversations more."""
    tracker = to_see(model_admin, request, tracker_id)
    problems = []
    form = None
    if request.method == "POST":
        reviews.refuse_who_only_reads(request, tracker.company_id)
        form = CountForm(request.POST)
        if form.is_valid():
            try:
                previewing.run(
                    tracker_id=tracker.pk,
                    count=form.cleaned_data["count"],
                    by=request.user,  # type: ignore[arg-type]
                    clock=timezone.now,
                )
            except (PreviewRefused, CompanyClosed) as refusal:
                problems.append(str(refusal))
            else:
                return redirect("admin:trackers_tracker_test", tracker.pk)
        else:
            problems.append(f"Choose between 1 and {PREVIEW_CONVERSATIONS_MAX} conversations.")
    return render(
        request,
        "admin/trackers/tracker/test.html",
        model_admin.admin_site.each_context(request) | _context(request, tracker, form, problems),
    )


def judge(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Confirm or reject one result of a test, then show the page again where it was."""
    tracker = to_see(model_admin, request, tracker_id)
    reviews.refuse_who_only_reads(request, tracker.company_id)
    if request.method != "POST":
        return redirect("admin:trackers_tracker_test", tracker.pk)
    result = get_object_or_404(
        PreviewResult.objects.filter(preview__tracker=tracker).select_related(
            "preview__version", "preview__tracker"
        ),
        pk=_id(request.POST.get("result", "")),
    )
    is_right = reviews.said(request)
    if is_right is None:
        messages.warning(request, reviews.NO_WORD)
    else:
        try:
            reviewing.judge_preview(
                result=result,
                is_right=is_right,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except (NotReviewable, CompanyClosed) as refusal:
            messages.error(request, str(refusal))
    answer = redirect("admin:trackers_tracker_test", tracker.pk)
    answer["Location"] += f"#result-{result.pk}"
    return answer


def to_see(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> Tracker:
    """Return the tracker if it is in scope and may be seen: 404 or 403 otherwise."""
    tracker: Tracker = get_object_or_404(model_admin.get_queryset(request), pk=tracker_id)
    if not model_admin.has_view_permission(request, tracker):
        raise PermissionDenied
    return tracker


def _id(text: str) -> UUID | None:
    try:
        return UUID(text)
    except ValueError:
        return None


def _context(
    request: HttpRequest, tracker: Tracker, form: CountForm | None, problems: list[str]
) -> dict[str, Any]:
    version = publishing.next_version(tracker)
    left = previewing.room(tracker=tracker, now=timezone.now())
    may_act = reviews.may_review(request, tracker.company_id)
    is_keyword = tracker.kind == TrackerKind.KEYWORD
    words = [] if version is None else reviewing.in_force(version=version)
    found = [] if version is None else _results(request, version, words)
    return {
        "title": f"Test: {tracker}",
        "content_title": "Test",
        "object": tracker,
        "version": version,
        "reads": trackers_shown.kinds(tracker),
        "whose": version and version.get_side_display(),
        "filters": filters.in_words(tracker),
        "problems": problems,
        "may_act": may_act,
        # Keywords have nothing to learn.
        "may_teach": may_act and not is_keyword,
        "is_keyword": is_keyword,
        "form": form or CountForm(initial={"count": left.left or None}),
        "left": shown.count(left.left, metric="left_today"),
        "is_left": left.left > 0,
        "tracker_max": previewing.TRACKER_DAY_MAX,
        "company_max": previewing.COMPANY_DAY_MAX,
        "results": found,
        "agreement": reviewing.agreement(words),
        "learned": teaching.learned(tracker),
        "is_built_in": language_model.analyzer_of(tracker.company_id).name == calibration.NAME,
        "reviews_min": teaching.REVIEWS_MIN,
    }


def _results(request: HttpRequest, version: TrackerVersion, words: list[Review]) -> list[Shown]:
    rows = previewing.results(version=version, limit=RESULTS_MAX)
    said = {(one.conversation_id, one.revision): one for one in words}
    quotes: dict[UUID, list[PreviewQuote]] = {row.pk: [] for row in rows}
    for quote in (
        PreviewQuote.objects.filter(result__in=list(quotes))
        .select_related("utterance__speaker")
        .order_by("rank")
    ):
        quotes[quote.result_id].append(quote)
    return [
        _shown(request, version, row, quotes[row.pk], said.get((row.conversation_id, row.revision)))
        for row in rows
    ]


def _shown(
    request: HttpRequest,
    version: TrackerVersion,
    row: PreviewResult,
    quotes: list[PreviewQuote],
    review: Review | None,
) -> Shown:
    return Shown(
        pk=row.pk,
        title=str(row.conversation),
        link=shown.link_if_allowed(request, row.conversation),
        verdict=shown.status(
            row.get_verdict_display(), code=row.verdict, tone=scans.TONES.get(row.verdict, "")
        ),
        confidence=row.get_confidence_display(),
        answer="" if version.answer_type == AnswerType.YES_NO else row.answer,
        quotes=tuple(
            Quoted(
                text=one.utterance.text[one.start : one.end],
                speaker=str(one.utterance.speaker),
                time=reading.clock(one.utterance.start_seconds),
            )
            for one in quotes
        ),
        is_found=row.verdict != "NO",
        is_earlier=row.revision != row.conversation.text_revision,
        tested=shown.instant(row.preview.begun_at, row.conversation.company),
        thumbs=reviews.thumbs(row.verdict, review),
    )
