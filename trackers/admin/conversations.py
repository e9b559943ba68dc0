"""Calls and e-mails as they were stored: who took part, what was said, what was found."""

from __future__ import annotations

from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from unfold.decorators import display

from credits import shown
from credits.admin import acting
from credits.admin.days import DaysFilter
from credits.admin.scoped import ReadOnlyAdmin, ScopedRelatedFilter
from credits.current_company import scope_of
from credits.roles import Act
from trackers.admin import erasing, reading, scans
from trackers.models import Conversation, Participant, Scan, Utterance

UTTERANCES_PER_PAGE = 200
RESULTS_MAX = 100
PAGE_PARAMETER = "turns"
RELATED_LOOKUPS = (
    "account__id__exact",
    "deal__id__exact",
    "participants__contact__id__exact",
)


@admin.register(Conversation)
class ConversationAdmin(ReadOnlyAdmin):
    """Conversations arrive by import; nobody writes or changes one here."""

    view_act = Act.VIEW_CONVERSATIONS
    list_display = (
        "title_shown",
        "kind_shown",
        "started",
        "length",
        "owner_shown",
        "team_shown",
        "account_shown",
        "stage",
    )
    list_display_links = ("title_shown",)
    list_filter = (
        "kind",
        ("team", ScopedRelatedFilter),
        ("owner", ScopedRelatedFilter),
        ("started_at", DaysFilter),
    )
    list_filter_submit = True
    search_fields = ("title", "external_id")
    search_help_text = "Search by title or external id."
    sortable_by = ()
    ordering = ("-started_at", "-pk")
    paginator = reading.BoundedPaginator
    fields = ()
    change_list_template = "admin/trackers/reading_list.html"
    list_before_template = "admin/trackers/conversations_acts.html"
    empty_words = "Calls and e-mails appear here when they are imported."

    class Media:
        css: ClassVar = {"all": ("trackers/reading.css",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "trackers_conversation"
        return [
            path("erase-address/", view(self.erase_address_view), name=f"{name}_erase-address"),
            path("retention/", view(self.retention_view), name=f"{name}_retention"),
            *self.pages_of_row("pk", acting.pages_of_row({"erase": erasing.EraseConversation})),
            *super().get_urls(),
        ]

    def erase_address_view(self, request: HttpRequest) -> HttpResponse:
        return acting.view_of_company(self, erasing.EraseEmail, request, noun="an erasure")

    def retention_view(self, request: HttpRequest) -> HttpResponse:
        return acting.view_of_company(self, erasing.SetRetention, request, noun="a retention")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        scope = scope_of(request)
        is_one = scope.company is not None
        acts = {
            "may_import": is_one and scope.may(Act.IMPORT_CONVERSATIONS),
            "may_erase": is_one and scope.may(Act.ERASE_CONVERSATIONS),
        }
        return super().changelist_view(request, (extra_context or {}) | acts)

    def get_queryset(self, request: HttpRequest) -> QuerySet[Conversation]:
        rows: QuerySet[Conversation] = super().get_queryset(request)
        return rows.select_related("company", "owner", "team", "account", "deal")

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest) -> bool:
        # The pages of accounts, deals and contacts link to their conversations.
        if lookup in RELATED_LOOKUPS:
            return True
        return super().lookup_allowed(lookup, value, request)

    @display(description="Title")
    def title_shown(self, conversation: Conversation) -> str:
        return str(conversation)

    @display(description="Kind")
    def kind_shown(self, conversation: Conversation) -> str:
        return conversation.get_kind_display()

    @display(description="Started")
    def started(self, conversation: Conversation) -> str:
        return shown.instant(conversation.started_at, conversation.company)

    @display(description="Length")
    def length(self, conversation: Conversation) -> str:
        return reading.clock(conversation.duration_seconds or None) or shown.NOTHING

    @display(description="Owner")
    def owner_shown(self, conversation: Conversation) -> str:
        owner = conversation.owner
        return shown.NOTHING if owner is None else owner.name or owner.email

    @display(description="Team")
    def team_shown(self, conversation: Conversation) -> str:
        return str(conversation.team or shown.NOTHING)

    @display(description="Account")
    def account_shown(self, conversation: Conversation) -> str:
        return str(conversation.account or shown.NOTHING)

    @display(description="Deal stage")
    def stage(self, conversation: Conversation) -> str:
        return conversation.deal_stage or shown.NOTHING

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        conversation: Conversation = context["original"]
        may_erase = scope_of(request).may(
            Act.ERASE_CONVERSATIONS, company_id=conversation.company_id
        )
        context |= {
            "may_erase": may_erase and conversation.erased_at is None,
            "facts": _facts(request, conversation),
            "participants": Participant.objects.filter(conversation=conversation).order_by("pk"),
            "turns": _turns(conversation, request.GET.get(PAGE_PARAMETER)),
            "page_parameter": PAGE_PARAMETER,
            "results": [
                {
                    "link": shown.link_if_allowed(request, scan, scan.tracker.name),
                    "verdict": scans.verdict(scan),
                    "confidence": scan.get_confidence_display() or shown.NOTHING,
                    "is_earlier": scan.revision != conversation.text_revision,
                    "when": shown.instant(
                        scan.finished_at or scan.created_at, conversation.company
                    ),
                }
                for scan in _results(conversation)
            ],
        }
        return super().render_change_form(request, context, *args, **kwargs)


def turn_anchor(utterance: Utterance) -> str:
    """Return the id of an utterance on the page of its conversation."""
    return f"turn-{utterance.pk}"


def turn_address(utterance: Utterance) -> str:
    """Return what leads from the address of a conversation's page to one turn of its text."""
    page = utterance.position // UTTERANCES_PER_PAGE + 1
    return f"?{PAGE_PARAMETER}={page}#{turn_anchor(utterance)}"


def _facts(request: HttpRequest, conversation: Conversation) -> list[tuple[str, object]]:
    """Name what is stored on the conversation, as it was when it arrived."""
    company = conversation.company
    return reading.facts(
        [
            ("Kind", conversation.get_kind_display()),
            ("Started", shown.instant(conversation.started_at, company)),
            ("Length", reading.clock(conversation.duration_seconds or None)),
            ("Owner", shown.link_if_allowed(request, conversation.owner)),
            ("Team", shown.link_if_allowed(request, conversation.team)),
            ("Account", shown.link_if_allowed(request, conversation.account)),
            ("Account type", conversation.account_type),
            ("Deal", shown.link_if_allowed(request, conversation.deal)),
            ("Deal stage", conversation.deal_stage),
            ("External id", "" if conversation.erased_at else conversation.external_id),
            ("Source", conversation.source),
            ("Arrived", shown.instant(conversation.arrived_at, company)),
            *_erased(conversation),
        ]
    )


def _erased(conversation: Conversation) -> list[tuple[str, object]]:
    """Say when a conversation was erased; of its times, only the days are left."""
    if conversation.erased_at is None:
        return []
    return [("Erased", shown.instant(conversation.erased_at, conversation.company))]


def _turns(conversation: Conversation, number: str | None) -> Any:
    """Return one page of the utterances of the current text, with places in mm:ss."""
    utterances = (
        Utterance.objects.filter(conversation=conversation, revision=conversation.text_revision)
        .select_related("speaker")
        .order_by("position")
    )
    page: Any = Paginator(utterances, UTTERANCES_PER_PAGE).get_page(number)
    page.object_list = [
        {
            "anchor": turn_anchor(one),
            "speaker": str(one.speaker),
            "side": one.get_affiliation_display(),
            "time": reading.clock(one.start_seconds),
            "text": one.text,
        }
        for one in page.object_list
    ]
    return page


def _results(conversation: Conversation) -> QuerySet[Scan]:
    return (
        Scan.objects.filter(conversation=conversation)
        .select_related("tracker")
        .order_by("-pk")[:RESULTS_MAX]
    )
