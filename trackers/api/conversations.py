"""Calls and e-mails of the company: read, and with what was said only when asked for it."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Prefetch, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits.api import pages, problems, schema
from credits.api.fields import CodeField, IdField, InstantField
from credits.api.reading import Parameters
from credits.api.views import ApiView
from credits.models import Company, Scope
from trackers.api import acting
from trackers.models import Affiliation, Conversation, ConversationKind, Utterance

UTTERANCES = "utterances"

EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b51",
    "external_id": "crm-4711",
    "source": "crm",
    "kind": "CALL",
    "title": "Globex renewal",
    "started_at": "2026-11-21T14:00:00Z",
    "duration_seconds": 1840,
    "language": "en",
    "team_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b16",
    "team_name": "EMEA Sales",
    "owner_email": "rita@northwind.example",
    "account_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b52",
    "account_name": "Globex",
    "account_type": "customer",
    "deal_id": None,
    "deal_name": None,
    "deal_stage": "",
    "revision": 1,
    "arrived_at": "2026-11-21T15:00:00Z",
    "erased_at": None,
}
DETAIL_EXAMPLE = EXAMPLE | {
    "participants": [
        {
            "id": "p2",
            "name": "Carl Customer",
            "email": "carl@globex.example",
            "affiliation": "NON_COMPANY",
        }
    ],
    "utterances": [
        {
            "id": "u2",
            "speaker": "p2",
            "affiliation": "NON_COMPANY",
            "start_seconds": 4.5,
            "text": "That is too expensive for us.",
        }
    ],
}


class ConversationParameters(pages.PageParameters):
    """Which calls and e-mails."""

    kind = CodeField(required=False, choices=ConversationKind.choices, help_text="Of which kind.")
    external_id = serializers.CharField(
        required=False, max_length=200, help_text="Your own id of one."
    )
    account = IdField(required=False, help_text="The id of one account.")
    deal = IdField(required=False, help_text="The id of one deal.")
    team = IdField(required=False, help_text="The id of one team.")
    since = InstantField(required=False, help_text="Began at or after this instant (RFC 3339).")
    until = InstantField(required=False, help_text="Began before this instant.")


class ConversationOutput(serializers.Serializer[Any]):
    """A call or e-mail. Team, account type and deal stage are as they were when it arrived."""

    id = IdField()
    external_id = serializers.SerializerMethodField(help_text="Your own id; null once erased.")
    source = serializers.CharField()  # type: ignore[assignment]
    kind = serializers.ChoiceField(choices=ConversationKind.choices)
    title = serializers.CharField()
    started_at = InstantField()
    duration_seconds = serializers.IntegerField()
    language = serializers.CharField(help_text="Empty: nobody said.")
    team_id = IdField(allow_null=True)
    team_name = serializers.CharField(source="team.name", allow_null=True, default=None)
    owner_email = serializers.CharField(source="owner.email", allow_null=True, default=None)
    account_id = IdField(allow_null=True)
    account_name = serializers.CharField(source="account.name", allow_null=True, default=None)
    account_type = serializers.CharField()
    deal_id = IdField(allow_null=True)
    deal_name = serializers.CharField(source="deal.name", allow_null=True, default=None)
    deal_stage = serializers.CharField()
    revision = serializers.IntegerField(source="text_revision", help_text="Of its text.")
    arrived_at = InstantField()
    erased_at = InstantField(allow_null=True, help_text="Erased ones hold no words any more.")

    class Meta:
        ref_name = "Conversation"

    def get_external_id(self, conversation: Conversation) -> str | None:
        return None if conversation.erased_at else conversation.external_id


class ParticipantOutput(serializers.Serializer[Any]):
    """Somebody who took part."""

    id = serializers.CharField(source="external_id")
    name = serializers.CharField()
    email = serializers.CharField()
    affiliation = serializers.ChoiceField(choices=Affiliation.choices)

    class Meta:
        ref_name = "Participant"


class UtteranceOutput(serializers.Serializer[Any]):
    """One turn of a call, or one paragraph of an e-mail."""

    id = serializers.CharField(source="external_id")
    speaker = serializers.CharField(
        source="speaker.external_id", help_text="The id of a participant."
    )
    affiliation = serializers.ChoiceField(choices=Affiliation.choices)
    start_seconds = serializers.FloatField(allow_null=True, help_text="Into the call.")
    text = serializers.CharField()

    class Meta:
        ref_name = "Utterance"


class ConversationDetail(ConversationOutput):
    """A call or e-mail with who took part, and with what was said if that was asked for."""

    participants = ParticipantOutput(many=True)
    utterances = serializers.SerializerMethodField(
        help_text="Of the current revision, in order; null without `include=utterances`."
    )

    class Meta:
        ref_name = "ConversationDetail"

    @extend_schema_field(UtteranceOutput(many=True, allow_null=True))
    def get_utterances(self, conversation: Conversation) -> Any:
        if not self.context["has_text"]:
            return None
        said = Utterance.objects.filter(
            conversation=conversation, revision=conversation.text_revision
        )
        rows = said.select_related("speaker").order_by("position")
        return UtteranceOutput(rows, many=True).data


class ConversationPage(serializers.Serializer[Any]):
    items = ConversationOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class OneParameters(Parameters):
    """How much of it."""

    include = CodeField(
        required=False, choices=[(UTTERANCES, "what was said")], help_text="Also what was said."
    )


class ConversationView(ApiView):
    """One call or e-mail of the key's company."""

    scopes: ClassVar = {"GET": Scope.CONVERSATIONS_READ}
    parameters = OneParameters
    raises = (problems.INVALID_PARAMETER, problems.NOT_FOUND)

    @extend_schema(
        operation_id="read_conversation",
        tags=["Conversations"],
        summary="Read a conversation",
        parameters=[OneParameters],
        responses={
            200: schema.answered(
                ConversationDetail,
                "The call or e-mail.",
                with_what_was_said=DETAIL_EXAMPLE,
                without=DETAIL_EXAMPLE | {"utterances": None},
            )
        },
    )
    def get(self, request: Request, id: UUID) -> Response:
        """Who took part, and, with `include=utterances`, what was said."""
        rows = conversations_of(self.company).prefetch_related(Prefetch("participants"))
        found = acting.one(rows, id, "conversation")
        context = {"has_text": self.values.get("include") == UTTERANCES}
        return Response(ConversationDetail(found, context=context).data)


def conversations_of(company: Company) -> QuerySet[Any]:
    """Return a company's calls and e-mails, with what is named beside them."""
    mine = Conversation.objects.filter(company=company)
    return mine.select_related("team", "owner", "account", "deal")


def limited(rows: QuerySet[Any], values: dict[str, Any]) -> QuerySet[Any]:
    """Limit conversations to what the filters ask for."""
    lookups = {
        "kind": "kind",
        "account": "account",
        "deal": "deal",
        "team": "team",
        "since": "started_at__gte",
        "until": "started_at__lt",
    }
    given = {lookup: values[name] for name, lookup in lookups.items() if name in values}
    if "external_id" in values:
        # Of an erased one a digest stands there, which is nobody's id.
        given |= {"external_id": values["external_id"], "erased_at": None}
    return rows.filter(**given)
