"""Send calls and e-mails in, one or many, each with an answer of its own."""

from __future__ import annotations

from typing import Any, ClassVar

from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import rating
from credits.api import pages, problems, reading, schema, writes
from credits.api.fields import AmountField, IdField
from credits.api.problem_types import CONVERSATION_ERASED
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView
from credits.idempotency import Answer
from credits.identifiers import new_id
from credits.models import Scope
from credits.rate_limits import Tally
from trackers import receiving
from trackers.api import acting, charged, conversations
from trackers.api.conversation_inputs import (
    EXAMPLE,
    IngestionParser,
    OneInput,
    SeveralInput,
)
from trackers.receiving import Item, Outcome, Receipt

INGESTIONS = Tally(
    "trackers_ingestiontally",
    "API_INGESTIONS_PER_SECOND",
    "API_INGESTIONS_PER_DAY",
    "requests that send conversations",
)

ITEM_EXAMPLE = {
    "index": 0,
    "outcome": "CREATED",
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b51",
    "revision": 1,
    "is_new": True,
    "trackers": 2,
    "reason": "",
}
REFUSED_EXAMPLE = {
    "index": 1,
    "outcome": "REFUSED",
    "id": None,
    "revision": None,
    "is_new": None,
    "trackers": 0,
    "reason": "utterance u7 is spoken by p9, who is not a participant",
}
ONE_EXAMPLE = ITEM_EXAMPLE | {"dry_run": False, "credits": None}
ONE_DRY_EXAMPLE = ITEM_EXAMPLE | {"id": None, "dry_run": True, "credits": "2.0"}
SEVERAL_EXAMPLE = {
    "dry_run": False,
    "items": [ITEM_EXAMPLE, REFUSED_EXAMPLE],
    "created": 1,
    "revised": 0,
    "updated": 0,
    "unchanged": 0,
    "refused": 1,
    "new": 1,
    "history": 0,
    "scans": 2,
    "credits": None,
}


class ItemOutput(serializers.Serializer[Any]):
    """What became of one call or e-mail. Answers are kept, so they hold no words, nor your ids."""

    index = serializers.IntegerField(help_text="Its place in what was sent, from 0.")
    outcome = serializers.ChoiceField(choices=Outcome.choices)
    id = IdField(allow_null=True, help_text="Ours; null when refused, or not there yet.")
    revision = serializers.IntegerField(allow_null=True, help_text="Of its text.")
    is_new = serializers.BooleanField(
        allow_null=True,
        help_text="True: trackers read it by themselves. False: it is history, which costs "
        "nothing until a backfill. Null: it was there before, or was refused.",
    )
    trackers = serializers.IntegerField(help_text="How many trackers read it by themselves.")
    reason = serializers.CharField(help_text="Why it was refused; else empty.")

    class Meta:
        ref_name = "IngestedItem"


class OneOutput(ItemOutput):
    """What became of a call or e-mail."""

    dry_run = serializers.BooleanField(help_text="True: nothing was taken in.")
    credits = AmountField(
        allow_null=True, help_text="With `dry_run`: what reading it will use; else null."
    )

    class Meta:
        ref_name = "Ingested"


class SeveralOutput(serializers.Serializer[Any]):
    """What became of each, in the order in which they were sent, and how many of each."""

    dry_run = serializers.BooleanField(help_text="True: nothing was taken in.")
    items = ItemOutput(many=True)
    created = serializers.IntegerField()
    revised = serializers.IntegerField()
    updated = serializers.IntegerField()
    unchanged = serializers.IntegerField()
    refused = serializers.IntegerField()
    new = serializers.IntegerField(help_text="Created, and read by trackers by themselves.")
    history = serializers.IntegerField(help_text="Created, and read by no tracker by itself.")
    scans = serializers.IntegerField(help_text="Readings queued: one for each tracker.")
    credits = AmountField(
        allow_null=True, help_text="With `dry_run`: what the readings will use; else null."
    )

    class Meta:
        ref_name = "IngestedSeveral"


class ConversationsView(PageView):
    """The calls and e-mails of the key's company."""

    scopes: ClassVar = {"GET": Scope.CONVERSATIONS_READ, "POST": Scope.CONVERSATIONS_WRITE}
    parameters = conversations.ConversationParameters
    parameters_of_writes = charged.ChargedParameters
    parser_classes = (IngestionParser,)
    tallies: ClassVar = {"POST": INGESTIONS}
    # Ids are time-ordered: this is the order in which they arrived, which never changes.
    order = pages.Order((("id", pages.uuid),))
    output = conversations.ConversationOutput
    raises_on_writes = (CONVERSATION_ERASED,)

    @extend_schema(
        operation_id="list_conversations",
        tags=["Conversations"],
        summary="List conversations",
        parameters=[conversations.ConversationParameters],
        responses={
            200: schema.answered(
                conversations.ConversationPage,
                "One page of calls and e-mails.",
                conversations={"items": [conversations.EXAMPLE], "next_cursor": None},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """Calls and e-mails in the order in which they arrived, without what was said."""
        return self.page(
            conversations.limited(conversations.conversations_of(self.company), self.values)
        )

    @extend_schema(
        operation_id="ingest_conversation",
        tags=["Conversations"],
        summary="Send a conversation in",
        request=OneInput,
        parameters=[charged.DRY_RUN, *writes.PARAMETERS],
        examples=[OpenApiExample("call", value={"conversation": EXAMPLE}, request_only=True)],
        responses={
            200: schema.answered(
                OneOutput,
                "It was there before; or `dry_run`.",
                unchanged=ONE_EXAMPLE | {"outcome": "UNCHANGED", "is_new": None, "trackers": 0},
                only_asked=ONE_DRY_EXAMPLE,
            ),
            201: schema.answered(OneOutput, "It was not there before.", created=ONE_EXAMPLE),
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """The same content again does nothing; a changed text is a new revision, read by nobody
        until somebody asks for it.

        With `dry_run` nothing is taken in, and no Idempotency-Key is needed.
        """
        values = charged.asked_in_the_address(self, reading.body(OneInput, request.data))
        if values["dry_run"]:
            receipt = previewed(self, [values["conversation"]])
            return Response(_one(receipt, is_dry=True))
        return writes.once(self, operation="conversations.ingest", body=OneInput, act=self._take_in)

    def _take_in(self, values: dict[str, Any]) -> Answer:
        receipt = received(self, [values["conversation"]])
        shown, item = _one(receipt, is_dry=False), receipt.items[0]
        assert item.id is not None  # It was not refused.
        return Answer(
            status=201 if item.outcome == Outcome.CREATED else 200,
            text=writes.text_of(shown),
            location=reverse("api_conversation", args=[item.id]),
            result_ref=item.id,
        )


class BulkView(ApiView):
    """Many calls and e-mails at once."""

    scopes: ClassVar = {"POST": Scope.CONVERSATIONS_WRITE}
    parameters_of_writes = charged.ChargedParameters
    parser_classes = (IngestionParser,)
    tallies: ClassVar = {"POST": INGESTIONS}

    @extend_schema(
        operation_id="ingest_conversations",
        tags=["Conversations"],
        summary="Send conversations in",
        request=SeveralInput,
        parameters=[charged.DRY_RUN, *writes.parameters(200)],
        examples=[OpenApiExample("calls", value={"conversations": [EXAMPLE]}, request_only=True)],
        responses={
            200: schema.answered(
                SeveralOutput,
                "What became of each.",
                taken_in=SEVERAL_EXAMPLE,
                only_asked=SEVERAL_EXAMPLE | {"dry_run": True, "credits": "2.0"},
            )
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Up to 200, and 8 MB, at once. One that is refused, with the reason, stops no other.

        With `dry_run` nothing is taken in: it says how many are new and what reading them will
        use, and no Idempotency-Key is needed.
        """
        values = charged.asked_in_the_address(self, reading.body(SeveralInput, request.data))
        if values["dry_run"]:
            return Response(_several(previewed(self, values["conversations"]), is_dry=True))
        return writes.once(
            self, operation="conversations.bulk", body=SeveralInput, act=self._take_in
        )

    def _take_in(self, values: dict[str, Any]) -> Answer:
        receipt = received(self, values["conversations"])
        first = next((item.id for item in receipt.items if item.id is not None), None)
        return Answer(
            status=200,
            text=writes.text_of(_several(receipt, is_dry=False)),
            location="",
            result_ref=first or new_id(),
        )


def received(view: ApiView, sent: list[dict[str, Any]]) -> Receipt:
    """Take conversations in by the view's key."""
    with acting.refusals():
        return receiving.receive(
            company=view.company, sent=sent, by=acting.through(view), now=timezone.now()
        )


def previewed(view: ApiView, sent: list[dict[str, Any]]) -> Receipt:
    """Say what taking conversations in would do."""
    now = timezone.now()
    with acting.refusals():
        return receiving.preview(
            company=view.company, sent=sent, now=now, rates=rating.rates_at(now)
        )


def _one(receipt: Receipt, *, is_dry: bool) -> Any:
    """Show what became of the only one.

    :raises Problem: it was refused.
    """
    item = receipt.items[0]
    if item.is_erased:
        raise Problem(CONVERSATION_ERASED, CONVERSATION_ERASED.detail)
    if item.outcome == Outcome.REFUSED:
        raise Problem(
            problems.INVALID_BODY,
            f"conversation: {item.reason}",
            errors=[{"name": "conversation", "detail": item.reason}],
        )
    return OneOutput(_fields(item) | {"dry_run": is_dry, "credits": receipt.credits}).data


def _several(receipt: Receipt, *, is_dry: bool) -> Any:
    counts = {outcome.value.lower(): receipt.count(outcome) for outcome in Outcome}
    return SeveralOutput(
        counts
        | {
            "dry_run": is_dry,
            "items": receipt.items,
            "new": receipt.new,
            "history": receipt.history,
            "scans": receipt.scans,
            "credits": receipt.credits,
        }
    ).data


def _fields(item: Item) -> dict[str, Any]:
    return {str(name): getattr(item, str(name)) for name in ItemOutput().fields}
