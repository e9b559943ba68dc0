"""The language model: its switch, what was asked of it and used, and a test of the connection."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import URLPattern, path, reverse
from django.utils import timezone
from unfold.decorators import display

from credits import shown
from credits.admin import acting
from credits.admin.acting import ActForm, Done, Plan
from credits.admin.scoped import ReadOnlyAdmin
from credits.companies import CompanyClosed
from credits.current_company import scope_of
from credits.models import Company
from credits.roles import Act
from trackers import language_model, llm_connection, llm_usage
from trackers.admin import reading
from trackers.language_model import NotSetUp
from trackers.models import LlmAttempt, Tracker, TrackerKind, TrackerState

SPAN = timedelta(days=30)
LEAVES = (
    (
        "While it is on, this leaves the site for each call or e-mail that a question tracker "
        "reads, and for what answers a question or a section of a brief: the words that were "
        "said, which side said them, the tracker's question with its details and example "
        "phrases, and the question asked."
    ),
    (
        "Not sent as such: names, addresses, accounts, deals, dates, recordings, credits, or "
        "anything of another company. Names that were said or written in the text itself are "
        "part of it."
    ),
    (
        "What was sent cannot be called back: erasing a conversation here does not erase it "
        "there. Ask whoever runs this site what the model's provider keeps, and for how long."
    ),
    (
        "While the model does not answer, what needs it waits or fails and says so, and nothing "
        "is charged for that; the built-in analyser never reads in its place. Prices in credits "
        "stay the same. Keyword and shipped trackers are read here, as before."
    ),
)


@admin.register(LlmAttempt)
class LlmAttemptAdmin(ReadOnlyAdmin):
    """Each request to the language model, with what it used; no word of what was sent."""

    view_act = Act.VIEW_LLM
    list_display = (
        "begun",
        "purpose",
        "outcome",
        "sent",
        "received",
        "took",
        "model",
        "mode",
        "request_id",
    )
    list_display_links = ("begun",)
    list_filter = ("purpose", "outcome", "mode")
    list_filter_submit = True
    search_fields = ("request_id",)
    search_help_text = "Search by the request's id at the model's server."
    sortable_by = ()
    ordering = ("-begun_at", "pk")
    paginator = reading.BoundedPaginator
    fields = (*list_display, "run_ref")
    readonly_fields = fields
    change_list_template = "admin/trackers/reading_list.html"
    list_before_template = "admin/trackers/language_model.html"
    empty_words = "Requests appear here when the language model is switched on and asked."

    def get_urls(self) -> list[URLPattern]:
        view = self.admin_site.admin_view
        name = "trackers_llmattempt"
        return [
            path("switch/", view(self.switch_view), name=f"{name}_switch"),
            path("test/", view(self.test_view), name=f"{name}_test"),
            *super().get_urls(),
        ]

    def switch_view(self, request: HttpRequest) -> HttpResponse:
        return acting.view_of_company(self, SwitchModel, request, noun="the language model")

    def test_view(self, request: HttpRequest) -> HttpResponse:
        """Ask the model one question about a made-up call, and show its answer."""
        if not scope_of(request).may(Act.TEST_LLM):
            raise PermissionDenied
        result = None
        if request.method == "POST" and language_model.is_set_up():
            result = llm_connection.test(company=scope_of(request).company)
        context = self.admin_site.each_context(request) | {
            "title": "Test the language model",
            "problems": [] if language_model.is_set_up() else [NotSetUp.__doc__],
            "is_set_up": language_model.is_set_up(),
            "server": _server(),
            "call": llm_connection.CALL.utterances,
            "question": llm_connection.QUESTION.text,
            "result": result,
        }
        return render(request, "admin/trackers/language_model_test.html", context)

    def changelist_view(self, request: HttpRequest, extra_context: Any = None) -> HttpResponse:
        scope, now = scope_of(request), timezone.now()
        company = scope.company
        shown_companies = scope.choices if company is None else (company,)
        extra = {
            "title": "Language model",
            "server": _server(),
            "is_of_company": company is not None,
            "is_on": company is not None and language_model.is_on(company.pk),
            "may_switch": company is not None and scope.may(Act.SWITCH_LLM),
            "may_test": scope.may(Act.TEST_LLM),
            "uses": llm_usage.by_company(since=now - SPAN, until=now, companies=shown_companies),
            "days": SPAN.days,
        }
        return super().changelist_view(request, (extra_context or {}) | extra)

    @display(description="Asked")
    def begun(self, row: LlmAttempt) -> str:
        if row.company is None:
            return shown.utc(row.begun_at)
        return shown.instant(row.begun_at, row.company)

    @display(description="Tokens sent")
    def sent(self, row: LlmAttempt) -> str:
        return f"{'≈' if row.is_estimated else ''}{row.tokens_in:,}"

    @display(description="Tokens received")
    def received(self, row: LlmAttempt) -> str:
        return f"{'≈' if row.is_estimated else ''}{row.tokens_out:,}"

    @display(description="Took")
    def took(self, row: LlmAttempt) -> str:
        return shown.NOTHING if row.latency_ms is None else f"{row.latency_ms / 1000:.1f} s"


class SwitchModel(acting.Act):
    """Let the company's texts be sent to the language model, or no longer."""

    needs = Act.SWITCH_LLM
    heading = "Language model"
    verb = "changed"
    refusals = (CompanyClosed, NotSetUp)
    company: Company

    @property
    def back_url(self) -> str:
        return reverse("admin:trackers_llmattempt_changelist")

    def label(self) -> str:
        return f"Turn the language model {_state(not language_model.is_on(self.company.pk))}"

    def question(self) -> str:
        # Short in front: on a phone the end is cut off.
        if language_model.is_on(self.company.pk):
            return f"Language model off — {self.company}?"
        return f"Language model on — {self.company}?"

    def check(self) -> None:
        """Refuse to switch on what is not there; off is always possible."""
        if not language_model.is_on(self.company.pk) and not language_model.is_set_up():
            raise NotSetUp(NotSetUp.__doc__)

    def plan(self, form: ActForm) -> Plan:
        self.check()
        is_on = language_model.is_on(self.company.pk)
        count = Tracker.objects.filter(
            company=self.company,
            state=TrackerState.PUBLISHED,
            current_version__kind=TrackerKind.QUESTION,
        ).count()
        server = _server()
        facts = [("Now", _state(is_on)), ("From now on", _state(not is_on))]
        if server is not None:
            facts += [("Model", server.model), ("Sent to", server.host)]
        facts.append(("Question trackers it reads for", f"{count:,}"))
        return Plan(facts=tuple(facts), notes=() if is_on else LEAVES)

    def do(self, form: ActForm) -> Done:
        setting = language_model.switch(
            company=self.company, is_on=not language_model.is_on(self.company.pk), by=self.by
        )
        return Done(self.back_url, f"The language model is {_state(setting.is_on)}.")


@dataclass(frozen=True, slots=True)
class Server:
    """Where the model is, as people may see it: no path, and never a key."""

    host: str
    model: str


def _server() -> Server | None:
    if settings.LLM is None:
        return None
    parts = urlsplit(settings.LLM.base_url)
    return Server(f"{parts.scheme}://{parts.netloc}", settings.LLM.model)


def _state(is_on: bool) -> str:
    return "on" if is_on else "off"
