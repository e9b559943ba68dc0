"""Ask anything about an account, deal, contact or lead, and read an answer again."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import balances
from credits.api import problems, schema
from credits.api.fields import CodeField, IdField, InstantField, TextField
from credits.api.problems import Problem
from credits.api.views import ApiView, not_found
from credits.models import Scope
from trackers import asking, entities
from trackers.api import charged
from trackers.api.charged import ChargedInput, ChargedView
from trackers.entities import Entity
from trackers.models import (
    QUESTION_LENGTH_MAX,
    AskCitation,
    AskRequest,
    ConversationKind,
    EntityType,
)
from trackers.periods import LABELS, Period, PeriodRefused, Span

ENTITY_LENGTH_MAX = 320  # As long as an e-mail address.
PERIODS = [(name.value, label) for name, label in LABELS.items()]

REQUEST_EXAMPLE = {
    "question": "What did they say about the price?",
    "entity_type": "ACCOUNT",
    "entity": "Globex",
    "period": "LAST_90DAYS",
    "max_credits": "20",
}
DRY_RUN_EXAMPLE = REQUEST_EXAMPLE | {"dry_run": True}
EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b21",
    "question": "What did they say about the price?",
    "entity": {
        "type": "ACCOUNT",
        "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b22",
        "name": "Globex",
    },
    "period": "LAST_90DAYS",
    "since": "2026-08-23T22:00:00Z",
    "until": "2026-11-21T23:10:05.123456Z",
    "answer": "The built-in analyser quotes passages that resemble your question; it does not "
    "write answers. Check each quote.\n\n1. Customer: “That is too expensive for us.”",
    "is_found": True,
    "citations": [
        {
            "rank": 1,
            "conversation_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b23",
            "conversation_external_id": "call-118",
            "kind": "CALL",
            "title": "Renewal",
            "started_at": "2026-11-12T09:00:00Z",
            "utterance_id": "u41",
            "start_seconds": "754.500",
            "affiliation": "NON_COMPANY",
            "quote": "That is too expensive for us.",
        }
    ],
    "analyzer": "offline 1",
    "asked_at": "2026-11-21T23:10:05.123456Z",
    "reused_from": None,
    "credits": charged.CREDITS_EXAMPLE,
}


class AskInput(ChargedInput):
    """A question, whom or what it is about, and over which time."""

    question = TextField(max_length=QUESTION_LENGTH_MAX, help_text="In your own words.")
    entity_type = CodeField(choices=EntityType.choices, help_text="What `entity` is.")
    entity = TextField(
        max_length=ENTITY_LENGTH_MAX,
        help_text="Our id; or the name of an account or deal, or the e-mail address of a contact "
        "or lead.",
    )
    period = CodeField(
        choices=PERIODS,
        help_text="In your company's time zone, by when a call or e-mail started.",
    )
    since = InstantField(required=False, help_text="With CUSTOM_RANGE only: the first instant.")
    until = InstantField(
        required=False, help_text="With CUSTOM_RANGE only: the first instant after it."
    )

    class Meta:
        ref_name = "AskRequest"


class EntityOutput(serializers.Serializer[Any]):
    """What a question is about."""

    type = serializers.ChoiceField(choices=EntityType.choices)
    id = IdField()
    name = serializers.CharField(help_text="As it is now.")

    class Meta:
        ref_name = "AskedEntity"


class CitationOutput(serializers.Serializer[Any]):
    """A passage the answer stands on."""

    rank = serializers.IntegerField(help_text="1 is the best.")
    conversation_id = IdField()
    conversation_external_id = serializers.CharField(source="conversation.external_id")
    kind = serializers.ChoiceField(source="conversation.kind", choices=ConversationKind.choices)
    title = serializers.CharField(source="conversation.title")
    started_at = InstantField(source="conversation.started_at")
    utterance_id = serializers.CharField(
        source="utterance.external_id", help_text="The turn or paragraph, as it was sent in."
    )
    start_seconds = serializers.DecimalField(
        source="utterance.start_seconds",
        max_digits=10,
        decimal_places=3,
        allow_null=True,
        help_text="When the turn begins in the call; null where no time is known.",
    )
    affiliation = serializers.CharField(
        source="utterance.affiliation", help_text="COMPANY or NON_COMPANY."
    )
    quote = serializers.CharField(help_text="Word for word.")

    class Meta:
        ref_name = "Citation"


class ReusedOutput(serializers.Serializer[AskRequest]):
    """The earlier answer that was given again."""

    id = IdField()
    asked_at = InstantField()

    class Meta:
        ref_name = "ReusedAnswer"


class AskOutput(serializers.Serializer[AskRequest]):
    """An answer with what it stands on and what it cost."""

    id = IdField()
    question = serializers.CharField()
    entity = EntityOutput(source="*")
    period = serializers.ChoiceField(choices=PERIODS)
    since = InstantField(allow_null=True, help_text="What the period meant; null: no beginning.")
    until = InstantField()
    answer = serializers.CharField()
    is_found = serializers.BooleanField(help_text="false: nothing was found, and nothing cited.")
    citations = CitationOutput(many=True)
    analyzer = serializers.CharField(help_text="What read the calls and e-mails.")
    asked_at = InstantField()
    reused_from = ReusedOutput(
        allow_null=True, help_text="Set where an earlier answer was given again for 0 credits."
    )
    credits = charged.CreditsOutput(source="*")

    class Meta:
        ref_name = "Ask"

    def to_representation(self, row: AskRequest) -> dict[str, Any]:
        subject = row.subject
        return {
            "id": str(row.pk),
            "question": row.question,
            "entity": {"type": row.entity_type, "id": str(subject.pk), "name": str(subject)},
            "period": row.period,
            "since": None if row.since is None else InstantField().to_representation(row.since),
            "until": InstantField().to_representation(row.until),
            "answer": row.answer,
            "is_found": row.is_found,
            "citations": CitationOutput(list(citations_of(row)), many=True).data,
            "analyzer": row.analyzer,
            "asked_at": InstantField().to_representation(row.asked_at),
            "reused_from": None if row.reused_from is None else ReusedOutput(row.reused_from).data,
            "credits": charged.credits_of(
                used=row.credits,
                remaining=remaining_of(row),
                calls=row.calls,
                emails=row.emails,
                saved=row.saved,
            ),
        }


class AsksView(ChargedView):
    """Asking, which is charged."""

    scopes: ClassVar = {"POST": Scope.ASK}

    @extend_schema(
        operation_id="ask",
        tags=["Ask and briefs"],
        summary="Ask anything about an account, deal, contact or lead",
        request=AskInput,
        parameters=charged.PARAMETERS,
        examples=[
            OpenApiExample("ask", value=REQUEST_EXAMPLE, request_only=True),
            OpenApiExample("dry run", value=DRY_RUN_EXAMPLE, request_only=True),
        ],
        responses={
            200: schema.answered(
                charged.either("AskAnswer", AskOutput),
                "The answer; or with `dry_run` its price.",
                answer=EXAMPLE,
                dry_run=charged.ESTIMATE_EXAMPLE,
            )
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Charged for each call and e-mail that is read, at most 60 and 500, newest first.

        Where none is found the answer costs 0; where some are, it is charged even if the answer
        is not in them. `dry_run` says the price and does nothing; above `max_credits` nothing is
        done. The same `Idempotency-Key` again gives the first answer and is never charged twice.
        """
        key, values = charged.read(self, body=AskInput)
        with charged.refused(), asked():
            now = timezone.now()
            entity = entity_of(self, values)
            span = span_of(values)
            if values.get("dry_run"):
                return charged.estimated(
                    asking.estimate(
                        requester=self.requester,
                        entity=entity,
                        period=span,
                        now=now,
                        question=values["question"],
                    )
                )
            row = asking.ask(
                requester=self.requester,
                question=values["question"],
                entity=entity,
                period=span,
                now=now,
                key=key,
                max_credits=values.get("max_credits"),
            )
        return charged.answered(
            AskOutput(row).data,
            used=row.credits,
            remaining=remaining_of(row),
            location=reverse("api_ask", args=[row.pk]),
            is_replay=row.is_replay,
        )


class AskView(ApiView):
    """One answer of the key's company."""

    scopes: ClassVar = {"GET": Scope.ASK}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_ask",
        tags=["Ask and briefs"],
        summary="Read an answer again",
        responses={200: schema.answered(AskOutput, "The answer.", answer=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """Free. `credits` says what it cost and what was left then.

        An answer that cited something erased since is not found.
        """
        row = asks_of(self).filter(pk=id).first()
        if row is None:
            raise not_found("answer")
        return Response(AskOutput(row).data, headers={"Cache-Control": "no-store"})


def entity_of(view: ApiView, values: dict[str, Any]) -> Entity:
    """Return what a body's ``entity_type`` and ``entity`` name.

    :raises UnknownEntity: the company has none.
    """
    return entities.find(
        company=view.company,
        entity_type=EntityType(values["entity_type"]),
        id=values["entity"],
    )


def span_of(values: dict[str, Any]) -> Span:
    """Return what a body's ``period``, ``since`` and ``until`` say.

    :raises Problem: they do not fit each other.
    """
    try:
        return Span(Period(values["period"]), values.get("since"), values.get("until"))
    except PeriodRefused as error:
        raise _wrong("period", str(error)) from error


def asks_of(view: ApiView) -> QuerySet[AskRequest]:
    """Return the answers of the view's company that can be read."""
    rows = AskRequest.objects.filter(company=view.company, erased_at=None)
    return rows.select_related("account", "deal", "contact", "reused_from")


def citations_of(row: AskRequest) -> QuerySet[AskCitation]:
    return row.citations.select_related("conversation", "utterance").order_by("rank")


def remaining_of(row: AskRequest) -> Decimal:
    """Return what its caller was told is left; what is left now if nobody was told."""
    if row.remaining is not None:
        return row.remaining
    return balances.now(company=row.company).available


@contextmanager
def asked() -> Iterator[None]:
    """Turn what is wrong with a question into its problem."""
    try:
        yield
    except (asking.EmptyQuestion, asking.LongQuestion) as error:
        raise _wrong("question", str(error)) from error


def _wrong(name: str, detail: str) -> Problem:
    return Problem(
        problems.INVALID_BODY, f"{name}: {detail}", errors=[{"name": name, "detail": detail}]
    )
