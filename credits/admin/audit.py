"""The audit trail: who did what, when, from where, from what to what, and why; read-only."""

from __future__ import annotations

from typing import Any, ClassVar

from django.apps import apps
from django.contrib import admin
from django.contrib.admin.views.main import ChangeList
from django.db.models import QuerySet
from django.http import HttpRequest
from django.urls import NoReverseMatch, reverse
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from import_export.admin import ExportMixin
from import_export.formats.base_formats import CSV
from unfold.contrib.import_export.forms import ExportForm
from unfold.decorators import display
from unfold.paginator import InfinitePaginator

from credits import shown
from credits.admin.days import DaysFilter
from credits.admin.downloads import AuditedExport
from credits.admin.scoped import ReadOnlyAdmin, ScopedRelatedFilter
from credits.current_company import scope_of
from credits.models import AuditAction, AuditActor, AuditEvent, AuditText, Door
from credits.reports.trail import AuditTrailReport
from credits.roles import Act

PEOPLE_MAX = 200
CHANGES_SHOWN_MAX = 3
ID_SHOWN = 12
ERASED = "(erased)"
SUBJECTS = {"report": "report", "session": "", "conversations": ""}
TONES = {AuditAction.SIGN_IN_REFUSED: shown.WARNING, AuditAction.DELETED: shown.WARNING}


class PersonFilter(admin.SimpleListFilter):
    """Limits the trail to what one person or key did."""

    title = "person"
    parameter_name = "person"

    def lookups(self, request: HttpRequest, model_admin: Any) -> list[tuple[str, str]]:
        rows = model_admin.get_queryset(request).exclude(actor_ref=None).order_by()
        found: dict[str, str] = {}
        for ref, name in rows.values_list("actor_ref", "text__actor_name").distinct()[:PEOPLE_MAX]:
            found[str(ref)] = name or found.get(str(ref)) or f"Removed person {ref}"
        return sorted(found.items(), key=lambda one: one[1].lower())

    def queryset(self, request: HttpRequest, queryset: QuerySet[Any]) -> QuerySet[Any]:
        known = {ref for ref, _ in self.lookup_choices}
        return queryset.filter(actor_ref=self.value()) if self.value() in known else queryset


class AuditChangeList(ChangeList):
    """Adds to each event of the page the address of its subject, for those who may open it."""

    result_list: Any

    def get_results(self, request: HttpRequest) -> None:
        super().get_results(request)
        rows: list[Any] = list(self.result_list)
        for event in rows:
            event.subject_url = url_of(request, event)
        self.result_list = rows


@admin.register(AuditEvent)
class AuditEventAdmin(AuditedExport, ExportMixin, ReadOnlyAdmin):
    """One company's trail for its admins; everything for vendor people."""

    empty_words = "What people and keys do appears here as they do it."
    view_act = Act.VIEW_AUDIT
    ordering = ("-occurred_at", "-pk")
    sortable_by = ()
    paginator = InfinitePaginator
    list_display = ("when", "who", "what", "subject", "changes", "reason_text", "from_where")
    list_select_related = ("text",)
    list_filter = (PersonFilter, "action", ("occurred_at", DaysFilter), "door")
    list_filter_submit = True
    search_fields = (
        *("text__actor_name", "text__subject_label", "text__reason", "text__ip"),
        *("request_id", "subject_id"),
    )
    search_help_text = "Search by a name, a reason, an address, or a request id."
    fields = (
        *("when", "exactly", "who", "actor_ref", "what", "subject", "all_changes", "reason_text"),
        *("door_shown", "address", "browser", "request_id", "erased"),
    )
    readonly_fields = fields
    resource_classes: ClassVar = [AuditTrailReport]
    export_formats: ClassVar = [CSV]
    export_form_class = ExportForm
    to_encoding = "utf-8"

    def get_list_filter(self, request: HttpRequest) -> Any:
        filters = super().get_list_filter(request)
        # Vendor people who have chosen a company see that one only.
        several = scope_of(request).company is None
        return (("company", ScopedRelatedFilter), *filters) if several else filters

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return AuditChangeList

    def get_object(self, request: HttpRequest, object_id: str, from_field: Any = None) -> Any:
        event: Any = super().get_object(request, object_id, from_field)
        if event is not None:
            event.subject_url = url_of(request, event)
        return event

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # “History” of any row links to its own events.
        if lookup in ("subject_type__exact", "subject_id__exact"):
            return True
        return super().lookup_allowed(lookup, value, request)

    def has_export_permission(self, request: HttpRequest) -> bool:
        return scope_of(request).may(Act.VIEW_AUDIT)

    def get_export_filename(self, request: HttpRequest, queryset: Any, file_format: Any) -> str:
        company = scope_of(request).company
        whose = "all-companies" if company is None else company.slug
        return f"audit-trail-{whose}.{file_format.get_extension()}"

    def name_of(self, row: AuditEvent) -> str:
        return f"{row.get_action_display()} {label_of(row)}"

    @display(description="time")
    def when(self, event: AuditEvent) -> str:
        if event.company is None:
            return shown.utc(event.occurred_at)
        return shown.instant(event.occurred_at, event.company)

    @display(description="exactly")
    def exactly(self, event: AuditEvent) -> str:
        return event.occurred_at.isoformat()

    @display(description="who")
    def who(self, event: AuditEvent) -> str:
        return actor_of(event)

    @display(description="action")
    def what(self, event: AuditEvent) -> SafeString:
        return shown.status(
            event.get_action_display(),
            code=event.action.lower().replace("_", "-"),
            tone=TONES.get(AuditAction(event.action), shown.QUIET),
        )

    @display(description="what")
    def subject(self, event: Any) -> str:
        kind, label, url = kind_of(event), label_of(event), event.subject_url
        named = (
            format_html('<a class="credits-link" href="{}">{}</a>', url, label) if url else label
        )
        return format_html("<span>{} {}</span>", kind, named) if kind else named

    @display(description="before → after")
    def changes(self, event: AuditEvent) -> str:
        lines = [_in_line(change) for change in event.text.changes[:CHANGES_SHOWN_MAX]]
        if (more := len(event.text.changes) - CHANGES_SHOWN_MAX) > 0:
            lines.append(format_html("and {} more", more))
        if not lines:
            return ERASED if event.changed_fields else shown.NOTHING
        each = format_html_join("", "<div>{}</div>", ((line,) for line in lines))
        return format_html("<div>{}</div>", each)

    @display(description="before → after")
    def all_changes(self, event: AuditEvent) -> str:
        if not event.text.changes:
            return self.changes(event)
        rows = format_html_join(
            "",
            '<tr><th scope="row">{}</th><td class="credits-wrap">{}</td>'
            '<td class="credits-wrap">{}</td></tr>',
            (
                (words(one["field"]), one["before"] or shown.NOTHING, one["after"] or shown.NOTHING)
                for one in event.text.changes
            ),
        )
        return format_html(
            '<table class="credits-table"><thead><tr><th scope="col">Field</th>'
            '<th scope="col">Before</th><th scope="col">After</th></tr></thead>'
            "<tbody>{}</tbody></table>",
            rows,
        )

    @display(description="reason")
    def reason_text(self, event: AuditEvent) -> str:
        return event.text.reason or shown.NOTHING

    @display(description="from")
    def from_where(self, event: AuditEvent) -> str:
        return " ".join(part for part in (self.door_shown(event), event.text.ip) if part)

    @display(description="door")
    def door_shown(self, event: AuditEvent) -> str:
        door = Door(event.door).label
        return f"{door} {event.job}" if event.job else str(door)

    @display(description="address")
    def address(self, event: AuditEvent) -> str:
        return event.text.ip or shown.NOTHING

    @display(description="browser")
    def browser(self, event: AuditEvent) -> str:
        return event.text.user_agent or shown.NOTHING

    @display(description="text erased")
    def erased(self, event: AuditEvent) -> str:
        if event.text.erased_at is None:
            return "no"
        return shown.utc(event.text.erased_at)


def actor_of(event: AuditEvent) -> str:
    """Say who acted: by name, or by the opaque id once the name is erased."""
    kind = AuditActor(event.actor_kind)
    name = event.text.actor_name
    if kind == AuditActor.PERSON:
        return name or f"Removed person {event.actor_ref}"
    label = str(kind.label)
    return f"{label} ({name})" if name else label


def kind_of(event: AuditEvent) -> str:
    """Return the noun of what was acted on; empty where the action says it all."""
    if event.subject_type in SUBJECTS:
        return SUBJECTS[event.subject_type]
    try:
        # Also of a model without a page of its own.
        return str(apps.get_model(event.subject_type)._meta.verbose_name)
    except (LookupError, ValueError):
        return ""


def label_of(event: AuditEvent) -> str:
    """Return what the subject was called; the end of its id where it had no name."""
    text: AuditText = event.text
    if text.subject_label or text.erased_at:
        return text.subject_label or ERASED
    short = event.subject_id[-ID_SHOWN:]
    return short if short == event.subject_id else f"…{short}"


def words(field: str) -> str:
    """Return a field's name as people read it."""
    text = field.replace("_", " ")
    return text[:1].upper() + text[1:]


def url_of(request: HttpRequest, event: AuditEvent) -> str:
    """Return the page of the row acted on, for those who may open it; empty if there is none."""
    model = _model_of(event)
    # A person's page is found by its key, which the trail does not keep.
    if model is None or event.action == AuditAction.DELETED or hasattr(model, "public_id"):
        return ""
    if not admin.site.get_model_admin(model).has_view_permission(request):
        return ""
    name = f"admin:{model._meta.app_label}_{model._meta.model_name}_change"
    try:
        return reverse(name, args=[event.subject_id])
    except NoReverseMatch:
        return ""


def _in_line(change: dict[str, str | None]) -> SafeString:
    before, after = change["before"], change["after"] or shown.NOTHING
    moved = f"{before} → {after}" if before else after
    return format_html("{}: {}", words(change["field"] or ""), moved)


def _model_of(event: AuditEvent) -> Any:
    return next(
        (model for model in admin.site._registry if model._meta.label_lower == event.subject_type),
        None,
    )
