"""Allocations: what each period brought and how it was computed; read-only for all."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.html import format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.models import Allocation, AllocationLine, AllocationState, TopUp
from credits import shown
from credits.admin.scoped import ReadOnlyAdmin, StatedInline
from credits.roles import Act

TONES = {
    AllocationState.ISSUED: shown.GOOD,
    AllocationState.CANCELLED: shown.QUIET,
    AllocationState.MISSED: shown.WARNING,
}


class LineInline(StatedInline):
    view_act = Act.VIEW_BILLING
    hide_title = True
    model = AllocationLine
    fields = ("seat_name", "seats", "each", "together")
    readonly_fields = fields
    verbose_name_plural = "how it was computed"

    @display(description="credits a seat")
    def each(self, line: AllocationLine) -> str:
        return shown.amount(line.credits, metric="seat-credits")

    @display(description="credits together")
    def together(self, line: AllocationLine) -> str:
        return shown.amount(line.amount, metric="line-amount")


class TopUpInline(StatedInline):
    view_act = Act.VIEW_BILLING
    hide_title = True
    model = TopUp
    fields = ("given", "made", "by", "reason", "grant_link")
    readonly_fields = fields
    verbose_name_plural = "topped up for seats recorded late"

    @display(description="credits")
    def given(self, top_up: TopUp) -> str:
        return shown.amount(top_up.amount, metric="top-up-amount")

    @display(description="when")
    def made(self, top_up: TopUp) -> str:
        return shown.instant(top_up.made_at, top_up.company)

    @display(description="by")
    def by(self, top_up: TopUp) -> str:
        return top_up.made_by.get_full_name()

    @display(description="grant")
    def grant_link(self, top_up: TopUp) -> SafeString:
        return shown.link(top_up.grant, "Adjustment grant")


@admin.register(Allocation)
class AllocationAdmin(ReadOnlyAdmin):
    """A company's periods, the latest first."""

    view_act = Act.VIEW_BILLING
    ordering = ("company", "-period_number", "-id")
    sortable_by = ()
    list_display = ("period", "state_label", "first", "last", "credits", "computed", "written")
    list_select_related = ("grant",)
    list_filter = ("state",)
    fields = (
        *("period", "state_label", "credits", "first", "last", "starts", "ends", "time_zone"),
        *("written", "cancelled", "grant_link"),
    )
    readonly_fields = fields

    def get_inlines(self, request: HttpRequest, obj: Any) -> Any:
        return (LineInline, TopUpInline) if obj and obj.top_ups.exists() else (LineInline,)

    def get_queryset(self, request: HttpRequest) -> Any:
        return super().get_queryset(request).prefetch_related("lines")

    def name_of(self, row: Allocation) -> str:
        return f"Period {row.period_number}"

    @display(description="period")
    def period(self, allocation: Allocation) -> str:
        return f"{allocation.period_number}"

    @display(description="state")
    def state_label(self, allocation: Allocation) -> SafeString:
        state = AllocationState(allocation.state)
        return shown.status(state.label, tone=TONES[state])

    @display(description="credits")
    def credits(self, allocation: Allocation) -> str:
        return shown.amount(allocation.amount, metric="allocation-amount")

    @display(description="computed from")
    def computed(self, allocation: Allocation) -> str:
        parts = [
            (f"{line.seats:,} {line.seat_name}", shown.amount(line.credits, metric="seat-credits"))
            for line in allocation.lines.all()
        ]
        return format_html_join(" + ", "{} × {}", parts) or "no seats"

    @display(description="first day")
    def first(self, allocation: Allocation) -> str:
        return shown.day(allocation.starts_on)

    @display(description="last day")
    def last(self, allocation: Allocation) -> str:
        return shown.day(allocation.ends_on)

    @display(description="starts")
    def starts(self, allocation: Allocation) -> str:
        return shown.instant(allocation.starts_at, allocation.company)

    @display(description="ends")
    def ends(self, allocation: Allocation) -> str:
        return shown.instant(allocation.ends_at, allocation.company)

    @display(description="written")
    def written(self, allocation: Allocation) -> str:
        return shown.instant(allocation.written_at, allocation.company)

    @display(description="cancelled")
    def cancelled(self, allocation: Allocation) -> str:
        return shown.instant(allocation.cancelled_at, allocation.company)

    @display(description="grant")
    def grant_link(self, allocation: Allocation) -> str:
        if allocation.grant is None:
            return shown.NOTHING
        return shown.link(allocation.grant, "Seat allocation grant")
