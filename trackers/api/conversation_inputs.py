"""Calls and e-mails as programs send them; read by the importer's own checks."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from credits.api.fields import CodeField, FlagField, InstantField, TextField
from credits.api.reading import JsonParser
from trackers.importers.records import DURATION_SECONDS_MAX, ID_LENGTH_MAX

BODY_BYTES_MAX = 8 * 1024 * 1024
ITEMS_MAX = 200
CRM_ID = "The id that your CRM has for it; it is found by this id everywhere."
DEPTH_MAX = 10  # A record has objects in lists in an object; nothing needs more.
KINDS = [("call", "Call"), ("email", "E-mail")]
ROLES = [("internal", "of your company"), ("external", "of the customer")]

EXAMPLE: dict[str, Any] = {
    "id": "crm-4711",
    "source": "crm",
    "kind": "call",
    "title": "Globex renewal",
    "started_at": "2026-11-21T14:00:00Z",
    "duration_seconds": 1840,
    "team": "EMEA Sales",
    "owner": "rita@northwind.example",
    "account": {"name": "Globex", "type": "customer"},
    "deal": {"name": "Globex renewal 2027", "stage": "negotiation"},
    "language": "en",
    "participants": [
        {
            "id": "p1",
            "name": "Rita Rep",
            "email": "rita@northwind.example",
            "role": "internal",
        },
        {"id": "p2", "name": "Carl Customer", "email": "carl@globex.example", "role": "external"},
    ],
    "utterances": [
        {"id": "u1", "speaker": "p1", "start": 0.0, "text": "Here is our proposal."},
        {"id": "u2", "speaker": "p2", "start": 4.5, "text": "That is too expensive for us."},
    ],
}


class IngestionParser(JsonParser):
    """Reads larger bodies: what was said in a call is long."""

    bytes_max = BODY_BYTES_MAX


class ParticipantInput(serializers.Serializer[Any]):
    """Somebody who took part."""

    id = TextField(max_length=ID_LENGTH_MAX, help_text="Unique in the conversation.")
    name = TextField(required=False, max_length=200)
    email = serializers.EmailField(
        required=False, allow_null=True, help_text="Links your own people; names never do."
    )
    crm_id = TextField(required=False, max_length=ID_LENGTH_MAX, help_text=CRM_ID)
    party_id = TextField(
        required=False,
        max_length=ID_LENGTH_MAX,
        help_text="The id as a party of the call, which `/v2/` answers, where `id` is another.",
    )
    role = CodeField(choices=ROLES)

    class Meta:
        ref_name = "ParticipantSent"


class UtteranceInput(serializers.Serializer[Any]):
    """One turn of a call, or one paragraph of an e-mail."""

    id = TextField(max_length=ID_LENGTH_MAX, help_text="Unique in the conversation.")
    speaker = TextField(max_length=ID_LENGTH_MAX, help_text="The id of a participant.")
    start = serializers.FloatField(
        required=False,
        allow_null=True,
        min_value=0,
        help_text="Seconds into the call.",
    )
    text = TextField()

    class Meta:
        ref_name = "UtteranceSent"


class AccountInput(serializers.Serializer[Any]):
    name = TextField(max_length=200)
    type = TextField(required=False, max_length=100)
    crm_id = TextField(required=False, max_length=ID_LENGTH_MAX, help_text=CRM_ID)

    class Meta:
        ref_name = "AccountSent"


class DealInput(serializers.Serializer[Any]):
    name = TextField(max_length=200)
    stage = TextField(required=False, max_length=100)
    crm_id = TextField(required=False, max_length=ID_LENGTH_MAX, help_text=CRM_ID)

    class Meta:
        ref_name = "DealSent"


class ConversationInput(serializers.Serializer[Any]):
    """A call or e-mail, unique by `id` in your company."""

    id = TextField(max_length=ID_LENGTH_MAX, help_text="Your own id, which stays the same.")
    source = TextField(required=False, max_length=60, help_text="Where it comes from.")  # type: ignore[assignment]
    kind = CodeField(choices=KINDS)
    title = TextField(required=False, max_length=500)
    started_at = InstantField(help_text="RFC 3339 with an offset.")
    duration_seconds = serializers.IntegerField(
        required=False, min_value=0, max_value=DURATION_SECONDS_MAX
    )
    team = TextField(required=False, allow_null=True, max_length=200)
    owner = serializers.EmailField(required=False, allow_null=True)
    account = AccountInput(required=False, allow_null=True)
    deal = DealInput(required=False, allow_null=True, help_text="Needs its account.")
    language = TextField(required=False, help_text="A tag such as “en” or “pt-BR”.")
    participants = ParticipantInput(many=True)
    utterances = UtteranceInput(many=True)

    class Meta:
        ref_name = "ConversationSent"


@extend_schema_field(ConversationInput)
class RecordField(serializers.Field[dict[str, Any], Any, Any, Any]):
    """One record; what is in it is checked as an import checks it."""

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        if not isinstance(data, dict):
            raise serializers.ValidationError("Write an object with id, kind, started_at, ….")
        _refuse_deep(data)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


@extend_schema_field(ConversationInput(many=True))
class RecordsField(serializers.Field[list[dict[str, Any]], Any, Any, Any]):
    """Several records; each has an answer of its own."""

    def to_internal_value(self, data: Any) -> list[dict[str, Any]]:
        if not isinstance(data, list) or not all(isinstance(one, dict) for one in data):
            raise serializers.ValidationError("Write a list of objects with id, kind, ….")
        if not 0 < len(data) <= ITEMS_MAX:
            raise serializers.ValidationError(
                f"Send 1 to {ITEMS_MAX} conversations at once; these are {len(data):,}."
            )
        _refuse_deep(data)
        return data

    def to_representation(self, value: Any) -> Any:
        return value


def _refuse_deep(data: Any) -> None:
    """Check how deep lists and objects are nested, without nesting calls.

    :raises ValidationError: deeper than anything that is read.
    """
    level = [data]
    for _ in range(DEPTH_MAX):
        inner: list[Any] = []
        for one in level:
            inner += one.values() if isinstance(one, dict) else one
        level = [one for one in inner if isinstance(one, dict | list)]
        if not level:
            return
    raise serializers.ValidationError("Nested too deeply; compare it with the documentation.")


class OneInput(serializers.Serializer[Any]):
    """A call or e-mail to take in."""

    conversation = RecordField(help_text="The call or e-mail.")
    dry_run = FlagField(
        required=False, default=False, help_text="Only say what would become of it."
    )

    class Meta:
        ref_name = "ConversationIngestion"


class SeveralInput(serializers.Serializer[Any]):
    """Calls and e-mails to take in, 200 at most."""

    conversations = RecordsField(help_text="The calls and e-mails, each with an id of its own.")
    dry_run = FlagField(
        required=False, default=False, help_text="Only say what would become of each."
    )

    class Meta:
        ref_name = "ConversationsIngestion"
