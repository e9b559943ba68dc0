"""Briefs: the list, and the page that makes one of sections."""

from __future__ import annotations

from typing import Any, ClassVar

from django import forms
from django.contrib import admin, messages
from django.db.models import Count, Max, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils import timezone
from unfold import widgets
from unfold.admin import StackedInline
from unfold.decorators import display

from credits import shown
from credits.admin import acting
from credits.admin.audited import Changes
from credits.admin.scoped import CompanyScopedAdmin, limited
from credits.current_company import scope_of
from credits.models import Company
from credits.roles import Act
from trackers import briefs
from trackers.admin.briefs_acts import Discard, Publish, Unpublish
from trackers.admin.briefs_run import Run
from trackers.briefs import NotSaved, Section, Template
from trackers.models import SECTIONS_MAX, Brief, BriefSection, EntityType, SectionKind

RUNS_SHOWN = 5


class BriefForm(forms.ModelForm[Brief]):
    """A brief's name and what it is about; ``briefs.save`` checks and writes it with its sections.

    ``refusal`` is why it was not saved, shown where it belongs when the form comes again.
    """

    refusal: ClassVar[NotSaved | None] = None

    edit_number = forms.IntegerField(required=False, widget=forms.HiddenInput)

    class Meta:
        model = Brief
        fields = ("name", "description", "entity_type")
        widgets: ClassVar = {
            "description": widgets.UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        }

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        if not self.instance._state.adding:
            self.initial["edit_number"] = self.instance.edit_number

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if self.refusal is not None:
            field = self.refusal.field if self.refusal.field in self.fields else None
            self.add_error(field, str(self.refusal))
        return cleaned

    def _post_clean(self) -> None:
        """Leave the instance as it is: the operation checks and writes, not the form."""


class SectionForm(forms.ModelForm[BriefSection]):
    """One section; what its kind needs is asked by ``briefs.save``."""

    position = forms.IntegerField(
        label="Place",
        required=False,
        min_value=1,
        max_value=1000,
        widget=widgets.UnfoldAdminIntegerFieldWidget(),
        help_text="Sections are shown by place; drag them, or number them.",
    )
    question = forms.CharField(
        label="Question, or search words",
        required=False,
        max_length=briefs.QUESTION_LENGTH_MAX,
        widget=widgets.UnfoldAdminTextareaWidget(attrs={"rows": 2}),
        help_text="For calls and e-mails, such as: What are the open risks? For a web search, "
        "such as: news; the name of the account, deal, contact or lead is added.",
    )

    class Meta:
        model = BriefSection
        fields = ("position", "kind", "title", "question", "tracker")

    def _post_clean(self) -> None:
        """Leave the instance as it is: places are swapped at once, by the operation."""

    @property
    def section(self) -> Section:
        data = self.cleaned_data
        tracker = data.get("tracker")
        return Section(
            kind=SectionKind(data["kind"]),
            title=data["title"],
            question=data["question"],
            tracker_id=None if tracker is None else tracker.pk,
            id=None if self.instance._state.adding else self.instance.pk,
        )


class SectionFormSet(forms.BaseInlineFormSet):  # type: ignore[type-arg]
    """A brief's sections, written by the operation and not one by one."""

    def validate_unique(self) -> None:
        """Let two sections name one place: they stay in the order of the page."""

    @property
    def sections(self) -> tuple[Section, ...]:
        kept = [one for one in self.forms if one.has_changed() or not one.instance._state.adding]
        kept = [one for one in kept if one not in self.deleted_forms]
        last = 1001
        kept.sort(key=lambda one: one.cleaned_data.get("position") or last)
        return tuple(one.section for one in kept)  # type: ignore[attr-defined]


class SectionInline(StackedInline):
    """The sections on a brief's page."""

    model = BriefSection
    form = SectionForm
    formset = SectionFormSet
    fields = ("position", "kind", "title", "question", "tracker")
    autocomplete_fields = ("tracker",)
    ordering = ("position",)
    ordering_field = "position"
    max_num = SECTIONS_MAX
    verbose_name = "section"

    def get_extra(self, request: HttpRequest, obj: Any = None, **kwargs: Any) -> int:
        return 1 if obj is None else 0

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        return limited(BriefSection, request).select_related("tracker")

    def formfield_for_foreignkey(self, db_field: Any, request: HttpRequest, **kwargs: Any) -> Any:
        kwargs["queryset"] = limited(db_field.remote_field.model, request)
        return super().formfield_for_foreignkey(db_field, request, **kwargs)

    def has_view_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return scope_of(request).may(Act.VIEW_BRIEFS)

    def has_add_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_edit(request, obj)

    def has_change_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_edit(request, obj)

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return self._may_edit(request, obj)

    def _may_edit(self, request: HttpRequest, obj: Any) -> bool:
        company_id = None if obj is None else obj.company_id
        return scope_of(request).may(Act.EDIT_BRIEFS, company_id=company_id)


@admin.register(Brief)
class BriefAdmin(CompanyScopedAdmin):
    """Made and run by a company's admins; viewers and vendor people may look."""

    empty_words = (
        "A brief puts together what calls, e-mails, trackers and the web say about an account, "
        "deal, contact or lead."
    )
    view_act = Act.VIEW_BRIEFS
    change_act = Act.EDIT_BRIEFS
    is_audited_by_operation = True
    form = BriefForm
    inlines = (SectionInline,)
    list_display = ("name", "shown_state", "entity_type", "sections_shown", "runs_shown", "changed")
    list_display_links = ("name",)
    list_filter = ("is_published", "entity_type")
    search_fields = ("name",)
    ordering = ("name", "id")
    warn_unsaved_form = True
    fieldsets = (
        (
            "Brief",
            {
                "fields": ("name", "description", "entity_type"),
                "description": "What you change takes effect with the next run.",
            },
        ),
    )

    class Media:
        css: ClassVar = {"all": ("trackers/trackers.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Any]:
        rows = super().get_queryset(request).select_related("company", "changed_by")
        return rows.annotate(
            section_count=Count("sections", distinct=True),
            run_count=Count("runs", distinct=True),
            last_run_at=Max("runs__started_at"),
        )

    def get_urls(self) -> list[Any]:
        acts = {"run": Run, "publish": Publish, "unpublish": Unpublish, "discard": Discard}
        return [*self.pages_of_row("pk", acting.pages_of_row(acts)), *super().get_urls()]

    def get_form(
        self, request: HttpRequest, obj: Any = None, change: bool = False, **kwargs: Any
    ) -> Any:
        if obj is not None and not self.has_change_permission(request, obj):
            return super().get_form(request, obj, change=change, form=forms.ModelForm, **kwargs)
        form = super().get_form(request, obj, change=change, **kwargs)
        refusal = getattr(request, "refusal", None)
        return type(form.__name__, (form,), {"refusal": refusal})

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
        except NotSaved as refusal:
            # Out of the view's transaction: nothing was written. The form comes again as it was
            # typed, with the reason.
            request.refusal = refusal  # type: ignore[attr-defined]
            return super().changeform_view(request, object_id, form_url, extra)

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> Any:
        brief = context["original"]
        if brief is not None:
            may_act = self.has_change_permission(request, brief)
            context["panel"] = _panel(request, brief, may_act=may_act)
        return super().render_change_form(request, context, *args, **kwargs)

    def save_model(self, request: HttpRequest, obj: Any, form: Any, change: bool) -> None:
        """Leave it to ``save_related``, which knows the sections too."""

    def save_related(self, request: HttpRequest, form: Any, formsets: Any, change: bool) -> None:
        company = form.instance.company if change else scope_of(request).company
        assert isinstance(company, Company)
        (sections,) = formsets
        data = form.cleaned_data
        saved = briefs.save(
            company=company,
            brief_id=form.instance.pk if change else None,
            edit_number=data["edit_number"],
            template=Template(
                name=data["name"],
                description=data["description"],
                entity_type=EntityType(data["entity_type"]),
                sections=sections.sections,
            ),
            by=request.user,  # type: ignore[arg-type]
            now=timezone.now(),
        )
        form.instance.pk, form.instance.name = saved.pk, saved.name

    def construct_change_message(
        self, request: HttpRequest, form: Any, formsets: Any, add: bool = False
    ) -> Any:
        # The operation writes its own line, and the sections were not saved one by one.
        return Changes()

    def response_add(
        self, request: HttpRequest, obj: Any, post_url_continue: str | None = None
    ) -> HttpResponse:
        messages.success(request, f"“{obj}” is saved. Publish it, and programs may run it too.")
        return redirect("admin:trackers_brief_change", obj.pk)

    def response_change(self, request: HttpRequest, obj: Any) -> HttpResponse:
        messages.success(request, f"“{obj}” is saved. The next run is made of it.")
        return redirect("admin:trackers_brief_change", obj.pk)

    @display(description="State", ordering="is_published")
    def shown_state(self, brief: Any) -> str:
        return state(brief)

    @display(description="Sections", ordering="section_count")
    def sections_shown(self, brief: Any) -> str:
        return shown.count(brief.section_count, metric="sections")

    @display(description="Runs", ordering="run_count")
    def runs_shown(self, brief: Any) -> str:
        return shown.count(brief.run_count, metric="runs")

    @display(description="Last changed", ordering="changed_at")
    def changed(self, brief: Any) -> str:
        who = brief.changed_by.get_short_name() if brief.changed_by else "The system"
        return f"{shown.instant_in_words(brief.changed_at, brief.company)}, {who}"


def state(brief: Brief) -> str:
    """Show whether programs may run a brief."""
    if brief.is_published:
        return shown.status("Published", code="PUBLISHED", tone=shown.GOOD)
    return shown.status("Not published", code="NOT_PUBLISHED", tone=shown.QUIET)


def _panel(request: HttpRequest, brief: Brief, *, may_act: bool) -> dict[str, Any]:
    """Return what the page says beside the form: state, who changed it last, and its last runs."""
    runs = brief.runs.select_related("company").order_by("-started_at", "-pk")[:RUNS_SHOWN]
    who = brief.changed_by.get_full_name() if brief.changed_by else "The system"
    return {
        "brief": brief,
        "may_act": may_act,
        "may_see_trail": scope_of(request).may(Act.VIEW_AUDIT),
        "state": state(brief),
        "changed": f"{shown.instant_in_words(brief.changed_at, brief.company)} by {who}",
        "runs": [
            {
                "link": shown.link_if_allowed(request, run, run.entity_name),
                "when": shown.instant(run.started_at, run.company),
            }
            for run in runs
        ],
        "may_discard": not briefs.discard_refusal(brief),
    }
