"""API keys: a tech admin makes, replaces and revokes them. A secret is shown once, here."""

from __future__ import annotations

from datetime import timedelta
from typing import Any
from uuid import UUID

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credits import api_keys, limits, shown
from credits.admin.acting import amount_field
from credits.admin.limits import of_key as limits_of_key
from credits.admin.scoped import CompanyScopedAdmin
from credits.api_keys import KeyLimit, NewKey
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.identifiers import new_id
from credits.models import ApiKey, Company, Integration, LimitWindow, Scope, User
from credits.roles import Act

# What makes no key says why on the form.
REFUSALS = (
    api_keys.NotANetwork,
    api_keys.TooManyNetworks,
    api_keys.TooManyKeys,
    api_keys.AlreadyMade,
    limits.TooManyLimits,
    CompanyClosed,
)
OVERLAP_HOURS_DEFAULT = api_keys.OVERLAP_DEFAULT // timedelta(hours=1)
OVERLAP_HOURS_MAX = api_keys.OVERLAP_MAX // timedelta(hours=1)
# An address that a key with the scope may read, for the line to try it with.
TRIED_BY = {
    Scope.BALANCE_READ: "/api/v1/balance",
    Scope.GRANTS_READ: "/api/v1/grants",
    Scope.LEDGER_READ: "/api/v1/ledger",
    Scope.USAGE_READ: "/api/v1/usage",
    Scope.PURCHASES_READ: "/api/v1/purchases",
    Scope.RATES_READ: "/api/v1/rate-card",
}


class KeyForm(forms.Form):
    """What a key may do, until when, and from where; ``id`` makes a second submit known."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    name = forms.CharField(
        max_length=200,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="What uses the key, such as “Nightly export”.",
    )
    scopes = forms.MultipleChoiceField(
        choices=[(scope, f"{scope.label} ({scope})") for scope in Scope],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
        label="It may",
        help_text="Nothing else, and never approve or fulfil a purchase.",
    )
    life_days = forms.IntegerField(
        label="Works for, in days",
        required=False,
        min_value=1,
        max_value=api_keys.LIFE_DAYS_MAX,
        initial=365,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: until it is revoked.",
    )
    networks = forms.CharField(
        required=False,
        max_length=2000,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        help_text="Addresses it may call from, one a line, such as 203.0.113.7 or "
        "203.0.113.0/24. Empty: from everywhere.",
    )
    integration = forms.ModelChoiceField(
        queryset=Integration.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="Its name stands in the usage report.",
    )

    limit = amount_field(
        "May use at most, in credits",
        required=False,
        may_be_zero=True,
        help_text="Of what costs credits, such as 500 or 12.5. Empty: without a limit of its own. "
        "The page “Limits” changes it later.",
    )
    limit_window = forms.ChoiceField(
        label="In",
        choices=[(LimitWindow.DAY, "each day"), (LimitWindow.MONTH, "each month")],
        initial=LimitWindow.MONTH,
        required=False,
        widget=UnfoldAdminSelectWidget,
        help_text="For the number above.",
    )

    def __init__(self, data: Any = None, *, company: Company) -> None:
        super().__init__(data, initial={"id": new_id()})
        mine = Integration.objects.filter(company=company).order_by("name")
        field = self.fields["integration"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = mine
        if not mine.exists():
            del self.fields["integration"]

    @property
    def key_limit(self) -> KeyLimit | None:
        allowed = self.cleaned_data["limit"]
        window = self.cleaned_data["limit_window"] or LimitWindow.MONTH
        return None if allowed is None else KeyLimit(allowed, window)

    @property
    def network_lines(self) -> list[str]:
        return self.cleaned_data["networks"].split()


class RotationForm(forms.Form):
    """How long the old key goes on working beside the new one."""

    overlap_hours = forms.IntegerField(
        label="The old key works on for, in hours",
        min_value=0,
        max_value=OVERLAP_HOURS_MAX,
        initial=OVERLAP_HOURS_DEFAULT,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Time to put the new key in its place. 0 ends the old one now.",
    )


@admin.register(ApiKey)
class ApiKeyAdmin(CompanyScopedAdmin):
    """A company's keys, newest first. What a key may do never changes: a new one is made."""

    empty_words = "Make one for each program that is to ask by the API."
    view_act = Act.MANAGE_KEYS
    change_act = Act.MANAGE_KEYS
    ordering = ("-pk",)
    sortable_by = ()
    list_display = ("name", "start", "state_label", "may", "used", "until", "integration")
    list_select_related = ("integration", "replaced_by")
    search_fields = ("name", "prefix")
    fields = (
        *("name", "start", "state_label", "may", "from_where", "used", "until"),
        *("integration", "made", "ended"),
    )
    readonly_fields = fields
    change_form_template = "admin/credits/api_key.html"

    def get_urls(self) -> list[Any]:
        pages = {"rotate": rotate, "revoke": revoke}
        return [*self.pages_of_row("key_id", pages), *super().get_urls()]

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return add(self, request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        key = context["original"]
        # Django's log of changes is always empty where nobody changes anything.
        context |= {
            "key": key,
            "works": api_keys.is_usable(key, now=timezone.now()),
            "has_successor": _successor(key) is not None,
            "limits": limits_of_key(key),
            "show_history": False,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def name_of(self, row: ApiKey) -> str:
        return row.name

    @display(description="starts with")
    def start(self, key: ApiKey) -> str:
        return format_html('<span class="credits-code-short">tsk_{}_…</span>', key.prefix)

    @display(description="state")
    def state_label(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return shown.status("Revoked")
        if not api_keys.is_usable(key, now=timezone.now()):
            return shown.status("Expired")
        if _successor(key) is not None:
            return shown.status("Being replaced", tone=shown.INFO)
        return shown.status("Active")

    @display(description="may")
    def may(self, key: ApiKey) -> str:
        # In one element: Unfold's list on a phone lays out each child of a cell as a column.
        scopes = format_html_join(", ", "{}", ((shown.code(scope),) for scope in key.scopes))
        return format_html('<span class="credits-codes">{}</span>', scopes)

    @display(description="from")
    def from_where(self, key: ApiKey) -> str:
        return ", ".join(key.networks) or "everywhere"

    @display(description="last used")
    def used(self, key: ApiKey) -> str:
        return shown.instant(key.last_used_at, key.company)

    @display(description="works until")
    def until(self, key: ApiKey) -> str:
        if key.revoked_at is not None:
            return shown.NOTHING
        if key.expires_at is None:
            return "no end"
        return shown.instant(key.expires_at, key.company)

    @display(description="made")
    def made(self, key: ApiKey) -> str:
        return _when_and_who(key.created_at, key.created_by, key.company)

    @display(description="revoked")
    def ended(self, key: ApiKey) -> str:
        return _when_and_who(key.revoked_at, key.revoked_by, key.company)


def add(page: ApiKeyAdmin, request: HttpRequest) -> HttpResponse:
    """Ask what the key may do, make it, and show its secret once."""
    if not page.has_add_permission(request):
        raise scope_of(request).refusal(Act.MANAGE_KEYS)
    company = scope_of(request).company
    assert company is not None  # has_add_permission
    form = KeyForm(request.POST if request.method == "POST" else None, company=company)
    if form.is_valid():
        values, now = form.cleaned_data, timezone.now()
        life = values["life_days"]
        try:
            made = api_keys.create(
                company=company,
                name=values["name"],
                scopes=values["scopes"],
                by=_person(request),
                now=now,
                integration=values.get("integration"),
                expires_at=now + timedelta(days=life) if life else None,
                networks=form.network_lines,
                key_id=values["id"],
                limit=form.key_limit,
            )
        except (api_keys.NotANetwork, api_keys.TooManyNetworks) as refusal:
            form.add_error("networks", str(refusal))
        except REFUSALS as refusal:
            form.add_error(None, str(refusal))
        else:
            return _secret_page(page, request, made)
    context = {"title": "Make an API key", "form": form, "button": "Make the key"}
    return _render(page, request, "admin/credits/api_key_form.html", context)


def rotate(page: ApiKeyAdmin, request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Ask how long both work, make the successor, and show its secret once."""
    key = _found(page, request, key_id)
    form = RotationForm(request.POST if request.method == "POST" else None)
    if form.is_valid():
        overlap = timedelta(hours=form.cleaned_data["overlap_hours"])
        try:
            made = api_keys.rotate(
                key=key, by=_person(request), now=timezone.now(), overlap=overlap
            )
        except (api_keys.AlreadyReplaced, api_keys.KeyNotUsable, *REFUSALS) as refusal:
            form.add_error(None, str(refusal))
        else:
            return _secret_page(page, request, made)
    context = {
        "title": f"Replace {key.name}",
        "form": form,
        "button": "Make the new key",
        "note": "The new key may do the same, from the same networks, for as long as the old one "
        "was made for.",
    }
    return _render(page, request, "admin/credits/api_key_form.html", context)


def revoke(page: ApiKeyAdmin, request: HttpRequest, key_id: UUID) -> HttpResponse:
    """Say when the key was last used, then end it."""
    key = _found(page, request, key_id)
    if request.method == "POST":
        try:
            api_keys.revoke(key=key, by=_person(request), now=timezone.now())
        except api_keys.AlreadyRevoked as refusal:
            messages.warning(request, str(refusal))
        else:
            messages.success(request, f"{key.name} is revoked. Requests with it are refused.")
        return redirect("admin:credits_apikey_change", key.pk)
    context = {
        "title": f"Revoke {key.name}?",
        "key": key,
        "start": page.start(key),
        "used": page.used(key),
        "may": page.may(key),
    }
    return _render(page, request, "admin/credits/api_key_revoke.html", context)


def _secret_page(page: ApiKeyAdmin, request: HttpRequest, made: NewKey) -> HttpResponse:
    """Show the key's text. Answered to the form itself, so that it is stored nowhere on its way."""
    tried = next((TRIED_BY[Scope(one)] for one in made.key.scopes if one in TRIED_BY), None)
    line = ""
    if tried is not None:
        address = request.build_absolute_uri(tried)
        line = f"curl -H 'Authorization: Bearer {made.text}' {address}"
    context = {
        "title": f"{made.key.name}: copy the key now",
        "key": made.key,
        "text": made.text,
        "line": line,
        "docs": reverse("api_docs"),
        "until": page.until(made.key),
    }
    return _render(page, request, "admin/credits/api_key_secret.html", context)


def _found(page: ApiKeyAdmin, request: HttpRequest, key_id: UUID) -> ApiKey:
    if not page.has_view_permission(request):
        raise PermissionDenied
    rows = page.get_queryset(request).select_related("company", "integration")
    key: ApiKey = get_object_or_404(rows, pk=key_id)
    return key


def _successor(key: ApiKey) -> ApiKey | None:
    return getattr(key, "replaced_by", None)


def _person(request: HttpRequest) -> User:
    assert isinstance(request.user, User)  # Nobody else comes past the permission.
    return request.user


def _when_and_who(instant: Any, person: User | None, company: Company) -> str:
    if instant is None:
        return shown.NOTHING
    who = "the system" if person is None else person.get_full_name()
    return f"{shown.instant_in_words(instant, company)} by {who}"


def _render(
    page: ApiKeyAdmin, request: HttpRequest, template: str, context: dict[str, Any]
) -> HttpResponse:
    site = page.admin_site
    request.current_app = site.name
    return TemplateResponse(request, template, site.each_context(request) | context)
