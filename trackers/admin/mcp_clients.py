"""AI clients: a tech admin connects one, copies its snippet once, and tries it (UX H1)."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar
from uuid import UUID

from django import forms
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.db.models import Count, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.views.decorators.debug import sensitive_post_parameters, sensitive_variables
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminCheckboxSelectMultipleWidget,
    UnfoldAdminIntegerFieldWidget,
    UnfoldAdminRadioSelectWidget,
    UnfoldAdminSelectWidget,
    UnfoldAdminTextInputWidget,
)

from credits import api_keys, integrations, limits, origins, shown
from credits.admin.acting import amount_field
from credits.admin.limits import of_integration as limits_of_integration
from credits.admin.scoped import CompanyScopedAdmin
from credits.api_keys import KeyLimit
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.identifiers import new_id
from credits.models import (
    ApiKey,
    Company,
    Integration,
    IntegrationContext,
    LimitWindow,
    Scope,
    User,
)
from credits.roles import Act
from trackers.mcp import connecting, contexts, snippets
from trackers.mcp.authentication import SCOPES

LIFE_DAYS_DEFAULT = 365
KEY_LENGTH_MAX = 100
REFUSALS = (api_keys.AlreadyMade, api_keys.TooManyKeys, limits.TooManyLimits, CompanyClosed)
NAME_REFUSALS = (integrations.NameMissing, integrations.NameTaken)
PERSON_REFUSALS = (integrations.PersonMissing, integrations.NotAMember)


class PersonField(forms.ModelChoiceField[User]):
    """A choice of one of the company's people, by name."""

    def label_from_instance(self, obj: User) -> str:
        return obj.get_full_name() or obj.email


class ConnectForm(forms.Form):
    """Which client, what it may read and do; ``id`` makes a second submit known."""

    id = forms.UUIDField(widget=forms.HiddenInput)
    client = forms.ChoiceField(
        choices=snippets.Client.choices,
        widget=UnfoldAdminSelectWidget,
        help_text="The next page has its snippet, and those of all others.",
    )
    name = forms.CharField(
        max_length=integrations.NAME_LENGTH_MAX,
        widget=UnfoldAdminTextInputWidget(attrs={"autocomplete": "off"}),
        help_text="Stands in the usage report, such as “Sales assistant”.",
    )
    context = forms.ChoiceField(
        label="It reads",
        choices=IntegrationContext.choices,
        initial=IntegrationContext.SHARED,
        widget=UnfoldAdminRadioSelectWidget,
        help_text="Fixed from now on.",
    )
    person = PersonField(
        queryset=User.objects.none(),
        required=False,
        widget=UnfoldAdminSelectWidget,
        label="Person",
        help_text="For a personal client: whose calls and e-mails, and their team's.",
    )
    scopes = forms.MultipleChoiceField(
        label="It may",
        choices=[(scope.value, scope.label) for scope in SCOPES],
        initial=[scope.value for scope in SCOPES],
        widget=UnfoldAdminCheckboxSelectMultipleWidget,
    )
    life_days = forms.IntegerField(
        label="Its key works for, in days",
        required=False,
        min_value=1,
        max_value=api_keys.LIFE_DAYS_MAX,
        initial=LIFE_DAYS_DEFAULT,
        widget=UnfoldAdminIntegerFieldWidget,
        help_text="Empty: until it is revoked.",
    )

    limit = amount_field(
        "May use at most, in credits",
        required=False,
        may_be_zero=True,
        help_text="All its keys together, such as 500 or 12.5. Empty: without a limit of its own. "
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
        field = self.fields["person"]
        assert isinstance(field, forms.ModelChoiceField)
        field.queryset = integrations.people(company).order_by("name", "email")

    @property
    def client_limit(self) -> KeyLimit | None:
        allowed = self.cleaned_data["limit"]
        window = self.cleaned_data["limit_window"] or LimitWindow.MONTH
        return None if allowed is None else KeyLimit(allowed, window)


class TryForm(forms.Form):
    """The key as its page still has it: it is kept nowhere else."""

    text = forms.CharField(max_length=KEY_LENGTH_MAX)
    client = forms.ChoiceField(choices=snippets.Client.choices)


@admin.register(Integration)
class IntegrationAdmin(CompanyScopedAdmin):
    """A company's clients, newest first. What a client may read never changes."""

    empty_words = "Connect an AI client, and it is listed here with what it may read."
    view_act = Act.MANAGE_KEYS
    change_act = Act.MANAGE_KEYS
    ordering = ("-pk",)
    sortable_by = ()
    list_display = ("name", "kind", "reads", "working_keys")
    list_select_related = ("person",)
    search_fields = ("name",)
    fields = ("name", "kind", "reads", "working_keys", "made")
    readonly_fields = fields
    change_form_template = "admin/trackers/mcp_client.html"
    add_form_title: ClassVar[str] = "Connect an AI client"

    def get_urls(self) -> list[Any]:
        return [*self.pages_of_row("integration_id", {"try": try_key}), *super().get_urls()]

    def get_queryset(self, request: HttpRequest) -> QuerySet[Integration]:
        works = Q(api_keys__revoked_at=None) & (
            Q(api_keys__expires_at=None) | Q(api_keys__expires_at__gt=timezone.now())
        )
        rows: QuerySet[Integration] = super().get_queryset(request)
        return rows.annotate(key_count=Count("api_keys", filter=works))

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return connect(self, request)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        # Django's log of changes is always empty where nobody changes anything.
        row = context["original"]
        context |= {
            "limits": limits_of_integration(row),
            "blind": blind_person(row),
            "show_history": False,
        }
        return super().render_change_form(request, context, *args, **kwargs)

    def name_of(self, row: Integration) -> str:
        return row.name

    @display(description="reads")
    def reads(self, row: Integration) -> str:
        if row.person is None:
            return "all conversations"
        return f"conversations of {row.person.get_full_name()} and their team"

    @display(description="keys that work")
    def working_keys(self, row: Integration) -> str:
        count: int = row.key_count  # type: ignore[attr-defined]
        return shown.list_link(ApiKey, str(count), q=row.name) if count else "0"

    @display(description="made")
    def made(self, row: Integration) -> str:
        return shown.instant(row.created_at, row.company)


def blind_person(row: Integration) -> str:
    """Return the name of whom a client reads the conversations of, if there are none."""
    person = row.person
    if person is None or not contexts.reads_nothing(company=row.company, person=person):
        return ""
    return person.get_full_name() or person.email


def connect(page: IntegrationAdmin, request: HttpRequest) -> HttpResponse:
    """Ask what the client may read and do, make its key, and show the snippet once."""
    if not page.has_add_permission(request):
        raise scope_of(request).refusal(Act.MANAGE_KEYS)
    company = scope_of(request).company
    assert company is not None  # has_add_permission
    assert isinstance(request.user, User)
    form = ConnectForm(request.POST if request.method == "POST" else None, company=company)
    if form.is_valid():
        values, now = form.cleaned_data, timezone.now()
        life = values["life_days"]
        try:
            connection = connecting.connect(
                company=company,
                name=values["name"],
                context=IntegrationContext(values["context"]),
                person=values["person"],
                scopes=[Scope(scope) for scope in values["scopes"]],
                by=request.user,
                now=now,
                expires_at=now + timedelta(days=life) if life else None,
                key_id=values["id"],
                limit=form.client_limit,
            )
        except NAME_REFUSALS as refusal:
            form.add_error("name", str(refusal))
        except limits.LimitRefused as refusal:
            form.add_error("limit", str(refusal))
        except PERSON_REFUSALS as refusal:
            form.add_error("person", str(refusal))
        except REFUSALS as refusal:
            form.add_error(None, str(refusal))
        else:
            return _snippets_page(
                page, request, connection.integration, connection.made.text, values["client"]
            )
    context = {"title": page.add_form_title, "form": form, "button": "Make the key"}
    return _render(page, request, "admin/credits/api_key_form.html", context)


def try_key(page: IntegrationAdmin, request: HttpRequest, integration_id: UUID) -> HttpResponse:
    """Ask our own server with the key that the page has, and say what the client saw."""
    return _try_key(request, page, integration_id)


# Django's decorator wants the request first.
@sensitive_post_parameters("text")
@sensitive_variables("text")
def _try_key(request: HttpRequest, page: IntegrationAdmin, integration_id: UUID) -> HttpResponse:
    if not page.has_view_permission(request):
        raise PermissionDenied
    row = get_object_or_404(page.get_queryset(request), pk=integration_id)
    form = TryForm(request.POST if request.method == "POST" else None)
    if not form.is_valid():
        return redirect("admin:credits_integration_change", row.pk)
    text = form.cleaned_data["text"]
    found = api_keys.FORMAT.fullmatch(text)
    if found is None or not row.api_keys.filter(prefix=found[1]).exists():
        return redirect("admin:credits_integration_change", row.pk)
    return _snippets_page(page, request, row, text, form.cleaned_data["client"], is_tried=True)


@sensitive_variables("text", "context")
def _snippets_page(
    page: IntegrationAdmin,
    request: HttpRequest,
    row: Integration,
    text: str,
    client: str,
    *,
    is_tried: bool = False,
) -> HttpResponse:
    """Show the key in its snippets. Answered to the form itself, so that it is stored nowhere."""
    site = request.build_absolute_uri("/").rstrip("/")
    chosen = [client, *(one for one in snippets.Client.values if one != client)]
    context = {
        "title": f"{row.name}: copy the snippet now",
        "row": row,
        "text": text,
        "client": client,
        "blind": blind_person(row),
        "snippets": [
            (snippets.Client(one).label, snippets.of(one, site=site, key=text)) for one in chosen
        ],
    }
    if is_tried:
        context |= _tried(site, text)
    return _render(page, request, "admin/trackers/mcp_snippets.html", context)


@sensitive_variables("text")
def _tried(site: str, text: str) -> dict[str, Any]:
    # The protocol's client takes seconds to import, and only this button needs it.
    from trackers.mcp import trial

    try:
        seen = trial.look(site=site, key=text, address=origins.current().ip or "")
    except trial.TrialFailed as failure:
        return {"failure": str(failure)}
    return {"seen": seen}


def _render(
    page: IntegrationAdmin, request: HttpRequest, template: str, context: dict[str, Any]
) -> HttpResponse:
    site = page.admin_site
    request.current_app = site.name
    return TemplateResponse(request, template, site.each_context(request) | context)
