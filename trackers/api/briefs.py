"""Briefs: which there are, what running one costs, running one, and reading a run again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import balances
from credits.api import pages, problems, schema, writes
from credits.api.fields import AmountField, CodeField, FlagField, IdField, InstantField, TextField
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView, not_found
from credits.ledger import Key
from credits.models import Scope
from trackers import entities, running_briefs
from trackers.api import asks, charged
from trackers.api.charged import ChargedInput, ChargedView
from trackers.models import (
    Brief,
    BriefCitation,
    BriefPage,
    BriefResult,
    BriefRun,
    BriefSection,
    EntityType,
    ResultState,
    SectionKind,
)
from trackers.running_briefs import BriefRefused

SECTION_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b31",
    "position": 1,
    "kind": "CONVERSATIONS",
    "title": "Open risks",
    "question": "What are the open risks?",
    "tracker_id": None,
}
BRIEF_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b30",
    "name": "Account review",
    "description": "What to know before a renewal.",
    "entity_type": "ACCOUNT",
    "is_published": True,
    "sections": [SECTION_EXAMPLE],
    "created_at": "2026-10-01T08:00:00Z",
    "changed_at": "2026-11-02T09:30:00Z",
}
REQUEST_EXAMPLE = {"entity": "Globex", "period": "LAST_90DAYS", "max_credits": "40"}
RUN_EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b32",
    "brief_id": BRIEF_EXAMPLE["id"],
    "brief_name": "Account review",
    "entity": asks.EXAMPLE["entity"],
    "period": "LAST_90DAYS",
    "since": "2026-08-23T22:00:00Z",
    "until": "2026-11-21T23:10:05.123456Z",
    "state": "DONE",
    "calls_read": 10,
    "emails_read": 26,
    "facts": ["Read: 10 calls and 26 e-mails.", "Last contact: 12 Nov 2026, by call."],
    "sections": [
        {
            "position": 1,
            "section_id": SECTION_EXAMPLE["id"],
            "kind": "CONVERSATIONS",
            "title": "Open risks",
            "question": "What are the open risks?",
            "tracker_id": None,
            "state": "DONE",
            "reason": None,
            "text": ["Quoted, not answered: these passages resemble the question."],
            "citations": asks.EXAMPLE["citations"],
            "pages": [],
            "analyzer": "offline 1",
            "credits_used": "12.4",
            "usage_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12",
        }
    ],
    "started_at": "2026-11-21T23:10:05.123456Z",
    "estimate": "12.4",
    "credits": {
        "used": "12.4",
        "remaining": "8357.0",
        "saved": "0.0",
        "breakdown": {"calls": 10, "emails": 26, "web_searches": 0},
    },
}


class BriefParameters(pages.PageParameters):
    """Which briefs."""

    entity_type = CodeField(
        required=False, choices=EntityType.choices, help_text="What they are about."
    )
    is_published = FlagField(
        required=False, help_text="true: those that can be run; false: the others."
    )


class SectionOutput(serializers.Serializer[BriefSection]):
    """One part of a brief."""

    id = IdField()
    position = serializers.IntegerField()
    kind = serializers.ChoiceField(
        choices=SectionKind.choices, help_text="Results of a tracker are free."
    )
    title = serializers.CharField()
    question = serializers.CharField(allow_null=True, help_text="Null for results of a tracker.")
    tracker_id = IdField(allow_null=True)

    class Meta:
        ref_name = "BriefSection"

    def to_representation(self, row: BriefSection) -> dict[str, Any]:
        return {
            "id": str(row.pk),
            "position": row.position,
            "kind": row.kind,
            "title": row.title,
            "question": row.question or None,
            "tracker_id": None if row.tracker_id is None else str(row.tracker_id),
        }


class BriefOutput(serializers.Serializer[Brief]):
    """A template of sections about one type of entity."""

    id = IdField()
    name = serializers.CharField()
    description = serializers.CharField()
    entity_type = serializers.ChoiceField(choices=EntityType.choices)
    is_published = serializers.BooleanField(help_text="Only published briefs can be run.")
    sections = SectionOutput(many=True)
    created_at = InstantField()
    changed_at = InstantField()

    class Meta:
        ref_name = "Brief"


class BriefPageOutput(serializers.Serializer[Any]):
    items = BriefOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class RunInput(ChargedInput):
    """Whom or what a brief is to be about, and over which time."""

    entity = TextField(
        max_length=asks.ENTITY_LENGTH_MAX,
        help_text="Of the brief's type: our id; or the name of an account or deal, or the e-mail "
        "address of a contact or lead.",
    )
    period = CodeField(
        choices=asks.PERIODS,
        help_text="In your company's time zone, by when a call or e-mail started.",
    )
    since = InstantField(required=False, help_text="With CUSTOM_RANGE only: the first instant.")
    until = InstantField(
        required=False, help_text="With CUSTOM_RANGE only: the first instant after it."
    )

    class Meta:
        ref_name = "BriefRunRequest"


class WebPageOutput(serializers.Serializer[BriefPage]):
    """A page that a web search found; what it says comes from elsewhere."""

    title = serializers.CharField()
    url = serializers.CharField()
    excerpt = serializers.CharField()

    class Meta:
        ref_name = "BriefWebPage"


class ResultOutput(serializers.Serializer[BriefResult]):
    """What one section said."""

    position = serializers.IntegerField()
    section_id = IdField(help_text="The section as it was then.")
    kind = serializers.ChoiceField(choices=SectionKind.choices)
    title = serializers.CharField()
    question = serializers.CharField(help_text="Of a tracker, its name.")
    tracker_id = IdField(allow_null=True)
    state = serializers.ChoiceField(choices=ResultState.choices)
    reason = serializers.CharField(
        allow_null=True, help_text="Why it is missing; such a section costs 0."
    )
    text = serializers.ListField(child=serializers.CharField(), help_text="Its sentences.")
    citations = asks.CitationOutput(many=True)
    pages = WebPageOutput(many=True)
    analyzer = serializers.CharField(help_text="What read, or searched; empty for a tracker.")
    credits_used = AmountField(help_text="What this section used.")
    usage_id = IdField(allow_null=True, help_text="Its usage event.")

    class Meta:
        ref_name = "BriefResult"

    def to_representation(self, row: BriefResult) -> dict[str, Any]:
        return {
            "position": row.position,
            "section_id": str(row.section_ref),
            "kind": row.kind,
            "title": row.title,
            "question": row.question,
            "tracker_id": None if row.tracker_ref is None else str(row.tracker_ref),
            "state": row.state,
            "reason": row.reason or None,
            "text": row.text,
            "citations": asks.CitationOutput(row.citations.all(), many=True).data,
            "pages": WebPageOutput(list(row.pages.all()), many=True).data,  # type: ignore[arg-type]
            "analyzer": row.analyzer,
            "credits_used": AmountField().to_representation(row.credits),
            "usage_id": None if row.usage_ref is None else str(row.usage_ref),
        }


class RunOutput(serializers.Serializer[BriefRun]):
    """A brief put together about one entity, and what it cost."""

    id = IdField()
    brief_id = IdField()
    brief_name = serializers.CharField(help_text="As it is now.")
    entity = asks.EntityOutput(source="*")
    period = serializers.ChoiceField(choices=asks.PERIODS)
    since = InstantField(allow_null=True, help_text="What the period meant; null: no beginning.")
    until = InstantField()
    state = serializers.ChoiceField(
        choices=[("RUNNING", "Running"), ("DONE", "Done")],
        help_text="A run that stays RUNNING for 15 minutes was interrupted.",
    )
    calls_read = serializers.IntegerField(help_text="At most 60, newest first.")
    emails_read = serializers.IntegerField(help_text="At most 500, newest first.")
    facts = serializers.ListField(
        child=serializers.CharField(), help_text="What is counted, not understood."
    )
    sections = ResultOutput(many=True)
    started_at = InstantField()
    estimate = AmountField(help_text="What was held at first; never more is used.")
    credits = charged.CreditsOutput(
        source="*", help_text="What two sections read is counted twice, as it is charged."
    )

    class Meta:
        ref_name = "BriefRun"

    def to_representation(self, row: BriefRun) -> dict[str, Any]:
        subject = row.entity_row
        instant = InstantField().to_representation
        results = list(results_of(row))
        return {
            "id": str(row.pk),
            "brief_id": str(row.brief_id),
            "brief_name": row.brief.name,
            "entity": {"type": row.entity_type, "id": str(subject.pk), "name": str(subject)},
            "period": row.period,
            "since": None if row.since is None else instant(row.since),
            "until": instant(row.until),
            "state": "DONE" if row.is_finished else "RUNNING",
            "calls_read": row.calls,
            "emails_read": row.emails,
            "facts": row.facts,
            "sections": ResultOutput(results, many=True).data,  # type: ignore[arg-type]
            "started_at": instant(row.started_at),
            "estimate": AmountField().to_representation(row.estimate),
            "credits": charged.credits_of(
                used=row.credits,
                remaining=remaining_of(row),
                calls=sum(one.calls for one in results),
                emails=sum(one.emails for one in results),
                web_searches=sum(one.web_searches for one in results),
            ),
        }


class BriefsView(PageView):
    """The briefs of the key's company."""

    scopes: ClassVar = {"GET": Scope.BRIEF}
    parameters = BriefParameters
    order = pages.Order((("created_at", pages.instant), ("pk", pages.uuid)))
    output = BriefOutput

    @extend_schema(
        operation_id="list_briefs",
        tags=["Ask and briefs"],
        summary="List briefs",
        parameters=[BriefParameters],
        responses={
            200: schema.answered(
                BriefPageOutput,
                "One page of briefs.",
                briefs={"items": [BRIEF_EXAMPLE], "next_cursor": None},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """Free. Each with its sections, oldest first."""
        rows = briefs_of(self)
        given = {
            name: self.values[name]
            for name in ("entity_type", "is_published")
            if name in self.values
        }
        return self.page(rows.filter(**given))


class BriefView(ApiView):
    """One brief of the key's company."""

    scopes: ClassVar = {"GET": Scope.BRIEF}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_brief",
        tags=["Ask and briefs"],
        summary="Read a brief",
        responses={200: schema.answered(BriefOutput, "The brief.", brief=BRIEF_EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """Free. What it consists of, not what it said."""
        return Response(BriefOutput(brief_of(self, id)).data)


class BriefRunsView(ChargedView):
    """Running a brief, which is charged."""

    scopes: ClassVar = {"POST": Scope.BRIEF}

    @extend_schema(
        operation_id="run_brief",
        tags=["Ask and briefs"],
        summary="Run a brief about an account, deal, contact or lead",
        request=RunInput,
        parameters=charged.PARAMETERS,
        examples=[
            OpenApiExample("run", value=REQUEST_EXAMPLE, request_only=True),
            OpenApiExample("dry run", value=REQUEST_EXAMPLE | {"dry_run": True}, request_only=True),
        ],
        responses={
            200: schema.answered(
                charged.either("BriefAnswer", RunOutput),
                "What it said; or with `dry_run` its price.",
                brief=RUN_EXAMPLE,
                dry_run=charged.ESTIMATE_EXAMPLE,
            )
        },
    )
    def post(self, request: Request, id: UUID) -> HttpResponse:
        """Charged section by section, each for the calls and e-mails it reads or its web search.

        The whole price is held before any work. A section that fails costs 0 and says why; results
        of trackers are free. `dry_run` says the price and does nothing; above `max_credits`
        nothing is done. The same `Idempotency-Key` again gives the first run and is never charged
        twice.
        """
        sent, values = writes.read(self, body=RunInput)
        brief = brief_of(self, id)
        # Which brief is in the address, and part of the request all the same.
        key = Key.of(sent.text, brief=str(brief.pk), body=sent.body_sha256.hex())
        with charged.refused(), refused():
            now = timezone.now()
            entity = entities.find(
                company=self.company,
                entity_type=EntityType(brief.entity_type),
                id=values["entity"],
            )
            span = asks.span_of(values)
            if values.get("dry_run"):
                return charged.estimated(
                    running_briefs.estimate(
                        requester=self.requester, brief=brief, entity=entity, period=span, now=now
                    )
                )
            row = running_briefs.run(
                requester=self.requester,
                brief=brief,
                entity=entity,
                period=span,
                now=now,
                key=key,
                max_credits=values.get("max_credits"),
            )
        return charged.answered(
            RunOutput(row).data,
            used=row.credits,
            remaining=remaining_of(row),
            location=reverse("api_brief_run", args=[row.pk]),
            is_replay=row.is_replay,
        )


class BriefRunView(ApiView):
    """One run of the key's company."""

    scopes: ClassVar = {"GET": Scope.BRIEF}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_brief_run",
        tags=["Ask and briefs"],
        summary="Read what a brief said again",
        responses={200: schema.answered(RunOutput, "The run.", run=RUN_EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """Free. `credits` says what it cost and what was left then."""
        row = (
            BriefRun.objects.filter(company=self.company, pk=id)
            .select_related("brief", "account", "deal", "contact", "company")
            .first()
        )
        if row is None:
            raise not_found("brief run")
        return Response(RunOutput(row).data, headers={"Cache-Control": "no-store"})


def briefs_of(view: ApiView) -> QuerySet[Brief]:
    """Return the briefs of the view's company with their sections."""
    sections = BriefSection.objects.order_by("position")
    return Brief.objects.filter(company=view.company).prefetch_related(
        Prefetch("sections", queryset=sections)
    )


def brief_of(view: ApiView, pk: UUID) -> Brief:
    """Return one of them.

    :raises Problem: the company has none.
    """
    row = briefs_of(view).filter(pk=pk).first()
    if row is None:
        raise not_found("brief")
    return row


def results_of(run: BriefRun) -> QuerySet[BriefResult]:
    cited = BriefCitation.objects.select_related("conversation", "utterance").order_by("rank")
    return run.results.order_by("position").prefetch_related(
        Prefetch("citations", queryset=cited),
        Prefetch("pages", queryset=BriefPage.objects.order_by("rank")),
    )


def remaining_of(run: BriefRun) -> Any:
    """Return what its caller was told is left; what is left now if nobody was told."""
    if run.remaining is not None:
        return run.remaining
    return balances.now(company=run.company).available


@contextmanager
def refused() -> Iterator[None]:
    """Turn what cannot be run into its problem."""
    try:
        yield
    except BriefRefused as error:
        raise Problem(
            problems.INVALID_BODY, str(error), errors=[{"name": "", "detail": str(error)}]
        ) from error
