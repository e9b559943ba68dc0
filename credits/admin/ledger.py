"""What the ledger states: entries, the lots they drew on, usage and holds; read-only for all."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.contrib.admin import ChoicesFieldListFilter
from django.db.models import Model, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from credits import expirations, shown
from credits.admin import entries, explaining, reports
from credits.admin.corrections import RefundingMixin
from credits.admin.days import DaysFilter
from credits.admin.exporting import ReportExportMixin, UsageExportForm
from credits.admin.scoped import ReadOnlyAdmin, StatedInline
from credits.current_company import scope_of
from credits.models import (
    Correction,
    Drawdown,
    EntryKind,
    Hold,
    LedgerEntry,
    Reservation,
    UsageEvent,
)
from credits.reports.balance import ACTIONS, CreditBalanceReport
from credits.reports.usage import CreditUsageReport, with_integration_name
from credits.roles import Act


class SettledAdmin(ReadOnlyAdmin):
    """A read-only page that first writes down what time has done (SPEC §2).

    Lists know no total: counting a ledger costs more than showing a page of it.
    """

    view_act = Act.VIEW_LEDGER
    paginator = InfinitePaginator
    list_filter_submit = True

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        if self.has_view_permission(request):
            settle(request)
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        if self.has_view_permission(request):
            settle(request)
        return super().changeform_view(request, object_id, form_url, extra_context)


class LotsInline(StatedInline):
    """The lots of one entry or reservation, stated beside it."""

    view_act = Act.VIEW_LEDGER
    fields = ("lot", "lot_credits")
    readonly_fields = fields
    verbose_name_plural = "drawn from"

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return super().get_queryset(request).select_related("grant")

    @display(description="grant")
    def lot(self, row: Any) -> str:
        return shown.link(row.grant, f"{row.grant.get_source_display()} {row.grant_id}")

    @display(description="credits")
    def lot_credits(self, row: Any) -> str:
        is_drawdown = isinstance(row, Drawdown)
        metric = "drawdown" if is_drawdown else "hold"
        return shown.amount(row.amount, metric=metric, is_signed=is_drawdown)


class DrawdownInline(LotsInline):
    model = Drawdown


class HoldInline(LotsInline):
    model = Hold
    verbose_name_plural = "held from"


@admin.register(LedgerEntry)
class LedgerEntryAdmin(entries.EntryPage, ReportExportMixin, SettledAdmin):
    """The balance's history, newest first; its export is the credit balance report."""

    empty_words = "Entries appear here when credits are granted, used or corrected."
    report_class = CreditBalanceReport
    ordering = ("company", "-sequence")
    sortable_by = ()
    list_display = ("place", "occurred", "action", "method", "credits", "before", "after", "about")
    list_select_related = ("grant", "usage_event", "correction__usage_event")
    list_filter = (
        ("occurred_at", DaysFilter),
        "kind",
        ("usage_event__feature_type", ChoicesFieldListFilter),
        ("usage_event__action", ChoicesFieldListFilter),
    )
    fields = (
        *("place", "permalink", "chain", "occurred", "recorded", "action", "method"),
        *("credits", "before", "after", "work", "cause_in_words", "reason", "corrections", "actor"),
        *("hash_in_hex", "previous_hash"),
    )
    readonly_fields = fields
    inlines = (DrawdownInline,)

    @display(description="entry")
    def place(self, entry: LedgerEntry) -> str:
        return f"#{entry.sequence}"

    @display(description="time")
    def occurred(self, entry: LedgerEntry) -> str:
        return shown.instant(entry.occurred_at, entry.company)

    @display(description="written")
    def recorded(self, entry: LedgerEntry) -> str:
        return shown.instant(entry.recorded_at, entry.company)

    @display(description="action")
    def action(self, entry: LedgerEntry) -> str:
        return ACTIONS[EntryKind(entry.kind)]

    @display(description="method")
    def method(self, entry: LedgerEntry) -> str:
        return shown.status(entry.get_kind_display())

    @display(description="credits")
    def credits(self, entry: LedgerEntry) -> str:
        return shown.amount(entry.amount, metric="entry-amount", is_signed=True)

    @display(description="before")
    def before(self, entry: LedgerEntry) -> str:
        return shown.amount(entry.balance_before, metric="balance-before")

    @display(description="after")
    def after(self, entry: LedgerEntry) -> str:
        return shown.amount(entry.balance_after, metric="balance-after")

    @display(description="for")
    def about(self, entry: LedgerEntry) -> str:
        event: UsageEvent | None = getattr(entry, "usage_event", None)
        if event is not None:
            return shown.link(event, f"{event.feature_name}, {event.get_action_display()}")
        if entry.grant is not None:
            return shown.link(entry.grant, f"{entry.grant.get_source_display()} grant")
        correction: Correction | None = getattr(entry, "correction", None)
        if correction is not None and (refunded := correction.usage_event) is not None:
            return shown.link(refunded, f"{refunded.feature_name}, refunded")
        return "What is spent next" if correction is not None else shown.NOTHING

    @display(description="reason")
    def reason(self, entry: LedgerEntry) -> str:
        correction: Correction | None = getattr(entry, "correction", None)
        return shown.NOTHING if correction is None else correction.reason


@admin.register(Drawdown)
class DrawdownAdmin(SettledAdmin):
    """Which grants each entry moved, newest first."""

    empty_words = "Rows appear here when credits are granted, used or corrected."
    ordering = ("-pk",)
    sortable_by = ()
    list_display = ("id", "entry_link", "occurred", "method", "grant_link", "credits")
    list_select_related = ("entry", "grant")
    list_filter = (
        ("entry__occurred_at", DaysFilter),
        ("entry__kind", ChoicesFieldListFilter),
        ("grant__source", ChoicesFieldListFilter),
    )
    fields = ("entry_link", "occurred", "method", "grant_link", "credits")
    readonly_fields = fields

    @display(description="entry")
    def entry_link(self, drawdown: Drawdown) -> str:
        return shown.entry_link(drawdown.company, drawdown.entry.sequence)

    @display(description="time")
    def occurred(self, drawdown: Drawdown) -> str:
        return shown.instant(drawdown.entry.occurred_at, drawdown.company)

    @display(description="method")
    def method(self, drawdown: Drawdown) -> str:
        return shown.status(drawdown.entry.get_kind_display())

    @display(description="grant")
    def grant_link(self, drawdown: Drawdown) -> str:
        return shown.link(drawdown.grant, f"{drawdown.grant.get_source_display()} grant")

    @display(description="credits")
    def credits(self, drawdown: Drawdown) -> str:
        return shown.amount(drawdown.amount, metric="drawdown", is_signed=True)


@admin.register(UsageEvent)
class UsageEventAdmin(RefundingMixin, ReportExportMixin, SettledAdmin):
    """Work that was done, newest first; its export is the credit usage report."""

    empty_words = "Uses appear here when trackers or programs do work that costs credits."
    ordering = ("company", "-occurred_at", "-after_sequence", "-pk")
    sortable_by = ()
    list_display = (
        *("occurred", "feature_type", "feature_name", "action", "integration"),
        *("call_count", "email_count", "credits", "entry_link"),
    )
    list_select_related = ("entry",)
    list_filter = (("occurred_at", DaysFilter), "feature_type", "action")
    search_fields = ("feature_name",)
    search_help_text = "Search by the feature's name"
    fields = (
        *("occurred", "feature_type", "feature_name", "feature_ref", "action", "integration"),
        *("user_ref", "team_ref", "api_key_ref", "request_id", "call_count", "email_count"),
        *("search_count", "request_count", "credits", "entry_link"),
    )
    readonly_fields = fields
    report_class = CreditUsageReport
    export_form_class = UsageExportForm

    def get_urls(self) -> list[URLPattern]:
        page = self.admin_site.admin_view(reports.CreditReportsView.as_view(site=self.admin_site))
        return [
            path("reports/", page, name="credits_reports"),
            *self.pages_of_row("pk", {"explanation": explaining.usage_page}),
            *super().get_urls(),
        ]

    def get_queryset(self, request: HttpRequest) -> QuerySet[UsageEvent]:
        return with_integration_name(super().get_queryset(request))

    def name_of(self, row: UsageEvent) -> str:
        return f"Usage by {row.feature_name}"

    @display(description="time")
    def occurred(self, event: UsageEvent) -> str:
        return shown.instant(event.occurred_at, event.company)

    @display(description="integration")
    def integration(self, event: Any) -> str:
        return event.integration_name or shown.NOTHING

    @display(description="calls")
    def call_count(self, event: UsageEvent) -> str:
        return shown.count(event.calls, metric="usage-calls")

    @display(description="e-mails")
    def email_count(self, event: UsageEvent) -> str:
        return shown.count(event.emails, metric="usage-emails")

    @display(description="web searches")
    def search_count(self, event: UsageEvent) -> str:
        return shown.count(event.web_searches, metric="usage-web-searches")

    @display(description="credits")
    def credits(self, event: UsageEvent) -> str:
        return shown.amount(event.amount, metric="usage-credits")

    @display(description="entry")
    def entry_link(self, event: UsageEvent) -> str:
        place = (
            "free" if event.entry is None else shown.entry_link(event.company, event.entry.sequence)
        )
        return format_html("{} · {}", place, explaining.usage_link(event))


@admin.register(Reservation)
class ReservationAdmin(SettledAdmin):
    """Credits held for work under way, and what became of them; newest first."""

    empty_words = "Credits appear here while work under way holds them."
    ordering = ("-pk",)
    sortable_by = ()
    list_display = (
        "opened",
        "state_label",
        "feature_name",
        "action",
        "credits",
        "charged",
        "until",
    )
    list_select_related = ("usage_event",)
    list_filter = (("opened_at", DaysFilter), "state", "feature_type", "action")
    fields = (
        *("opened", "state_label", "feature_type", "feature_name", "feature_ref", "action"),
        *("credits", "charged", "until", "closed", "usage"),
    )
    readonly_fields = fields
    inlines = (HoldInline,)

    def name_of(self, row: Reservation) -> str:
        return f"Reservation for {row.feature_name}"

    @display(description="opened")
    def opened(self, reservation: Reservation) -> str:
        return shown.instant(reservation.opened_at, reservation.company)

    @display(description="state")
    def state_label(self, reservation: Reservation) -> str:
        return shown.status(reservation.get_state_display())

    @display(description="held")
    def credits(self, reservation: Reservation) -> str:
        return shown.amount(reservation.amount, metric="reservation-amount")

    @display(description="charged")
    def charged(self, reservation: Reservation) -> str:
        return shown.amount(reservation.captured, metric="reservation-captured")

    @display(description="lapses")
    def until(self, reservation: Reservation) -> str:
        return shown.instant(reservation.lapses_at, reservation.company)

    @display(description="closed")
    def closed(self, reservation: Reservation) -> str:
        return shown.instant(reservation.closed_at, reservation.company)

    @display(description="usage")
    def usage(self, reservation: Reservation) -> str:
        event: Model | None = reservation.usage_event
        return shown.NOTHING if event is None else shown.link(event, "what was charged")


def settle(request: HttpRequest) -> None:
    """Write down what is due for the companies in scope."""
    company = scope_of(request).company
    if company is None:
        expirations.settle_due()
    else:
        expirations.settle(company=company)
