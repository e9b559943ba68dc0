"""Briefs: which there are, what running one costs, running one, and reading a run again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import ClassVar
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api import pages, problems, schema
from credits.api.fields import CodeField, FlagField, InstantField, TextField
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView, not_found
from credits.ledger import Key
from credits.models import Scope
from trackers import entities, running_briefs
from trackers.api import asks, charged
from trackers.api.brief_answers import (
    BRIEF_EXAMPLE,
    REQUEST_EXAMPLE,
    RUN_EXAMPLE,
    BriefOutput,
    BriefPageOutput,
    RunOutput,
    remaining_of,
)
from trackers.api.charged import ChargedInput, ChargedView
from trackers.models import (
    Brief,
    BriefRun,
    BriefSection,
    EntityType,
)
from trackers.running_briefs import BriefRefused


class BriefParameters(pages.PageParameters):
    """Which briefs."""

    entity_type = CodeField(
        required=False, choices=EntityType.choices, help_text="What they are about."
    )
    is_published = FlagField(
        required=False, help_text="true: those that can be run; false: the others."
    )


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
        brief = brief_of(self, id)
        sent, values = charged.read(self, body=RunInput)
        # Which brief is in the address, and part of the request all the same.
        key = sent and Key.of(sent.text, brief=str(brief.pk), body=sent.body_sha256.hex())
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


@contextmanager
def refused() -> Iterator[None]:
    """Turn what cannot be run into its problem."""
    try:
        yield
    except BriefRefused as error:
        raise Problem(
            problems.INVALID_BODY, str(error), errors=[{"name": "", "detail": str(error)}]
        ) from error
