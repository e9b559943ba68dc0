"""Publish, unpublish and scan history: pages that say in numbers what they will do, then do it.

What a page showed comes back with the confirmation. Whatever changed in between shows the page
again, with the new figures and the reason, and does nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.contrib import messages
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone

from credits import balances, outlooks, rating, shown, zones
from credits.amounts import ZERO
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.outlooks import Outlook
from credits.rating import Rates
from credits.roles import Act
from trackers import backfills, briefs, estimates, publishing, requeuing
from trackers.admin import narrowing_shown, run_out_moves, trackers_shown, under_way
from trackers.admin.forms import HistoryForm, SeenForm, ShownForm
from trackers.admin.run_out_moves import RunOutMove
from trackers.backfills import BackfillRefused, Plan
from trackers.estimates import MonthlyEstimate, ScanEstimate
from trackers.models import Tracker, TrackerState, TrackerVersion
from trackers.publishing import (
    AlreadyPublished,
    NotPublishable,
    NotPublished,
    StaleForm,
    UsedByBriefs,
)

LOOK_AGAIN = "These are the figures for what you entered. Look at them, then confirm."
FIGURES_LAST = timedelta(minutes=15)
TOO_OLD = "The figures were more than 15 minutes old. These are those of now; confirm them again."


@dataclass(slots=True)
class HistoryOffer:
    """The history of a page: its form, and what the days in it cost; None if they are no days."""

    form: HistoryForm
    days: tuple[date, date] | None = None
    span: tuple[datetime, datetime] | None = None
    estimate: ScanEstimate | None = None


@dataclass(slots=True)
class Confirmation:
    """One showing of a confirmation page: what is so now, and why it was not done."""

    tracker: Tracker
    version: TrackerVersion
    now: datetime
    rates: Rates
    outlook: Outlook
    offer: HistoryOffer
    problems: list[str] = field(default_factory=list)

    @property
    def available(self) -> Decimal:
        return self.outlook.available

    def month(self) -> MonthlyEstimate:
        """Price a month of the version that would be in force."""
        return estimates.monthly(
            tracker=self.tracker, version=self.version, now=self.now, rates=self.rates
        )

    def plan(self, seen: ShownForm) -> Plan | None:
        """Return the history that was confirmed; None, with the problem noted, if it was not."""
        offer = self.offer
        if offer.span is None or offer.estimate is None:
            self.problems.append("Correct the dates or the ceiling below.")
            return None
        data = seen.cleaned_data
        if (data["shown_from"], data["shown_to"]) != offer.days or data["shown_estimate"] is None:
            self.problems.append(LOOK_AGAIN)
            return None
        return Plan(
            from_at=offer.span[0],
            to_at=offer.span[1],
            ceiling=offer.form.cleaned_data["ceiling"],
            rates=self.rates,
            shown=data["shown_estimate"],
        )


def publish(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Show what a month of the tracker costs, and its history; publish it, or both, or neither."""
    tracker = _to_change(model_admin, request, tracker_id)
    page = _confirmation(request, tracker)
    if page is None:
        messages.error(request, "A tracker needs a question before it can be published.")
        return redirect("admin:trackers_tracker_change", tracker.pk)
    in_force = tracker.current_version if tracker.state == TrackerState.PUBLISHED else None
    if in_force is not None and page.version == in_force:
        messages.warning(request, AlreadyPublished.__doc__ or "")
        return redirect("admin:trackers_tracker_change", tracker.pk)
    with_history = "with_history" in request.POST
    month = page.month()
    needs_tick = publishing.needs_acceptance(month.credits, available=page.available)
    if request.method == "POST" and "show" not in request.POST:
        if needs_tick and "accepted" not in request.POST:
            page.problems.append("Tick that you accept what a month may cost.")
        published = _publish(request, page, with_history=with_history)
        if published is not None:
            return _after_publishing(request, published, with_history=with_history)
    return _page(
        model_admin,
        request,
        page,
        "publish",
        "Publish new version" if in_force else "Publish",
        needs_tick=needs_tick,
        accepted="accepted" in request.POST,
        with_history=with_history,
        month=trackers_shown.month_in_words(month),
        share=trackers_shown.share_in_words(
            month, balances.allocated(company=tracker.company, instant=page.outlook.instant)
        ),
        run_out=_run_out(page, month, in_force),
        replaced=in_force,
        **(_replaced(page) if in_force else {}),
    )


def unpublish(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Show what is under way and what waits, all of which ends; then unpublish."""
    tracker = _to_change(model_admin, request, tracker_id)
    problems = []
    if request.method == "POST":
        seen = SeenForm(request.POST)
        try:
            publishing.unpublish(
                tracker_id=tracker.pk,
                edit_number=seen.cleaned_data["edit_number"] if seen.is_valid() else 0,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except (StaleForm, NotPublished, UsedByBriefs) as refusal:
            problems.append(str(refusal))
            tracker = _to_change(model_admin, request, tracker_id)
        else:
            messages.success(
                request, f"“{tracker}” is unpublished. Its results stay; nothing more is read."
            )
            return redirect("admin:trackers_tracker_change", tracker.pk)
    is_published = tracker.state == TrackerState.PUBLISHED
    context = model_admin.admin_site.each_context(request) | {
        "title": f"Unpublish {tracker}",
        "content_title": "Unpublish",
        "object": tracker,
        "problems": problems,
        "facts": narrowing_shown.facts(tracker, None, now=timezone.now()) if is_published else (),
        "note": narrowing_shown.NOTE,
        "intro": under_way.UNPUBLISHING,
        "endings": under_way.of(tracker).endings,
        "is_published": is_published,
        "used_by": briefs.that_use(tracker, published=True),
    }
    return render(request, "admin/trackers/tracker/unpublish.html", context)


def backfill(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Show what the history between two days costs, then start to read it."""
    tracker = _to_change(model_admin, request, tracker_id)
    page = _confirmation(request, tracker)
    if page is None or tracker.state != TrackerState.PUBLISHED:
        messages.error(request, "Publish the tracker first; its history can be read in that step.")
        return redirect("admin:trackers_tracker_change", tracker.pk)
    if request.method == "POST" and "show" not in request.POST:
        seen = _shown(request, page)
        plan = None if seen is None else page.plan(seen)
        if seen is not None and plan is not None:
            try:
                started = backfills.launch(
                    tracker_id=tracker.pk,
                    from_at=plan.from_at,
                    to_at=plan.to_at,
                    ceiling=plan.ceiling,
                    rates=plan.rates,
                    by=request.user,  # type: ignore[arg-type]
                    now=page.now,
                    shown=plan.shown,
                    edit_number=seen.cleaned_data["edit_number"],
                )
            except (BackfillRefused, CompanyClosed) as refusal:
                page.problems.append(str(refusal))
            else:
                return redirect("admin:trackers_backfill_change", started.pk)
    live = tracker.backfills.filter(state__in=backfills.LIVE_STATES).first()
    return _page(model_admin, request, page, "backfill", "Backfill history", live_backfill=live)


def _publish(request: HttpRequest, page: Confirmation, *, with_history: bool) -> Tracker | None:
    """Do what was confirmed; None, with the problems noted on the page, if it was not done."""
    seen = _shown(request, page)
    plan = page.plan(seen) if seen is not None and with_history else None
    if seen is None or page.problems:
        return None
    try:
        return publishing.publish(
            tracker_id=page.tracker.pk,
            edit_number=seen.cleaned_data["edit_number"],
            by=request.user,  # type: ignore[arg-type]
            now=page.now,
            history=plan,
        )
    except (
        StaleForm,
        AlreadyPublished,
        NotPublishable,
        BackfillRefused,
        CompanyClosed,
    ) as refusal:
        page.problems.append(str(refusal))
    return None


def _run_out(
    page: Confirmation, month: ScanEstimate, in_force: TrackerVersion | None
) -> RunOutMove:
    """Say how publishing moves the day credits run out, without and with the history shown.

    What a version in force uses is in the present pace already; the new one takes its place.
    """
    replaced = ZERO
    if in_force is not None:
        replaced = estimates.monthly(
            tracker=page.tracker, version=in_force, now=page.now, rates=page.rates
        ).credits
    return run_out_moves.of(
        page.outlook,
        company=page.tracker.company,
        more_a_month=month.credits - replaced,
        at_once=page.offer.estimate.credits if page.offer.estimate else None,
    )


def _after_publishing(
    request: HttpRequest, tracker: Tracker, *, with_history: bool
) -> HttpResponse:
    messages.success(request, f"“{tracker}” is published. New conversations are read from now on.")
    if not with_history:
        return redirect("admin:trackers_tracker_change", tracker.pk)
    started = tracker.backfills.get(state__in=backfills.LIVE_STATES)
    return redirect("admin:trackers_backfill_change", started.pk)


def _to_change(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> Tracker:
    """Return the tracker if it is in scope and may be changed: 404 or 403 otherwise."""
    tracker: Tracker = get_object_or_404(model_admin.get_queryset(request), pk=tracker_id)
    if not model_admin.has_change_permission(request, tracker):
        raise scope_of(request).refusal(Act.EDIT_TRACKERS, company_id=tracker.company_id)
    return tracker


def _confirmation(request: HttpRequest, tracker: Tracker) -> Confirmation | None:
    version = publishing.next_version(tracker)
    if version is None:
        return None
    now = timezone.now()
    rates = rating.rates_at(now)
    return Confirmation(
        tracker=tracker,
        version=version,
        now=now,
        rates=rates,
        outlook=outlooks.of(company=tracker.company),
        offer=_offer(request, tracker, version, now, rates),
    )


def _offer(
    request: HttpRequest, tracker: Tracker, version: TrackerVersion, now: datetime, rates: Rates
) -> HistoryOffer:
    """Price the days asked for; at first all until today, or the gap since it was unpublished."""
    zone = shown.zone_of(tracker.company)
    if request.method == "POST":
        form = HistoryForm(request.POST)
        if not form.is_valid():
            return HistoryOffer(form)
        days = form.cleaned_data["from_day"], form.cleaned_data["to_day"]
    else:
        begin = tracker.unpublished_at or estimates.oldest_start(tracker) or now
        days = begin.astimezone(zone).date(), now.astimezone(zone).date()
        form = HistoryForm(initial={"from_day": days[0], "to_day": days[1]})
    span = zones.days(*days, zone)
    estimate = estimates.backfill(
        tracker=tracker, version=version, from_at=span[0], to_at=span[1], rates=rates
    )
    return HistoryOffer(form, days, span, estimate)


def _shown(request: HttpRequest, page: Confirmation) -> ShownForm | None:
    seen = ShownForm(request.POST)
    if not seen.is_valid():
        page.problems.append(LOOK_AGAIN)
        return None
    if page.now - seen.cleaned_data["shown_at"] > FIGURES_LAST:
        page.problems.append(TOO_OLD)
        return None
    return seen


def _replaced(page: Confirmation) -> dict[str, Any]:
    """Count what ends with the version in force, and price what the new one reads instead."""
    taken_over = requeuing.estimate_replacing(
        tracker=page.tracker, version=page.version, rates=page.rates
    )
    return {
        "under_way": under_way.of(page.tracker),
        "taken_over_count": shown.count(taken_over.conversations, metric="taken_over"),
        "taken_over_credits": shown.amount(taken_over.credits, metric="taken_over_credits"),
    }


def _page(
    model_admin: Any,
    request: HttpRequest,
    page: Confirmation,
    name: str,
    heading: str,
    **more: Any,
) -> HttpResponse:
    tracker = page.tracker
    estimate = page.offer.estimate
    context = model_admin.admin_site.each_context(request) | {
        "title": f"{heading}: {tracker}",
        "content_title": heading,
        "heading": heading,
        "object": tracker,
        "version": page.version,
        "problems": page.problems,
        "shown_at": page.now,
        "available": shown.amount(page.available, metric="available"),
        "rates": trackers_shown.cost_in_words(page.version, page.rates),
        "offer": page.offer,
        "history_count": estimate
        and shown.count(estimate.conversations, metric="history_conversations"),
        "history_kinds": estimate
        and f"{shown.counted(estimate.calls, 'call')}, {shown.counted(estimate.emails, 'e-mail')}",
        "history_credits": estimate and shown.amount(estimate.credits, metric="history_credits"),
        "exceeds": estimate is not None and estimate.credits > page.available,
        **more,
    }
    return render(request, f"admin/trackers/tracker/{name}.html", context)
