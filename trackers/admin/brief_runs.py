"""What briefs said: the list of runs, and the page of one, to read and to print."""

from __future__ import annotations

from datetime import timedelta
from typing import Any, ClassVar

from django.contrib import admin
from django.db.models import Count, Prefetch, Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display

from credits import shown
from credits.admin.days import DaysFilter
from credits.admin.scoped import ReadOnlyAdmin, ScopedRelatedFilter
from credits.current_company import scope_of
from credits.models import UsageEvent
from credits.roles import Act
from trackers.admin import conversations, reading
from trackers.models import (
    BriefCitation,
    BriefPage,
    BriefResult,
    BriefRun,
    ResultState,
    SectionKind,
    Tracker,
)

# A run whose process died stays as it was; none takes this long.
INTERRUPTED_AFTER = timedelta(minutes=15)
MISSING = [ResultState.FAILED, ResultState.SKIPPED]


@admin.register(BriefRun)
class BriefRunAdmin(ReadOnlyAdmin):
    """Read-only: a run says what was found then."""

    view_act = Act.VIEW_BRIEFS
    list_display = ("about", "brief_name", "state_shown", "started", "through", "credits_shown")
    list_display_links = ("about",)
    list_filter = (
        ("brief", ScopedRelatedFilter),
        "entity_type",
        "action",
        ("started_at", DaysFilter),
    )
    list_filter_submit = True
    sortable_by = ()
    ordering = ("-started_at", "pk")
    paginator = reading.BoundedPaginator
    fields = ()
    change_list_template = "admin/trackers/reading_list.html"
    empty_words = "Runs appear here when a brief was run, at its page, by API or by MCP."

    class Media:
        css: ClassVar = {"all": ("trackers/reading.css", "trackers/briefs.css")}

    def get_queryset(self, request: HttpRequest) -> QuerySet[BriefRun]:
        rows: QuerySet[BriefRun] = super().get_queryset(request)
        return rows.select_related(
            "company", "brief", "account", "deal", "contact", "started_by"
        ).annotate(missing_count=Count("results", filter=Q(results__state__in=MISSING)))

    def name_of(self, row: BriefRun) -> str:
        return f"{row.brief}: {row.entity_name}"

    @display(description="About")
    def about(self, row: BriefRun) -> str:
        return row.entity_name

    @display(description="Brief")
    def brief_name(self, row: BriefRun) -> str:
        return row.brief.name

    @display(description="State")
    def state_shown(self, row: BriefRun) -> str:
        return state(row)

    @display(description="Started")
    def started(self, row: BriefRun) -> str:
        return shown.instant(row.started_at, row.company)

    @display(description="Through")
    def through(self, row: BriefRun) -> str:
        return row.get_action_display()

    @display(description="Credits")
    def credits_shown(self, row: BriefRun) -> str:
        return shown.amount(row.credits, metric="run-credits")

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        run: BriefRun = context["original"]
        may_run = scope_of(request).may(Act.EDIT_BRIEFS, company_id=run.company_id)
        context |= {
            "run": run,
            "facts": _facts(request, run),
            "sections": _sections(request, run),
            "is_erased": run.erased_at is not None,
            "again": reverse("admin:trackers_brief_run", args=[run.brief_id]) if may_run else "",
        }
        return super().render_change_form(request, context, *args, **kwargs)


def state(run: Any) -> SafeString:
    """Show how far a run came."""
    if not run.is_finished:
        if run.started_at < timezone.now() - INTERRUPTED_AFTER:
            return shown.status("Interrupted", code="INTERRUPTED", tone=shown.CRITICAL)
        return shown.status("Running", code="RUNNING", tone=shown.INFO)
    if run.missing_count:
        words = f"Done, {shown.counted(run.missing_count, 'section')} missing"
        return shown.status(words, code="PARTLY", tone=shown.WARNING)
    return shown.status("Done", code="DONE", tone=shown.GOOD)


def _facts(request: HttpRequest, run: BriefRun) -> list[tuple[str, object]]:
    company = run.company
    since = shown.instant_in_words(run.since, company) if run.since else "the beginning"
    until = shown.instant_in_words(run.until, company)
    who = f", {run.started_by.get_full_name()}" if run.started_by else ""
    return reading.facts(
        [
            ("Brief", shown.link_if_allowed(request, run.brief)),
            ("State", state(run)),
            (run.get_entity_type_display(), shown.link_if_allowed(request, run.entity_row)),
            (
                "Period",
                f"{run.get_period_display()}: {since} – {until}",
            ),
            ("Started", f"{shown.instant_in_words(run.started_at, company)}{who}"),
            ("Through", run.get_action_display()),
            ("Credits", shown.amount(run.credits, metric="run-credits")),
            ("Held at first", shown.amount(run.estimate, metric="run-estimate")),
        ]
    )


def _sections(request: HttpRequest, run: BriefRun) -> list[dict[str, Any]]:
    cited = BriefCitation.objects.select_related(
        "conversation__company", "utterance__speaker"
    ).order_by("rank")
    results = (
        BriefResult.objects.filter(run=run)
        .prefetch_related(
            Prefetch("citations", queryset=cited),
            Prefetch("pages", queryset=BriefPage.objects.order_by("rank")),
        )
        .order_by("position")
    )
    trackers = {
        one.pk: one
        for one in Tracker.objects.filter(
            company=run.company_id, pk__in=[row.tracker_ref for row in results if row.tracker_ref]
        )
    }
    usage = {
        one.pk: one
        for one in UsageEvent.objects.filter(
            company=run.company_id, pk__in=[row.usage_ref for row in results if row.usage_ref]
        )
    }
    may_open = scope_of(request).may(Act.VIEW_CONVERSATIONS, company_id=run.company_id)
    return [
        {
            "result": row,
            "is_missing": row.state in MISSING,
            "asked": shown.link_if_allowed(request, tracker, tracker.name)
            if row.tracker_ref and (tracker := trackers.get(row.tracker_ref))
            else row.question,
            "is_web": row.kind == SectionKind.WEB,
            "citations": [_cited(one, may_open) for one in row.citations.all()],
            "credits": shown.amount(row.credits, metric="section-credits"),
            "usage": shown.link_if_allowed(request, usage.get(row.usage_ref), "Usage event")
            if row.usage_ref in usage
            else "",
        }
        for row in results
    ]


def _cited(citation: BriefCitation, may_open: bool) -> dict[str, Any]:
    conversation, utterance = citation.conversation, citation.utterance
    is_current = utterance.revision == conversation.text_revision
    link: Any = str(conversation)
    if may_open:
        address = reverse("admin:trackers_conversation_change", args=[conversation.pk])
        if is_current:
            address += conversations.turn_address(utterance)
        link = format_html('<a class="credits-link" href="{}">{}</a>', address, conversation)
    return {
        "rank": citation.rank,
        "quote": citation.quote,
        "speaker": str(utterance.speaker),
        "side": utterance.get_affiliation_display(),
        "time": reading.clock(utterance.start_seconds),
        "link": link,
        "kind": conversation.get_kind_display(),
        "when": shown.instant(conversation.started_at, conversation.company),
        "is_earlier": not is_current,
    }
