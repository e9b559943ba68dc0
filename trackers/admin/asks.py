"""Ask anything: the page to ask on, the answers with what they stand on, and answer reuse."""

from __future__ import annotations

from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect
from django.shortcuts import redirect, render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from unfold.decorators import display
from unfold.widgets import (
    UnfoldAdminSelectWidget,
    UnfoldAdminTextareaWidget,
    UnfoldAdminTextInputWidget,
)

from credits import shown, zones
from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan
from credits.admin.scoped import ReadOnlyAdmin
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.models import Company, UsageAction, User
from credits.roles import Act
from trackers import asking, entities, language_model, reuse
from trackers.admin import conversations, reading
from trackers.analyzers.base import AnalyzerFailed
from trackers.analyzers.llm import analyzer as llm
from trackers.analyzers.offline import calibration
from trackers.entities import CALLS_MAX, EMAILS_MAX, AmbiguousName, Entity, UnknownEntity
from trackers.models import QUESTION_LENGTH_MAX, AskCitation, AskRequest, EntityType
from trackers.periods import LABELS, Period, PeriodRefused, Span
from trackers.requesters import Requester

SAMPLES = (
    "What did they say about the price?",
    "What worries them about changing over?",
    "Who decides, and by when?",
    "Which other vendors did they mention?",
    "What did we promise to send?",
)
NAMES_OFFERED = 5
REUSE_NOTE = (
    "While it is on, a question by API or MCP that was asked and charged before, about the same "
    "calls and e-mails with the same texts and by the same rights, gets the first answer again: 0 "
    "credits, and marked as reused. What a person asks at the page is free in any case."
)


class AskForm(forms.Form):
    """A question, whom or what it is about, and over which time."""

    entity_type = forms.ChoiceField(
        label="About",
        choices=EntityType.choices,
        widget=UnfoldAdminSelectWidget,
        help_text="A lead is a contact without an account.",
    )
    entity = forms.CharField(
        label="Which one",
        max_length=320,
        widget=UnfoldAdminTextInputWidget,
        help_text="The name of an account or deal; the e-mail address of a contact or lead.",
    )
    period = forms.ChoiceField(
        label="Calls and e-mails of",
        choices=[(name.value, label) for name, label in LABELS.items()],
        initial=Period.LAST_90DAYS,
        widget=UnfoldAdminSelectWidget,
    )
    first_day = forms.DateField(
        label="First day",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-11-01"}),
        help_text="For “From … to …” only.",
        error_messages={"invalid": "Write a day like 2026-11-01."},
    )
    last_day = forms.DateField(
        label="Last day",
        required=False,
        widget=UnfoldAdminTextInputWidget(attrs={"placeholder": "2026-11-30"}),
        error_messages={"invalid": "Write a day like 2026-11-30."},
    )
    question = forms.CharField(
        label="Question",
        max_length=QUESTION_LENGTH_MAX,
        widget=UnfoldAdminTextareaWidget(attrs={"rows": 3}),
        error_messages={"required": "Write the question to ask."},
    )

    def __init__(self, data: Any = None, *, company: Company, initial: Any = None) -> None:
        super().__init__(data, initial=initial)
        self.company = company
        self.found: Entity | None = None
        self.span: Span | None = None

    def clean(self) -> dict[str, Any]:
        values = super().clean() or {}
        if values.get("entity") and values.get("entity_type"):
            self._find(EntityType(values["entity_type"]), values["entity"])
        if values.get("period") and not {"first_day", "last_day"} & self.errors.keys():
            self._limit(Period(values["period"]), values.get("first_day"), values.get("last_day"))
        return values

    def _find(self, entity_type: EntityType, text: str) -> None:
        try:
            self.found = entities.find(company=self.company, entity_type=entity_type, id=text)
        except AmbiguousName as error:
            self.add_error("entity", str(error))
        except UnknownEntity as error:
            near = entities.search(company=self.company, entity_type=entity_type, text=text)
            names = ", ".join(f"“{one.name}”" for one in near[:NAMES_OFFERED])
            self.add_error("entity", f"{error} Did you mean {names}?" if names else str(error))

    def _limit(self, period: Period, first: Any, last: Any) -> None:
        try:
            if period != Period.CUSTOM_RANGE:
                self.span = Span(period)
                return
            if first is None or last is None or last < first:
                raise PeriodRefused
            since, until = zones.days(first, last, ZoneInfo(self.company.time_zone))
            self.span = Span(period, since, until)
        except (PeriodRefused, OverflowError):
            self.add_error("first_day", "Write a first day and a last day that is not before it.")


@admin.register(AskRequest)
class AskRequestAdmin(ReadOnlyAdmin):
    """Questions and answers, whoever asked them; asking at the page is free."""

    view_act = Act.VIEW_CONVERSATIONS
    list_display = ("question_shown", "about", "asked", "by", "credits_shown", "saved_shown")
    list_display_links = ("question_shown",)
    list_filter = ("entity_type", "action")
    list_filter_submit = True
    search_fields = ("question",)
    search_help_text = "Search by the words of a question."
    list_select_related = ("company", "account", "deal", "contact", "asked_by")
    sortable_by = ()
    ordering = ("-asked_at", "pk")
    paginator = reading.BoundedPaginator
    fields = ()
    change_list_template = "admin/trackers/reading_list.html"
    list_before_template = "admin/trackers/asks_acts.html"
    empty_words = "Questions appear here when they are asked, at the page, by API or by MCP."

    class Media:
        css: ClassVar = {"all": ("trackers/reading.css",)}

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "trackers_askrequest"
        return [
            path("ask/", view(self.ask_view), name=f"{name}_ask"),
            path("reuse/", view(self.reuse_view), name=f"{name}_reuse"),
            *super().get_urls(),
        ]

    def ask_view(self, request: HttpRequest) -> HttpResponse:
        """Show the form; answer what is asked, for nothing, and show the answer."""
        scope = scope_of(request)
        if not scope.may(self.view_act):
            raise PermissionDenied
        company = scope.company
        if company is None:
            messages.warning(request, "Choose a company first: a question belongs to one.")
            return HttpResponseRedirect(reverse("admin:trackers_askrequest_changelist"))
        form = AskForm(company=company, initial=_initial(request, company))
        problems: list[str] = []
        if request.method == "POST":
            if not scope.may(Act.ASK, company_id=company.pk):
                raise scope.refusal(Act.ASK, company_id=company.pk)
            form = AskForm(request.POST, company=company)
            if form.is_valid():
                try:
                    row = _ask(form, company, request.user)
                except CompanyClosed as refusal:
                    problems.append(str(refusal))
                except AnalyzerFailed as failure:
                    problems.append(f"{failure} Nothing was written; ask again later.")
                else:
                    return redirect("admin:trackers_askrequest_change", row.pk)
        context = self.admin_site.each_context(request) | {
            "title": f"Ask anything — {company}",
            "form": form,
            "problems": problems,
            "samples": SAMPLES,
            "is_built_in": is_built_in(company.pk),
            "calls_max": CALLS_MAX,
            "emails_max": EMAILS_MAX,
            "may_ask": scope.may(Act.ASK, company_id=company.pk),
        }
        return render(request, "admin/trackers/askrequest/ask.html", context)

    def reuse_view(self, request: HttpRequest) -> HttpResponse:
        return acting.view_of_company(self, SwitchReuse, request, noun="answer reuse")

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        scope = scope_of(request)
        company = scope.company
        extra = {
            "may_ask": company is not None and scope.may(Act.ASK),
            "may_switch": company is not None and scope.may(Act.SWITCH_REUSE),
            "is_reused": company is not None and reuse.is_on(company),
            "saved": None if company is None else reuse.saved(company=company),
        }
        return super().changelist_view(request, (extra_context or {}) | extra)

    def name_of(self, row: AskRequest) -> str:
        return row.question or "Erased question"

    @display(description="Question")
    def question_shown(self, row: AskRequest) -> str:
        return self.name_of(row)

    @display(description="About")
    def about(self, row: AskRequest) -> str:
        return f"{row.get_entity_type_display()}: {row.subject}"

    @display(description="Asked")
    def asked(self, row: AskRequest) -> str:
        return shown.instant(row.asked_at, row.company)

    @display(description="Through")
    def by(self, row: AskRequest) -> str:
        return row.get_action_display()

    @display(description="Credits")
    def credits_shown(self, row: AskRequest) -> str:
        return shown.amount(row.credits, metric="ask-credits")

    @display(description="Saved")
    def saved_shown(self, row: AskRequest) -> str:
        return shown.amount(row.saved, metric="ask-saved") if row.saved else shown.NOTHING

    def render_change_form(
        self, request: HttpRequest, context: dict[str, Any], *args: Any, **kwargs: Any
    ) -> HttpResponse:
        row: AskRequest = context["original"]
        context |= {
            "facts": _facts(request, row),
            "citations": _cited(request, row),
            "ask": row,
            "is_built_in": row.analyzer.startswith(f"{calibration.NAME} "),
            "is_model": row.analyzer.startswith(f"{llm.NAME} "),
            "again": _again(row),
            "is_reused": row.reused_from_id is not None,
        }
        return super().render_change_form(request, context, *args, **kwargs)


class SwitchReuse(acting.Act):
    """Switch answer reuse on, or off again."""

    needs = Act.SWITCH_REUSE
    heading = "Answer reuse"
    verb = "changed"
    refusals = (CompanyClosed,)
    company: Company

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_askrequest_changelist")

    def label(self) -> str:
        return f"Turn reuse {_state(not reuse.is_on(self.company))}"

    def plan(self, form: ActForm) -> Plan:
        is_on = reuse.is_on(self.company)
        saved = reuse.saved(company=self.company)
        return Plan(
            facts=(
                ("Now", _state(is_on)),
                ("From now on", _state(not is_on)),
                ("Saved so far", shown.amount(saved, metric="reuse-saved")),
            ),
            notes=(REUSE_NOTE,),
        )

    def do(self, form: ActForm) -> Done:
        setting = reuse.switch(
            company=self.company, is_on=not reuse.is_on(self.company), by=self.by
        )
        return Done(self.back_url, f"Answer reuse is {_state(setting.is_on)}.")


def is_built_in(company_id: int) -> bool:
    return language_model.analyzer_of(company_id).name == calibration.NAME


def _state(is_on: bool) -> str:
    return "on" if is_on else "off"


def _initial(request: HttpRequest, company: Company) -> dict[str, Any]:
    """Return what the address fills in: the pages of accounts, deals and contacts link here."""
    initial = {
        name: request.GET[name]
        for name in ("entity_type", "entity", "period", "question")
        if request.GET.get(name)
    }
    if initial.get("entity_type") in EntityType.values and "entity" in initial:
        try:
            found = entities.find(
                company=company,
                entity_type=EntityType(initial["entity_type"]),
                id=initial["entity"],
            )
        except UnknownEntity:
            del initial["entity"]
        else:
            initial["entity"] = entities.address_of(found)
    return initial


def _ask(form: AskForm, company: Company, user: Any) -> AskRequest:
    assert isinstance(user, User)
    # The form is valid.
    assert form.found is not None
    assert form.span is not None
    return asking.ask(
        requester=Requester(company=company, action=UsageAction.MANUAL, user=user),
        question=form.cleaned_data["question"],
        entity=form.found,
        period=form.span,
        now=timezone.now(),
    )


def _facts(request: HttpRequest, row: AskRequest) -> list[tuple[str, object]]:
    company = row.company
    first = row.reused_from
    return reading.facts(
        [
            (row.get_entity_type_display(), shown.link_if_allowed(request, row.subject)),
            ("Period", row.get_period_display()),
            ("From", shown.instant(row.since, company) if row.since else "the beginning"),
            ("Until", shown.instant(row.until, company)),
            ("Read", f"{row.calls:,} calls and {row.emails:,} e-mails"),
            ("Credits", shown.amount(row.credits, metric="ask-credits")),
            *([("Saved", shown.amount(row.saved, metric="ask-saved"))] if first else []),
            ("Through", row.get_action_display()),
            ("Asked", shown.instant(row.asked_at, company)),
            ("By", str(row.asked_by) if row.asked_by else ""),
            ("Answered by", row.analyzer),
        ]
    )


def _cited(request: HttpRequest, row: AskRequest) -> list[dict[str, Any]]:
    citations = (
        AskCitation.objects.filter(ask=row)
        .select_related("conversation__company", "utterance__speaker")
        .order_by("rank")
    )
    return [
        {
            "rank": one.rank,
            "quote": one.quote,
            "speaker": str(one.utterance.speaker),
            "side": one.utterance.get_affiliation_display(),
            "time": reading.clock(one.utterance.start_seconds),
            "link": _link(one),
            "kind": one.conversation.get_kind_display(),
            "when": shown.instant(one.conversation.started_at, one.conversation.company),
            "is_earlier": not _is_current(one),
        }
        for one in citations
    ]


def _is_current(citation: AskCitation) -> bool:
    return citation.utterance.revision == citation.conversation.text_revision


def _link(citation: AskCitation) -> SafeString:
    """Link to the turn that is quoted, on its page of the conversation."""
    address = reverse("admin:trackers_conversation_change", args=[citation.conversation_id])
    if _is_current(citation):
        address += conversations.turn_address(citation.utterance)
    return format_html('<a class="credits-link" href="{}">{}</a>', address, citation.conversation)


def _again(row: AskRequest) -> str:
    """Return the address of the form, filled in with whom the question was about."""
    query = f"entity_type={row.entity_type}&entity={row.subject.pk}"
    return f"{reverse('admin:trackers_askrequest_ask')}?{query}"
