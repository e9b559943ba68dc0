"""What could be saved: the list of suggestions, and the page that shows one before it is done."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db import transaction
from django.db.models import F, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from unfold.decorators import display
from unfold.views import ChangeList

from credits import shown
from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan
from credits.admin.scoped import ReadOnlyAdmin
from credits.current_company import scope_of
from credits.roles import Act
from trackers import advice, advising, locks, narrowing, publishing
from trackers.admin import narrowing_shown, under_way
from trackers.configuring import NotSaved
from trackers.models import AdviceRun, FilterField, Suggestion, SuggestionKind, Tracker
from trackers.models.advice import FILTERING
from trackers.narrowing import Reads
from trackers.publishing import NotPublished, StaleForm, UsedByBriefs

# The hourly job is late then; whoever looks is not told something old.
STALE_AFTER = timedelta(hours=2)


class Overtaken(Exception):
    """This tracker was changed since, or the one it repeats; suggestions are worked out hourly."""


class Apply(acting.Act):
    """Do what one suggestion proposes, once its figures were seen."""

    needs = Act.EDIT_TRACKERS
    heading = "Save credits"
    button = "Apply"
    verb = "changed"
    refusals = (Overtaken, NotSaved, StaleForm, NotPublished, UsedByBriefs)

    def __init__(self, *, request: HttpRequest, row: Suggestion) -> None:
        super().__init__(request=request, company=row.company)
        self.row = row
        self.tracker = row.tracker
        self.is_unpublishing = self.reads is None
        if self.is_unpublishing:
            self.is_danger = True  # type: ignore[misc]

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_suggestion_changelist")

    @property
    def reads(self) -> Reads | None:
        """Return what the tracker would read; None where it is to be unpublished."""
        row, now = self.row, narrowing.of(self.tracker)
        if row.kind in FILTERING:
            return now.filtered(FilterField(row.field), row.values, is_excluded=row.is_excluded)
        return now.without_emails() if row.kind == SuggestionKind.EMAILS else None

    def title(self) -> str:
        return advice.sentence(self.row)

    def label(self) -> str:
        return "Unpublish" if self.is_unpublishing else self.button

    def check(self) -> None:
        if not advice.standing().filter(pk=self.row.pk).exists():
            raise Overtaken(Overtaken.__doc__)

    def plan(self, form: ActForm) -> Plan:
        self.check()
        facts = narrowing_shown.facts(self.tracker, self.reads, now=self.now)
        why = (("Why", advice.evidence(self.row)),)
        if self.is_unpublishing:
            return Plan(
                facts=(*why, *facts),
                notes=(narrowing_shown.NOTE, under_way.UNPUBLISHING),
                under_way=under_way.of(self.tracker).endings,
            )
        note = "It takes effect at once for new conversations, and nothing is read or paid again."
        return Plan(facts=(*why, *facts), notes=(note, narrowing_shown.NOTE))

    def do(self, form: ActForm) -> Done:
        reads, tracker = self.reads, self.tracker
        url = reverse("admin:trackers_tracker_change", args=[tracker.pk])
        if reads is None:
            with transaction.atomic():
                # Both held still: of two that repeat each other, one stays.
                locks.hold(Tracker, [tracker.pk, self.row.twin_id])
                self.check()
                publishing.unpublish(
                    tracker_id=tracker.pk,
                    edit_number=self.row.edit_number,
                    by=self.by,
                    now=self.now,
                )
            again = reverse("admin:trackers_tracker_publish", args=[tracker.pk])
            sentence = format_html(
                '“{}” is unpublished. Its results stay. <a class="credits-link" href="{}">'
                "Publish it again</a>",
                tracker,
                again,
            )
            return Done(url, sentence)
        narrowing.save(
            tracker=tracker,
            edit_number=self.row.edit_number,
            reads=reads,
            by=self.by,
            now=self.now,
        )
        return Done(url, narrowing_shown.saved(tracker))


class StandingChangeList(ChangeList):
    """Lists what still holds; a page opened before says what has overtaken it."""

    def get_queryset(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Any:
        self.may_apply = scope_of(request).may(Act.EDIT_TRACKERS)
        return super().get_queryset(request, *args, **kwargs).filter(advice.STANDING)

    def url_for_result(self, result: Any) -> str:
        """Lead those who may do it to the page that does."""
        if self.may_apply:
            return reverse("admin:trackers_suggestion_apply", args=[result.pk])
        return super().url_for_result(result)


@admin.register(Suggestion)
class SuggestionAdmin(ReadOnlyAdmin):
    """Read-only: what is suggested follows from what trackers read and found."""

    view_act = Act.VIEW_TRACKERS
    empty_words = (
        "Nothing to save was found. A tracker is looked at once it has run for two weeks, or when "
        "its campaign has ended."
    )
    list_display = ("to_do", "why", "saved_shown", "change")
    list_display_links = ("to_do",)
    list_filter = ("kind",)
    sortable_by = ()
    fields = ("to_do", "why", "saved_shown", "change")
    change_list_template = "admin/trackers/suggestion_list.html"

    class Media:
        css: ClassVar = {"all": ("trackers/trackers.css",)}

    def get_queryset(self, request: HttpRequest) -> QuerySet[Suggestion]:
        rows: QuerySet[Suggestion] = super().get_queryset(request)
        return rows.select_related("company", "run", "tracker__company", "twin")

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> Any:
        return StandingChangeList

    def get_ordering(self, request: HttpRequest) -> Any:
        return (F("credits_after") - F("credits_before"), "pk")

    def get_urls(self) -> list[Any]:
        pages = acting.pages_of_row({"apply": Apply})
        return [*self.pages_of_row("pk", pages), *super().get_urls()]

    def changelist_view(
        self, request: HttpRequest, extra_context: dict[str, Any] | None = None
    ) -> HttpResponse:
        company = scope_of(request).company
        as_of = None
        if company is not None and self.has_view_permission(request):
            now = timezone.now()
            runs = AdviceRun.objects.filter(company=company)
            as_of = runs.values_list("computed_at", flat=True).first()
            if company.closed_at is None and (as_of is None or as_of < now - STALE_AFTER):
                as_of = advising.refresh(company=company, now=now).computed_at
        extra = {"as_of": as_of and shown.instant(as_of, company)} if company else {}
        return super().changelist_view(request, (extra_context or {}) | extra)

    def name_of(self, row: Suggestion) -> str:
        return advice.sentence(row)

    @display(description="What could be saved")
    def to_do(self, row: Suggestion) -> str:
        return advice.sentence(row)

    @display(description="Why")
    def why(self, row: Suggestion) -> str:
        return format_html('<span class="tt-asked">{}</span>', advice.evidence(row))

    @display(description="Saves a month")
    def saved_shown(self, row: Suggestion) -> str:
        return shown.about(row.saved, metric="saved")

    @display(description="Credits a month")
    def change(self, row: Suggestion) -> str:
        return shown.number(
            "{} → {}",
            shown.about(row.credits_before, metric="credits-before"),
            shown.about(row.credits_after, metric="credits-after"),
        )
