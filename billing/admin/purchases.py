"""Purchases: read-only rows; what a person decides about one are acts (SPEC §2)."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import path
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from billing.admin import deciding, selling
from billing.admin.purchase_states import asked_by, state_of
from billing.models import Purchase, PurchaseState
from billing.reports import PurchaseHistoryReport
from credits import shown
from credits.admin import acting
from credits.admin.days import DaysFilter
from credits.admin.exporting import ReportExportMixin
from credits.admin.scoped import ReadOnlyAdmin
from credits.current_company import scope_of
from credits.roles import Act

VOIDED = "voided"


class StateFilter(admin.SimpleListFilter):
    """Limits the list to purchases in one state; the first is what waits for a decision."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [
            (PurchaseState.REQUESTED, "To approve"),
            (PurchaseState.APPROVED, "To fulfil"),
            (PurchaseState.FULFILLED, "Fulfilled"),
            (VOIDED, "Voided"),
            (PurchaseState.CANCELLED, "Cancelled"),
        ]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        match self.value():
            case "voided":
                return queryset.filter(voided_at__isnull=False)
            case PurchaseState.FULFILLED:
                return queryset.filter(state=PurchaseState.FULFILLED, voided_at=None)
            case PurchaseState.REQUESTED | PurchaseState.APPROVED | PurchaseState.CANCELLED:
                return queryset.filter(state=self.value())
        return queryset


@admin.register(Purchase)
class PurchaseAdmin(ReportExportMixin, ReadOnlyAdmin):
    """What was asked for and bought, newest first; its export is the purchase history report."""

    empty_words = "Purchases appear here when a company requests credits or the vendor sells them."
    report_class = PurchaseHistoryReport
    view_act = Act.VIEW_BILLING
    ordering = ("-requested_at", "-id")
    sortable_by = ()
    list_display = (
        *("shown_number", "state_label", "credits", "first", "last", "order_reference"),
        *("asked", "left"),
    )
    list_select_related = ("requested_by", "requested_through", "grant")
    list_filter = (StateFilter, ("requested_at", DaysFilter))
    search_fields = ("order_reference", "note")
    change_form_template = "admin/billing/purchase_change_form.html"
    fields = (
        *("state_label", "credits", "first", "last", "order_reference", "note"),
        *("asked", "approval", "limit", "fulfilled", "cancellation", "voiding"),
        *("shown_grant", "left", "entries", "instead_of", "followed_by"),
    )
    readonly_fields = fields
    acts: ClassVar[dict[str, type[deciding.PurchaseAct]]] = {
        "approve": deciding.Approve,
        "fulfil": selling.Fulfil,
        "cancel": deciding.Cancel,
        "void": deciding.Void,
    }

    def get_urls(self) -> list[Any]:
        asked = self.admin_site.admin_view(self.request_view)
        return [
            path("request/", asked, name="billing_purchase_request"),
            *self.pages_of_row("pk", acting.pages_of_row(self.acts)),
            *super().get_urls(),
        ]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).may(Act.SELL_CREDITS)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return acting.view_of_company(self, selling.Record, request, noun="a purchase")

    def request_view(self, request: HttpRequest) -> HttpResponse:
        company = scope_of(request).company
        return acting.view(self, deciding.Request(request=request, company=company))

    def name_of(self, row: Purchase) -> str:
        return f"Purchase #{row.number}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        if (purchase := context.get("original")) is not None:
            scope = scope_of(request)
            context["acts"] = [
                # A class is called by templates, so they get its words.
                {
                    "name": f"admin:billing_purchase_{name}",
                    "heading": act.heading,
                    "is_main": not act.is_danger,
                }
                for name, act in self.acts.items()
                if scope.may(act.needs) and act.is_open(purchase)
            ]
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="purchase")
    def shown_number(self, purchase: Purchase) -> str:
        return f"#{purchase.number}"

    @display(description="state")
    def state_label(self, purchase: Purchase) -> SafeString:
        return state_of(purchase)

    @display(description="credits")
    def credits(self, purchase: Purchase) -> str:
        figure = shown.amount(purchase.amount, metric="purchase-amount")
        return format_html("<s>{}</s>", figure) if purchase.voided_at else figure

    @display(description="available from")
    def first(self, purchase: Purchase) -> str:
        return shown.NOTHING if purchase.starts_on is None else shown.day(purchase.starts_on)

    @display(description="last day")
    def last(self, purchase: Purchase) -> str:
        return shown.NOTHING if purchase.ends_on is None else shown.day(purchase.ends_on)

    @display(description="remaining")
    def left(self, purchase: Purchase) -> str:
        if purchase.grant is None:
            return shown.NOTHING
        return shown.left(purchase.grant, purchase.company, metric="purchase-remaining")

    @display(description="requested")
    def asked(self, purchase: Purchase) -> str:
        when = shown.instant(purchase.requested_at, purchase.company)
        return format_html("{} by {}", when, asked_by(purchase))

    @display(description="approved")
    def approval(self, purchase: Purchase) -> str:
        return _step(purchase, "approved")

    @display(description="a second person above")
    def limit(self, purchase: Purchase) -> str:
        return shown.amount(purchase.approval_limit, metric="approval-limit")

    @display(description="fulfilled")
    def fulfilled(self, purchase: Purchase) -> str:
        return _step(purchase, "fulfilled")

    @display(description="cancelled")
    def cancellation(self, purchase: Purchase) -> str:
        return _step(purchase, "cancelled", purchase.cancel_reason)

    @display(description="reversed")
    def voiding(self, purchase: Purchase) -> str:
        return _step(purchase, "voided", purchase.void_reason)

    @display(description="grant")
    def shown_grant(self, purchase: Purchase) -> str:
        if purchase.grant is None:
            return shown.NOTHING
        return shown.link(purchase.grant, "Purchase grant")

    @display(description="ledger entries")
    def entries(self, purchase: Purchase) -> str:
        return deciding.entry_links(purchase) or shown.NOTHING

    @display(description="in place of")
    def instead_of(self, purchase: Purchase) -> str:
        return _other(purchase.replaces)

    @display(description="replaced by")
    def followed_by(self, purchase: Purchase) -> str:
        return _other(getattr(purchase, "replaced_by", None))


def _step(purchase: Purchase, step: str, reason: str = "") -> str:
    at = getattr(purchase, f"{step}_at")
    if at is None:
        return shown.NOTHING
    by = getattr(purchase, f"{step}_by").get_full_name()
    when = shown.instant(at, purchase.company)
    if reason:
        return format_html("{} by {}: {}", when, by, reason)
    return format_html("{} by {}", when, by)


def _other(purchase: Purchase | None) -> str:
    if purchase is None:
        return shown.NOTHING
    return shown.link(purchase, f"Purchase #{purchase.number}")
