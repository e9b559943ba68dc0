"""AI trackers: the list, and the page that configures one."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.template.response import TemplateResponse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from credits import shown
from credits.admin import acting, live
from credits.admin.scoped import CompanyScopedAdmin
from credits.current_company import scope_of
from credits.roles import Act
from trackers import (
    backfills,
    configuring,
    filters,
    parts,
    publishing,
    questioning,
    wording,
)
from trackers.admin import (
    fieldsets,
    learning,
    previews,
    trackers_acts,
    trackers_cost,
    trackers_history,
    trackers_shown,
)
from trackers.admin.discarding import Discard
from trackers.admin.forms import TrackerForm
from trackers.admin.narrowing import Narrow, Undo
from trackers.admin.trackers_files import TrackerFilesMixin
from trackers.admin.trackers_list import TrackerChangeList, version_shown
from trackers.models import (
    FREE_KINDS,
    Scan,
    ScanState,
    Tracker,
    TrackerKind,
    TrackerState,
    TrackerVersion,
)


@admin.register(Tracker)
class TrackerAdmin(TrackerFilesMixin, CompanyScopedAdmin):
    """Configured by a company's admins; vendor people may look."""

    empty_words = "A tracker asks every new conversation one question, from when it is published."
    view_act = Act.VIEW_TRACKERS
    change_act = Act.EDIT_TRACKERS
    is_audited_by_operation = True
    form = TrackerForm
    list_display = (
        "name",
        "shown_state",
        "asks",
        "reads",
        "filters_in_words",
        "used",
        "monthly",
        "results",
    )
    list_display_links = ("name",)
    list_filter = ("state", "kind", "include_emails")
    list_select_related = ("company", "current_version")
    search_fields = ("name",)
    ordering = ("name", "id")
    warn_unsaved_form = True
    read_only_fieldsets: ClassVar = (
        (
            "Question",
            {"fields": ("name", "kind", "asks", "details", "answer", "whose_words", "part")},
        ),
        ("Settings", {"fields": ("description", "reads", "filters_in_words", "phrases")}),
    )

    class Media:
        css: ClassVar = {"all": ("trackers/trackers.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        drafted = TrackerVersion.objects.filter(published_at=None)
        return (
            super()
            .get_queryset(request)
            .select_related("company", "current_version")
            .prefetch_related(
                filters.NAMED, Prefetch("versions", queryset=drafted, to_attr="drafts")
            )
        )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return TrackerChangeList

    def get_urls(self) -> list[Any]:
        pages = {
            "publish": trackers_acts.publish,
            "unpublish": trackers_acts.unpublish,
            "backfill": trackers_acts.backfill,
            "history": trackers_history.history,
            "test": previews.test,
            "judge": previews.judge,
            "learn": learning.learn,
        }
        acts = acting.pages_of_row({"discard": Discard, "narrow": Narrow, "undo": Undo})
        return [
            *self.pages_of_row("tracker_id", pages),
            *self.pages_of_row("pk", acts),
            *super().get_urls(),
        ]

    def get_fieldsets(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return self.read_only_fieldsets
        return fieldsets.of_kind(_kind(request, obj))

    def get_readonly_fields(self, request: HttpRequest, obj: Any = None) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return tuple(name for _, rest in self.read_only_fieldsets for name in rest["fields"])
        return super().get_readonly_fields(request, obj)

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change=change, form=forms.ModelForm, **kwargs)
        bound_to = {
            "company": scope_of(request).company if obj is None else obj.company,
            "kind": _kind(request, obj),
            "refusal": getattr(request, "refusal", None),
        }
        form = super().get_form(request, obj, change=change, **kwargs)
        return type(form.__name__, (form,), bound_to)

    def changeform_view(
        self,
        request: HttpRequest,
        object_id: str | None = None,
        form_url: str = "",
        extra_context: dict[str, Any] | None = None,
    ) -> Any:
        extra = (extra_context or {}) | {
            "show_save_and_add_another": False,
            "show_save_and_continue": False,
        }
        try:
            return super().changeform_view(request, object_id, form_url, extra)
        except configuring.NotSaved as refusal:
            # Out of the view's transaction: nothing was written. The form comes again as it was
            # typed, with the reason.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        obj = context["original"]
        if obj is not None:
            context["panel"] = panel(obj, may_act=self.has_change_permission(request, obj))
        else:
            context["kinds"] = trackers_shown.kinds_to_choose(_kind(request, None))
            context |= _cost_of_form(context["adminform"].form)
        return super().render_change_form(request, context, *args, **kwargs)

    def add_view(
        self, request: HttpRequest, form_url: str = "", extra_context: dict[str, Any] | None = None
    ) -> Any:
        if not live.is_look(request):
            return super().add_view(request, form_url, extra_context)
        if not self.has_add_permission(request):
            raise scope_of(request).refusal(self.change_act)
        context = _cost_of_form(self.get_form(request)(request.POST))
        if sentence := context.get("no_figures"):
            return live.refusal(request, sentence)
        return TemplateResponse(request, "admin/trackers/tracker/cost.html", context)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        assert scope_of(request).company is not None or change
        saved = configuring.save(
            company=form.company,
            tracker_id=obj.pk if change else None,
            edit_number=form.cleaned_data["edit_number"],
            settings=form.settings,
            question=form.asked,
            by=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        obj.pk, obj.name = saved.pk, saved.name

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.success(
            request, f"“{obj}” is saved as a draft. It costs nothing until you publish it."
        )
        _hint(request, Tracker.objects.get(pk=obj.pk))
        return redirect("admin:trackers_tracker_change", obj.pk)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        tracker = Tracker.objects.select_related("current_version").get(pk=obj.pk)
        draft = publishing.draft_version(tracker)
        if draft is not None and tracker.current_version is not None:
            note = (
                f"The changed question is version {draft.number}, a draft; version "
                f"{tracker.current_version.number} stays in force until you publish it."
            )
        else:
            note = "The settings are in force now."
        messages.success(request, f"“{tracker}” is saved. {note}")
        _hint(request, tracker)
        return redirect("admin:trackers_tracker_change", obj.pk)

    @display(description="State", ordering="state")
    def shown_state(self, obj: Any) -> SafeString:
        badge = trackers_shown.state(obj.state, obj.get_state_display())
        limited = trackers_shown.limited_badge(obj.figures.limited)
        return badge + trackers_shown.waiting_badge(obj.figures.waiting) + limited

    @display(description="Question")
    def asks(self, obj: Any) -> str:
        version = version_shown(obj)
        if version is None:
            return shown.NOTHING
        return format_html('<span class="tt-asked" title="{0}">{0}</span>', version.question)

    @display(description="Additional details")
    def details(self, obj: Any) -> str:
        version = version_shown(obj)
        return version.details if version and version.details else shown.NOTHING

    @display(description="Answer")
    def answer(self, obj: Any) -> str:
        version = version_shown(obj)
        if version is None:
            return shown.NOTHING
        choices = f": {', '.join(version.choices)}" if version.choices else ""
        return f"{version.get_answer_type_display()}{choices}"

    @display(description="Whose words")
    def whose_words(self, obj: Any) -> str:
        version = version_shown(obj)
        return shown.NOTHING if version is None else version.get_side_display()

    @display(description="Part of the call")
    def part(self, obj: Any) -> str:
        version = version_shown(obj)
        return shown.NOTHING if version is None else parts.words(version)

    @display(description="Example phrases")
    def phrases(self, obj: Any) -> str:
        return "; ".join(obj.examples) or shown.NOTHING

    @display(description="Reads")
    def reads(self, obj: Any) -> str:
        said = trackers_shown.kinds(obj)
        return f"{said} · {obj.get_kind_display()}, free" if obj.kind in FREE_KINDS else said

    @display(description="Filters")
    def filters_in_words(self, obj: Any) -> str:
        return filters.in_words(obj)

    @display(description="Credits, 30 days")
    def used(self, obj: Any) -> str:
        return shown.amount(obj.figures.used, metric="credits_30_days")

    @display(description="Estimate a month")
    def monthly(self, obj: Any) -> str:
        monthly = obj.figures.monthly
        if monthly is None:
            return shown.NOTHING
        return shown.about(monthly.credits, metric="monthly_estimate")

    @display(description="Results, 30 days")
    def results(self, obj: Any) -> SafeString:
        return shown.number(
            "{} read<br>{} found, {} unsure",
            shown.count(obj.figures.results, metric="results_30_days"),
            shown.count(obj.figures.found, metric="found_30_days"),
            shown.count(obj.figures.unsure, metric="unsure_30_days"),
        )


def _kind(request: HttpRequest, obj: Any) -> str:
    """Return the kind a page is for: the tracker's, or the one chosen for a new one."""
    if obj is not None:
        return str(obj.kind)
    asked = request.GET.get("kind", "")
    return asked if asked in TrackerKind.values else TrackerKind.QUESTION


def _hint(request: HttpRequest, tracker: Tracker) -> None:
    """Say what to write otherwise, after what was saved."""
    version = publishing.next_version(tracker)
    if version is None:
        return
    question = questioning.question_of(version)
    for hint in wording.hints(question, example_count=len(tracker.examples)):
        messages.warning(request, hint)


def _cost_of_form(form: TrackerForm) -> dict[str, Any]:
    """Return the figures of what is in a new tracker's form, or why there are none."""
    try:
        return {"cost": trackers_cost.of_form(form)}
    except trackers_cost.NoFigures as reason:
        return {"no_figures": str(reason)}


def panel(tracker: Tracker, *, may_act: bool) -> dict[str, Any]:
    """Return what the page says beside the form: state, versions, and what the tracker costs."""
    now = timezone.now()
    draft = publishing.draft_version(tracker)
    scans = Scan.objects.filter(tracker=tracker)
    limited = Q(state=ScanState.PENDING, limit_ref__isnull=False, due_at__gt=now)
    waits = scans.filter(limited | Q(state=ScanState.WAITING)).aggregate(
        credits=Count("pk", filter=Q(state=ScanState.WAITING)), limit=Count("pk", filter=limited)
    )
    under_way = tracker.backfills.filter(state__in=backfills.LIVE_STATES).first()
    is_published = tracker.state == TrackerState.PUBLISHED
    return {
        "tracker": tracker,
        "may_act": may_act,
        "state": trackers_shown.state(tracker.state, tracker.get_state_display()),
        "waiting": trackers_shown.waiting_badge(waits["credits"])
        + trackers_shown.limited_badge(waits["limit"]),
        "published_at": tracker.published_at
        and shown.instant(tracker.published_at, tracker.company),
        "versions": [
            {
                "version": one,
                "is_in_force": is_published and one.pk == tracker.current_version_id,
                "published_at": one.published_at
                and shown.instant(one.published_at, tracker.company),
            }
            for one in tracker.versions.order_by("-number")
        ],
        "cost": trackers_cost.of(tracker, publishing.next_version(tracker), now=now),
        "has_results": tracker.first_published_at is not None,
        "kind": tracker.get_kind_display(),
        "backfill": under_way,
        "may_publish": not is_published,
        "may_discard": tracker.state == TrackerState.DRAFT,
        "may_publish_version": is_published and draft is not None,
        "is_published": is_published,
    }
