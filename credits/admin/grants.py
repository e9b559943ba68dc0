"""Grants: read-only for everyone; vendor staff make new ones in two steps."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils import timezone
from unfold.decorators import display

from credits import shown
from credits.admin import acting, correcting, corrections, granting
from credits.admin.days import DaysFilter
from credits.admin.ledger import SettledAdmin
from credits.current_company import scope_of
from credits.grant_states import STATES, with_state
from credits.models import CreditGrant
from credits.roles import Act


class StateFilter(admin.SimpleListFilter):
    """Limits the list to grants in one state."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [(state, state) for state in STATES]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        return queryset.filter(state=self.value()) if self.value() in STATES else queryset


@admin.register(CreditGrant)
class CreditGrantAdmin(SettledAdmin):
    """A company's lots, newest first."""

    empty_words = "Grants appear here when credits are allocated, bought or given."
    # Ids are time-ordered, so this is the order they were made in.
    ordering = ("-pk",)
    sortable_by = ()
    list_display = (
        *("made", "state_label", "source", "credits", "remaining_credits", "held_credits"),
        *("usable_from", "usable_until"),
    )
    list_select_related = ("created_by",)
    list_filter = (
        StateFilter,
        "source",
        ("effective_at", DaysFilter),
        ("expires_at", DaysFilter),
    )
    fields = (
        *("state_label", "source", "credits", "remaining_credits", "held_credits"),
        *("voided_credits", "usable_from", "asked_from", "usable_until", "priority"),
        *("reference", "origin", "reason", "made", "made_by"),
    )
    readonly_fields = fields
    acts: ClassVar[dict[str, type[corrections.GrantAct]]] = {
        "cancel": corrections.Cancel,
        "void": corrections.Void,
    }

    def get_queryset(self, request: HttpRequest) -> QuerySet[CreditGrant]:
        return with_state(super().get_queryset(request), timezone.now())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).may(Act.GRANT_CREDITS)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return acting.view_of_company(self, granting.Grant, request, noun="a grant")

    def get_urls(self) -> list[URLPattern]:
        adjust = self.admin_site.admin_view(self.adjust_view)
        return [
            path("adjust/", adjust, name="credits_creditgrant_adjust"),
            *self.pages_of_row("pk", acting.pages_of_row(self.acts)),
            *super().get_urls(),
        ]

    def adjust_view(self, request: HttpRequest) -> HttpResponse:
        return acting.view_of_company(self, corrections.Adjust, request, noun="an adjustment")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        grant = kwargs.get("obj")
        may = scope_of(request).may(Act.CORRECT_CREDITS)
        is_live = grant is not None and grant.is_open
        context |= {
            "may_correct": may,
            "may_cancel": grant is not None and not grant.granted_at and not grant.cancelled_at,
            "may_void": is_live,
            "may_take": is_live and scope_of(request).company is not None,
            "corrections": [] if grant is None else correcting.corrections_shown(grant=grant),
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def name_of(self, row: CreditGrant) -> str:
        return f"{row.get_source_display()} grant"

    @display(description="made")
    def made(self, grant: CreditGrant) -> str:
        return shown.instant(grant.created_at, grant.company)

    @display(description="state")
    def state_label(self, grant: Any) -> str:
        return shown.status(grant.state)

    @display(description="credits")
    def credits(self, grant: CreditGrant) -> str:
        return shown.amount(grant.amount, metric="grant-amount")

    @display(description="left")
    def remaining_credits(self, grant: CreditGrant) -> str:
        return shown.left(grant, grant.company, metric="grant-remaining")

    @display(description="of it held")
    def held_credits(self, grant: CreditGrant) -> str:
        return shown.amount(grant.held, metric="grant-held")

    @display(description="voided")
    def voided_credits(self, grant: CreditGrant) -> str:
        return shown.amount(grant.voided, metric="grant-voided")

    @display(description="usable from")
    def usable_from(self, grant: CreditGrant) -> str:
        return shown.instant(grant.effective_at, grant.company)

    @display(description="asked for from")
    def asked_from(self, grant: CreditGrant) -> str:
        return shown.instant(grant.requested_effective_at, grant.company)

    @display(description="last day")
    def usable_until(self, grant: CreditGrant) -> str:
        return shown.last_day(grant.expires_at, grant.company)

    @display(description="made for")
    def origin(self, grant: CreditGrant) -> str:
        return shown.origin(grant)

    @display(description="made by")
    def made_by(self, grant: CreditGrant) -> str:
        return shown.NOTHING if grant.created_by is None else str(grant.created_by)
