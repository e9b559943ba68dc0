"""Contracts and seats: what was agreed, and the acts by which staff change it."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from unfold.decorators import display
from unfold.views import ChangeList

from billing import allocations, contracts, seats
from billing.admin import agreeing
from billing.models import Contract, SeatCount
from credits import shown
from credits.admin import acting
from credits.admin.scoped import ReadOnlyAdmin, ScopedRelatedFilter
from credits.current_company import scope_of
from credits.roles import Act


class ContractChangeList(ChangeList):
    """Adds ``seat_lines`` to each contract of the page, found in one query."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        now = timezone.now()
        found = seats.by_company(
            {row.company_id: allocations.local_day(row.company, now) for row in rows}
        )
        for row in rows:
            row.seat_lines = found[row.company_id]
        self.result_list = rows


@admin.register(Contract)
class ContractAdmin(ReadOnlyAdmin):
    """One contract a company."""

    view_act = Act.VIEW_BILLING
    ordering = ("company__name", "pk")
    sortable_by = ()
    list_display = ("shown_name", "first", "last", "period", "seats_today", "limit")
    fields = (*("first", "last", "period", "introductory", "limit", "purchase_months", "changed"),)
    readonly_fields = fields
    change_form_template = "admin/billing/contract_change_form.html"
    acts: ClassVar[dict[str, type[agreeing.ContractAct]]] = {
        "seats": agreeing.RecordSeats,
        "terms": agreeing.ChangeTerms,
        "top-up": agreeing.TopUp,
    }

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return ContractChangeList

    def get_urls(self) -> list[Any]:
        acts = acting.pages_of_row(self.acts)
        return [*self.pages_of_row("pk", acts), *super().get_urls()]

    def has_add_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).may(Act.EDIT_CONTRACTS)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        company = scope_of(request).company
        if company is not None and request.method != "POST" and self.has_add_permission(request):
            found = Contract.objects.filter(company=company).first()
            if found is not None:
                return redirect("admin:billing_contract_change", found.pk)
        return acting.view_of_company(self, agreeing.Agree, request, noun="a contract")

    def name_of(self, row: Contract) -> str:
        return f"Contract of {row.company}"

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        contract: Contract | None = context.get("original")
        if contract is not None:
            now = timezone.now()
            today = allocations.local_day(contract.company, now)
            owed = contracts.owed_now(contract, now)
            context |= {
                "seat_lines": seats.on(company=contract.company, day=today),
                "running": allocations.running(company=contract.company, now=now),
                "owed": owed,
                "shown_owed": shown.amount(owed, metric="owed"),
                "may_change": scope_of(request).may(Act.EDIT_CONTRACTS),
            }
        return super().render_change_form(request, context, *args, **kwargs)

    @display(description="contract")
    def shown_name(self, contract: Contract) -> str:
        return str(contract.company)

    @display(description="first day")
    def first(self, contract: Contract) -> str:
        return shown.day(contract.starts_on)

    @display(description="last day")
    def last(self, contract: Contract) -> str:
        return shown.day(contract.ends_on) if contract.ends_on else "no end"

    @display(description="seats today")
    def seats_today(self, contract: Any) -> str:
        parts = [f"{line.seats:,} {line.seat_type.name}" for line in contract.seat_lines]
        return ", ".join(parts) or shown.NOTHING

    @display(description="introductory credits")
    def introductory(self, contract: Contract) -> str:
        if contract.introductory_amount is None:
            return "none"
        figure = shown.amount(contract.introductory_amount, metric="introductory")
        days = shown.counted(contract.introductory_days, "day")
        if contract.introductory_grant is None:
            return shown.number("{} for {}", figure, days)
        given = shown.link(contract.introductory_grant, "given")
        return shown.number("{} for {}, {}", figure, days, given)

    @display(description="a second person approves above")
    def limit(self, contract: Contract) -> str:
        if contract.approval_limit is None:
            return "never"
        return shown.amount(contract.approval_limit, metric="approval-limit")

    @display(description="changed")
    def changed(self, contract: Contract) -> str:
        when = shown.instant(contract.changed_at, contract.company)
        by = contract.changed_by
        return shown.number("{} by {}", when, by.get_full_name()) if by else when


@admin.register(SeatCount)
class SeatCountAdmin(ReadOnlyAdmin):
    """How many seats, from when on, and who said so; the latest first."""

    view_act = Act.VIEW_BILLING
    ordering = ("-effective_on", "-recorded_at", "-id")
    sortable_by = ()
    list_display = ("seat_type", "count", "from_day", "recorded", "who", "note")
    list_select_related = ("seat_type", "recorded_by")
    list_filter = (("seat_type", ScopedRelatedFilter),)
    fields = list_display
    readonly_fields = fields

    def name_of(self, row: SeatCount) -> str:
        return f"{row.count:,} {row.seat_type} from {shown.day(row.effective_on)}"

    @display(description="from")
    def from_day(self, row: SeatCount) -> str:
        return shown.day(row.effective_on)

    @display(description="recorded")
    def recorded(self, row: SeatCount) -> str:
        return shown.instant(row.recorded_at, row.company)

    @display(description="by")
    def who(self, row: SeatCount) -> str:
        return row.recorded_by.get_full_name()
