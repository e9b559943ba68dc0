"""Thumbs: what a person says of a finding, on a result's own page and a tracker's test page."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.safestring import SafeString

from credits import shown
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.roles import Act
from trackers import reviewing
from trackers.models import Review, Scan, ScanState, Verdict
from trackers.reviewing import NotReviewable

NO_WORD = "Say whether the result is right or wrong."


@dataclass(frozen=True, slots=True)
class Thumbs:
    """What the two buttons beside a finding say, and which of them is pressed."""

    up: str
    down: str
    is_up: bool
    is_down: bool
    word: SafeString


def thumbs(verdict: str, review: Review | None) -> Thumbs:
    """Return the buttons of a finding; of an unsure one they ask whether it is there."""
    is_unsure = verdict == Verdict.UNSURE
    up, down = (
        ("It is there", "It is not there") if is_unsure else ("As expected", "Not as expected")
    )
    said_up = review is not None and review.is_yes == (verdict != Verdict.NO)
    said_down = review is not None and not said_up
    if review is None:
        word = shown.status("Not reviewed", code="NOT_REVIEWED")
    elif said_up:
        word = shown.status(up, code="CONFIRMED", tone=shown.GOOD)
    else:
        word = shown.status(down, code="REJECTED", tone=shown.WARNING)
    return Thumbs(up=up, down=down, is_up=said_up, is_down=said_down, word=word)


def may_review(request: HttpRequest, company_id: int) -> bool:
    """Tell whether the person may confirm and reject findings of a company."""
    scope = scope_of(request)
    return scope.covers(company_id) and scope.may(Act.EDIT_TRACKERS, company_id=company_id)


def of_scan(request: HttpRequest, scan: Scan) -> Thumbs | None:
    """Return the buttons of a result; None where it is not done or the person may only read."""
    if scan.state != ScanState.DONE or not may_review(request, scan.company_id):
        return None
    return thumbs(scan.verdict, reviewing.of_scans([scan]).get(scan.pk))


def refuse_who_only_reads(request: HttpRequest, company_id: int) -> None:
    """Check that the person may confirm and reject findings of a company.

    :raises PermissionDenied: with the reason, where there is one to say.
    """
    if not may_review(request, company_id):
        raise scope_of(request).refusal(Act.EDIT_TRACKERS, company_id=company_id)


def said(request: HttpRequest) -> bool | None:
    """Return whether a finding was said to be right; None where neither was said."""
    return {"yes": True, "no": False}.get(request.POST.get("is_right", ""))


def judge_scan(model_admin: Any, request: HttpRequest, scan_id: UUID) -> HttpResponse:
    """Confirm or reject a result, then show it again."""
    scan = get_object_or_404(
        model_admin.get_queryset(request).select_related("tracker", "version"), pk=scan_id
    )
    refuse_who_only_reads(request, scan.company_id)
    if request.method != "POST":
        return redirect("admin:trackers_scan_change", scan.pk)
    is_right = said(request)
    if is_right is None:
        messages.warning(request, NO_WORD)
        return redirect("admin:trackers_scan_change", scan.pk)
    try:
        reviewing.judge(
            scan=scan,
            is_right=is_right,
            by=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
    except (NotReviewable, CompanyClosed) as refusal:
        messages.error(request, str(refusal))
    return redirect("admin:trackers_scan_change", scan.pk)
