"""Limits: how each stands, read by admins; tech admins set, change and end them in two steps."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from credits import limit_windows, limits, shown
from credits.admin import acting, limiting
from credits.admin.scoped import ReadOnlyAdmin
from credits.current_company import scope_of
from credits.limits import Standing
from credits.models import ApiKey, Company, Integration, LimitWindow, SpendingLimit
from credits.roles import Act


class InForceFilter(admin.SimpleListFilter):
    """Limits the list to limits in force, or to ended ones."""

    title = "state"
    parameter_name = "state"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        return [("in-force", "In force"), ("ended", "Ended")]

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        if self.value() not in ("in-force", "ended"):
            return queryset
        return queryset.filter(ended_at__isnull=self.value() == "in-force")


@admin.register(SpendingLimit)
class SpendingLimitAdmin(ReadOnlyAdmin):
    """A company's limits, newest first, with what counts against each now."""

    empty_words = "A limit stops what would use more than so many credits in a day or month."
    view_act = Act.VIEW_LIMITS
    ordering = ("-pk",)
    sortable_by = ()
    list_display = (*("about", "kind", "allows", "used", "left", "anew", "state_label"),)
    list_filter = (InForceFilter, "subject", "window")
    search_fields = ("name",)
    fields = (
        *("about", "kind", "allows", "manner", "used", "left", "anew", "state_label"),
        *("made", "ended"),
    )
    readonly_fields = fields
    list_select_related = ("created_by", "ended_by")
    change_form_template = "admin/credits/limit.html"
    acts: ClassVar[dict[str, type[acting.Act]]] = {
        "set": limiting.ChangeLimit,
        "end": limiting.EndLimit,
    }

    def get_urls(self) -> list[Any]:
        pages = acting.pages_of_row(self.acts)
        return [*self.pages_of_row("pk", pages), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[SpendingLimit]:
        return limit_windows.with_use(super().get_queryset(request), timezone.now())

    def has_add_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).company is not None and scope_of(request).may(Act.SET_LIMITS)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return acting.view_of_company(self, limiting.SetLimit, request, noun="a limit")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        self._prepare(request)
        return super().changelist_view(request, extra_context)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: Any = None,
    ) -> HttpResponse:
        self._prepare(request)
        return super().changeform_view(request, object_id, form_url, extra_context)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        limit = context["original"]
        may = scope_of(request).may(Act.SET_LIMITS, company_id=limit.company_id)
        context |= {"limit": limit, "may_act": may and limit.ended_at is None}
        return super().render_change_form(request, context, *args, **kwargs)

    def name_of(self, row: SpendingLimit) -> str:
        return f"Limit of {row.name}"

    def _prepare(self, request: HttpRequest) -> None:
        """Settle what is due, and lay out windows that are missing."""
        company = scope_of(request).company
        if company is not None and self.has_view_permission(request):
            limits.standing(company=company)

    @display(description="limit of")
    def about(self, limit: SpendingLimit) -> str:
        return limit.name

    @display(description="kind")
    def kind(self, limit: SpendingLimit) -> str:
        return str(limit.get_subject_display())

    @display(description="allows")
    def allows(self, limit: SpendingLimit) -> SafeString:
        return allowed(limit)

    @display(description="when it is reached")
    def manner(self, limit: SpendingLimit) -> str:
        return "It refuses." if limit.is_hard else "It only tells."

    @display(description="used")
    def used(self, limit: Any) -> str:
        if limit.ended_at is not None or limit.now_used is None:
            return shown.NOTHING
        return meter(standing_of(limit))

    @display(description="left")
    def left(self, limit: Any) -> str:
        if limit.ended_at is not None or limit.now_used is None:
            return shown.NOTHING
        return shown.amount(standing_of(limit).left, metric="limit-left")

    @display(description="begins anew")
    def anew(self, limit: Any) -> str:
        if limit.ended_at is not None:
            return shown.NOTHING
        return shown.instant(limit.now_ends_at, limit.company)

    @display(description="state")
    def state_label(self, limit: Any) -> SafeString:
        return state(
            limit, is_reached=limit.now_used is not None and limit.now_used >= limit.credits
        )

    @display(description="set")
    def made(self, limit: SpendingLimit) -> str:
        return _when_and_who(limit.created_at, limit.created_by, limit.company)

    @display(description="ended")
    def ended(self, limit: SpendingLimit) -> str:
        return _when_and_who(limit.ended_at, limit.ended_by, limit.company)


def of_key(key: ApiKey) -> list[dict[str, Any]]:
    """Return the limits that a key's use counts against by name, for the key's page."""
    mine = Q(api_key_refs__contains=[key.pk])
    if key.integration_id is not None:
        mine |= Q(integration=key.integration_id)
    return _panel(key.company, mine)


def of_integration(integration: Integration) -> list[dict[str, Any]]:
    """Return the limits of an integration and of its keys, for the integration's page."""
    mine = Q(integration=integration.pk)
    for key in integration.api_keys.values_list("pk", flat=True):
        mine |= Q(api_key_refs__contains=[key])
    return _panel(integration.company, mine)


def _panel(company: Company, mine: Q) -> list[dict[str, Any]]:
    rows = limits.in_force(company=company).filter(mine)
    return [
        {
            "limit": one.limit,
            "allows": allowed(one.limit),
            "used": meter(one),
            "left": shown.amount(one.left, metric="limit-left"),
            "anew": shown.instant(one.ends_at, company),
            "state": state(one.limit, is_reached=one.is_reached),
        }
        for one in limits.standing(company=company, limits=rows)
    ]


def standing_of(limit: Any) -> Standing:
    """Return how a limit stands whose window was read with it."""
    return Standing(limit, limit.now_used, limit.now_starts_at, limit.now_ends_at)


def allowed(limit: SpendingLimit) -> SafeString:
    span = "a day" if limit.window == LimitWindow.DAY else "a month"
    return shown.number("{} {}", shown.amount(limit.credits, metric="limit-credits"), span)


def meter(one: Standing) -> SafeString:
    """Show how much of a limit is used, as a figure and a bar."""
    share = 100 if one.is_reached else int(100 * one.used / one.limit.credits)
    return format_html(
        '{} <progress class="credits-progress credits-meter" max="100" value="{}"'
        ' aria-label="Used of the limit of {}">{} %</progress>',
        shown.amount(one.used, metric="limit-used"),
        share,
        one.limit.name,
        share,
    )


def state(limit: SpendingLimit, *, is_reached: bool) -> SafeString:
    if limit.ended_at is not None:
        return shown.status("Ended")
    if is_reached:
        return shown.status("Reached", tone=shown.CRITICAL if limit.is_hard else shown.WARNING)
    return shown.status("In force", tone=shown.GOOD)


def _when_and_who(instant: Any, person: Any, company: Company) -> str:
    if instant is None:
        return shown.NOTHING
    when = shown.instant_in_words(instant, company)
    return when if person is None else f"{when} by {person.get_full_name()}"
