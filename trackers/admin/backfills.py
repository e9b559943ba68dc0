"""Backfills: how far they are, what they cost, and what a person may do about it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, ClassVar
from uuid import UUID

from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.views import ChangeList

from credits import balances, limits, rating, shown
from credits.admin.scoped import ReadOnlyAdmin, ScopedRelatedFilter
from credits.amounts import grouped, text
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.models import SpendingLimit
from credits.roles import Act
from trackers import backfill_progress, backfills, waiting
from trackers.admin import trackers_shown
from trackers.backfill_progress import Progress
from trackers.backfills import NotRunning
from trackers.models import Backfill, BackfillState


class BackfillChangeList(ChangeList):
    """Adds ``progress`` to each backfill of the page, counted in one query."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        found = backfill_progress.of_each(rows)
        for backfill in rows:
            backfill.progress = found[backfill.pk]
        self.result_list = rows


@admin.register(Backfill)
class BackfillAdmin(ReadOnlyAdmin):
    """Read-only; a person may pause, resume or stop one."""

    empty_words = (
        "To have older conversations read, open a published tracker and choose “Backfill history”."
    )
    view_act = Act.VIEW_TRACKERS
    list_display = (
        "shown_name",
        "shown_state",
        "shown_range",
        "read",
        "used",
        "shown_ceiling",
        "shown_start",
    )
    list_filter = ("state", ("tracker", ScopedRelatedFilter))
    list_select_related = (
        *("tracker", "version", "company"),
        *("started_by", "paused_by", "ended_by"),
    )
    ordering = ("-started_at", "-id")
    fields = ("tracker",)

    class Media:
        css: ClassVar = {"all": ("trackers/trackers.css",)}
        js: ClassVar = ("trackers/backfill.js",)

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return BackfillChangeList

    def get_urls(self) -> list[Any]:
        pages = {"stop": stop, "pause": pause, "resume": resume, "progress": progress}
        return [*self.pages_of_row("backfill_id", pages), *super().get_urls()]

    def name_of(self, row: Any) -> str:
        return f"Backfill of {name_of(row)}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        obj = context["original"]
        now = timezone.now()
        context |= {
            "backfill": obj,
            "tracker": obj.tracker,
            "report": report(obj, now=now),
            "range": range_in_words(obj),
            "conversation_count": f"{obj.conversation_count:,}",
            "estimate": shown.amount(obj.estimate, metric="estimate"),
            "ceiling": shown.amount(obj.ceiling, metric="ceiling"),
            "started_by": obj.started_by.get_short_name() if obj.started_by else "the system",
            "started": shown.instant(obj.started_at, obj.company),
            "may_act": may_act(request, obj),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="Backfill")
    def shown_name(self, obj: Any) -> str:
        return name_of(obj)

    @display(description="State", ordering="state")
    def shown_state(self, obj: Any) -> SafeString:
        return trackers_shown.state(obj.state, state_in_words(obj, obj.progress))

    @display(description="Days")
    def shown_range(self, obj: Any) -> str:
        return range_in_words(obj)

    @display(description="Conversations")
    def read(self, obj: Any) -> SafeString:
        skipped = obj.progress.skipped
        return shown.number(
            "{} of {} read{}",
            shown.count(obj.progress.done, metric="done"),
            shown.count(obj.conversation_count, metric="conversations"),
            format_html(", {} skipped", shown.count(skipped, metric="skipped")) if skipped else "",
        )

    @display(description="Credits used of estimate")
    def used(self, obj: Any) -> SafeString:
        return shown.number(
            "{} of {}",
            shown.amount(obj.progress.charged, metric="charged"),
            shown.amount(obj.estimate, metric="estimate"),
        )

    @display(description="Ceiling")
    def shown_ceiling(self, obj: Any) -> str:
        return shown.amount(obj.ceiling, metric="ceiling")

    @display(description="Started", ordering="started_at")
    def shown_start(self, obj: Any) -> SafeString:
        who = obj.started_by.get_short_name() if obj.started_by else "the system"
        return format_html("<span>{} by {}</span>", shown.instant(obj.started_at, obj.company), who)


def progress(model_admin: Any, request: HttpRequest, backfill_id: UUID) -> JsonResponse:
    """Say how far a backfill is, for its open page."""
    backfill = _found(model_admin, request, backfill_id)
    return JsonResponse(report(backfill, now=timezone.now()))


def stop(model_admin: Any, request: HttpRequest, backfill_id: UUID) -> HttpResponse:
    """Show what was read and charged and what will be skipped; then stop."""
    backfill = _to_act_on(model_admin, request, backfill_id)
    if request.method == "POST":
        try:
            backfills.stop(
                backfill_id=backfill.pk,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except NotRunning:
            messages.warning(request, "This backfill had ended already.")
        else:
            messages.success(request, "Stopped. Nothing more is charged for it.")
        return redirect("admin:trackers_backfill_change", backfill.pk)
    counted = backfill_progress.of(backfill)
    return _page(
        model_admin,
        request,
        backfill,
        "stop",
        is_live=backfill.state in backfills.LIVE_STATES,
        done=shown.count(counted.done, metric="done"),
        charged=shown.amount(counted.charged, metric="charged"),
        skipped=shown.count(counted.waiting + counted.running, metric="to_skip"),
        running=shown.count(counted.running, metric="running"),
    )


def pause(model_admin: Any, request: HttpRequest, backfill_id: UUID) -> HttpResponse:
    """Show what was read and charged and what will wait; then pause."""
    backfill = _to_act_on(model_admin, request, backfill_id)
    if request.method == "POST":
        try:
            backfills.pause(
                backfill_id=backfill.pk,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except NotRunning as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, "Paused. Nothing is charged for it until it is resumed.")
        return redirect("admin:trackers_backfill_change", backfill.pk)
    counted = backfill_progress.of(backfill)
    return _page(
        model_admin,
        request,
        backfill,
        "pause",
        is_running=backfill.state == BackfillState.RUNNING,
        done=shown.count(counted.done, metric="done"),
        charged=shown.amount(counted.charged, metric="charged"),
        left=shown.count(counted.waiting + counted.running, metric="to_wait"),
        running=shown.count(counted.running, metric="running"),
    )


def resume(model_admin: Any, request: HttpRequest, backfill_id: UUID) -> HttpResponse:
    """Show what a paused backfill still needs and what is available; then go on."""
    backfill = _to_act_on(model_admin, request, backfill_id)
    if request.method == "POST":
        try:
            backfills.resume(
                backfill_id=backfill.pk,
                by=request.user,  # type: ignore[arg-type]
                now=timezone.now(),
            )
        except NotRunning:
            messages.warning(request, "This backfill is neither paused nor waiting any more.")
        except CompanyClosed as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, "The backfill goes on.")
        return redirect("admin:trackers_backfill_change", backfill.pk)
    needs = backfill_progress.still_needs(backfill, rates=rating.rates_at(timezone.now()))
    available = balances.now(company=backfill.company).available
    return _page(
        model_admin,
        request,
        backfill,
        "resume",
        is_halted=backfill.state in backfills.RESUMABLE_STATES,
        halted=halted_in_words(backfill, now=timezone.now()),
        needs=shown.amount(needs, metric="still_needs"),
        available=shown.amount(available, metric="available"),
        is_short=needs > available,
    )


def may_act(request: HttpRequest, backfill: Backfill) -> bool:
    """Tell whether the person may stop or resume: those who may launch."""
    scope = scope_of(request)
    company_id = backfill.company_id
    return scope.covers(company_id) and scope.may(Act.EDIT_TRACKERS, company_id=company_id)


def report(backfill: Backfill, *, now: datetime) -> dict[str, Any]:
    """Return what a backfill's page says and keeps saying while it runs, ready for JSON."""
    counted = backfill_progress.of(backfill)
    left = backfill_progress.time_left(backfill, now=now)
    counts = {
        "done": counted.done,
        "failed": counted.failed,
        "skipped": counted.skipped,
        "running": counted.running,
        "waiting": counted.waiting,
    }
    figures = {name: {"value": str(n), "text": f"{n:,}"} for name, n in counts.items()}
    figures["charged"] = {"value": text(counted.charged), "text": grouped(counted.charged)}
    return {
        "state": backfill.state,
        "state_text": state_in_words(backfill, counted),
        "tone": trackers_shown.TONES[backfill.state],
        "is_over": backfill.state not in backfills.LIVE_STATES,
        "percent": counted.percent,
        "figures": figures,
        "time_left": _span_in_words(left),
        "halted": halted_in_words(backfill, now=now),
        "ended": ended_in_words(backfill),
    }


def name_of(backfill: Backfill) -> str:
    return f"{backfill.tracker}, version {backfill.version.number}"


def state_in_words(backfill: Backfill, counted: Progress) -> str:
    """Say the state with how far it is, or who paused or stopped it."""
    if backfill.state == BackfillState.RUNNING:
        return f"Running {counted.percent} %"
    if backfill.paused_by is not None:
        return f"Paused by {backfill.paused_by.get_short_name()} at {counted.percent} %"
    if backfill.state == BackfillState.STOPPED and backfill.ended_by is not None:
        return f"Stopped by {backfill.ended_by.get_short_name()}"
    return str(backfill.get_state_display())


def range_in_words(backfill: Backfill) -> str:
    """Say the first and the last local day, both included."""
    zone = shown.zone_of(backfill.company)
    first = shown.day(backfill.from_at.astimezone(zone).date())
    return f"{first} – {shown.day(shown.last_day_before(backfill.to_at, zone))}"


def halted_in_words(backfill: Backfill, *, now: datetime) -> str:
    """Say why a backfill does not go on though it has not ended; empty for any other."""
    if backfill.state == BackfillState.RUNNING:
        return limited_in_words(backfill, now=now)
    if backfill.state == BackfillState.WAITING:
        return "It met zero. It goes on when somebody resumes it, not by itself."
    if backfill.paused_at is None or backfill.paused_by is None:
        return ""
    at = shown.instant_in_words(backfill.paused_at, backfill.company)
    return f"Paused on {at} by {backfill.paused_by.get_short_name()}. Nothing is charged meanwhile."


def limited_in_words(backfill: Backfill, *, now: datetime) -> str:
    """Say which limit a backfill met, and when it goes on; empty while it met none."""
    met = waiting.for_a_limit(now=now).filter(backfill=backfill).order_by("due_at").first()
    if met is None or met.limit_ref is None:
        return ""
    limit = SpendingLimit.objects.get(pk=met.limit_ref)
    anew = shown.instant_in_words(met.due_at, backfill.company)
    return (
        f"It met the limit of {limits.in_words(limit)}. It goes on by itself on {anew}, or when "
        "the limit is raised."
    )


def ended_in_words(backfill: Backfill) -> str:
    """Say when and why a backfill ended; empty while it has not."""
    if backfill.ended_at is None:
        return ""
    return " ".join(
        part
        for part in (
            shown.instant_in_words(backfill.ended_at, backfill.company),
            backfill.ended_by and f"by {backfill.ended_by.get_short_name()}.",
            backfill.end_reason,
        )
        if part
    )


def _span_in_words(span: timedelta | None) -> str:
    if span is None:
        return ""
    seconds = int(span.total_seconds())
    if seconds < 60:
        return "less than a minute left"
    if seconds < 3600:
        return f"about {seconds // 60 + 1} min left"
    return f"about {seconds // 3600} h {seconds % 3600 // 60} min left"


def _found(model_admin: Any, request: HttpRequest, backfill_id: UUID) -> Backfill:
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    rows = model_admin.get_queryset(request).select_related(*BackfillAdmin.list_select_related)
    found: Backfill = get_object_or_404(rows, pk=backfill_id)
    return found


def _to_act_on(model_admin: Any, request: HttpRequest, backfill_id: UUID) -> Backfill:
    backfill = _found(model_admin, request, backfill_id)
    if not may_act(request, backfill):
        raise scope_of(request).refusal(Act.EDIT_TRACKERS, company_id=backfill.company_id)
    return backfill


def _page(
    model_admin: Any, request: HttpRequest, backfill: Backfill, name: str, **more: Any
) -> HttpResponse:
    heading = name.capitalize()
    context = model_admin.admin_site.each_context(request) | {
        "title": f"{heading} the backfill of {name_of(backfill)}",
        "content_title": heading,
        "backfill": backfill,
        "name": name_of(backfill),
        "object": backfill.tracker,
        **more,
    }
    return render(request, f"admin/trackers/backfill/{name}.html", context)
