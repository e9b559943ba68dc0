"""What an explanation looks like as it is sent."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from credits.api import ledger, usage
from credits.api.fields import AmountField, IdField, InstantField
from credits.api.ledger import EntryOutput
from credits.api.usage import UsageOutput
from credits.models import RateItem, ReservationState, Source

EXAMPLE: dict[str, Any] = {
    "entry": ledger.EXAMPLE | {"amount": "-12.6", "balance_after": "8411.2"},
    "usage": usage.EXAMPLE | {"emails": 26, "amount": "12.6"},
    "arithmetic": "10 calls × 1.0 + 26 e-mails × 0.1 = 12.6",
    "lines": [
        {"item": "CALL_LONG", "count": 10, "rate": "1.0", "amount": "10.0"},
        {"item": "EMAIL", "count": 26, "rate": "0.1", "amount": "2.6"},
    ],
    "rate_card": {
        "id": 1,
        "effective_at": "2026-01-01T00:00:00Z",
        "rates": [
            {"item": "CALL_LONG", "amount": "1.0"},
            {"item": "EMAIL", "amount": "0.1"},
        ],
    },
    "reservation": {
        "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11",
        "state": "CAPTURED",
        "amount": "12.6",
        "captured": "12.6",
        "released": "0.0",
        "opened_at": "2026-11-21T23:10:01.123456Z",
        "closed_at": "2026-11-21T23:10:05.123456Z",
        "holds": [{"grant_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b13", "amount": "12.6"}],
    },
    "lots": [
        {
            "grant_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b13",
            "source": "PURCHASE",
            "amount": "-12.6",
            "effective_at": "2026-07-01T00:00:00Z",
            "expires_at": "2027-07-01T00:00:00Z",
        }
    ],
    "origin": None,
    "correction": None,
    "corrected_sequence": None,
    "refunded": "0.0",
    "corrections": [],
    "actor_id": None,
    "api_key": None,
    "integration": None,
    "sources": {
        "question": "",
        "answer": "",
        "reused": None,
        "items": [
            {
                "conversation_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b17",
                "kind": "CALL",
                "started_at": "2026-11-20T09:30:00Z",
                "credits": "1.0",
                "cited": True,
                "verdict": "YES",
                "title": "Globex renewal",
                "answer": "Yes",
                "quotes": ["That is too expensive for us."],
            }
        ],
    },
    "adds_up": True,
}


class LineOutput(serializers.Serializer[Any]):
    """So many items at a rate."""

    item = serializers.CharField(help_text="An item of the rate card, or one without a price.")
    count = serializers.IntegerField()
    rate = AmountField()
    amount = AmountField()

    class Meta:
        ref_name = "PriceLine"


class PriceOutput(serializers.Serializer[Any]):
    item = serializers.ChoiceField(choices=RateItem.choices)
    amount = AmountField()

    class Meta:
        ref_name = "ExplainedRate"


class CardOutput(serializers.Serializer[Any]):
    """The rate card that the price is of: that of the reservation."""

    id = serializers.IntegerField()
    effective_at = InstantField()
    rates = PriceOutput(many=True)

    class Meta:
        ref_name = "ExplainedRateCard"


class HoldOutput(serializers.Serializer[Any]):
    grant_id = IdField()
    amount = AmountField()

    class Meta:
        ref_name = "ExplainedHold"


class ReservationOutput(serializers.Serializer[Any]):
    """What was held before the work, and what became of it."""

    id = IdField()
    state = serializers.ChoiceField(choices=ReservationState.choices)
    amount = AmountField()
    captured = AmountField(help_text="Credits charged.")
    released = AmountField(help_text="Credits held and not charged.")
    opened_at = InstantField()
    closed_at = InstantField(allow_null=True)
    holds = HoldOutput(many=True)

    class Meta:
        ref_name = "ExplainedReservation"


class LotOutput(serializers.Serializer[Any]):
    """How much of one grant the entry moved, and the grant's terms."""

    grant_id = IdField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    amount = AmountField(help_text="With the entry's sign.")
    effective_at = InstantField()
    expires_at = InstantField(allow_null=True)

    class Meta:
        ref_name = "ExplainedLot"


class CorrectionOutput(serializers.Serializer[Any]):
    """The act of a person that wrote the entry."""

    id = IdField()
    kind = serializers.CharField(help_text="CANCELLED, VOIDED, REFUNDED or ADJUSTED.")
    reason = serializers.CharField()
    made_at = InstantField()
    person_id = IdField(allow_null=True)

    class Meta:
        ref_name = "ExplainedCorrection"


class CorrectingOutput(serializers.Serializer[Any]):
    sequence = serializers.IntegerField()
    amount = AmountField()
    occurred_at = InstantField()

    class Meta:
        ref_name = "ExplainedCorrectingEntry"


class NamedOutput(serializers.Serializer[Any]):
    id = IdField()
    name = serializers.CharField()

    class Meta:
        ref_name = "ExplainedName"


class PieceOutput(serializers.Serializer[Any]):
    """A call or e-mail that was read and charged, as one that the answer cites or not."""

    conversation_id = IdField()
    kind = serializers.CharField()
    started_at = InstantField()
    credits = AmountField(allow_null=True, help_text="Null where the request has one price.")
    cited = serializers.BooleanField(
        source="is_cited", help_text="Whether the answer quotes it; else it was only read."
    )
    verdict = serializers.CharField(help_text="YES, NO or UNSURE for trackers.")
    title = serializers.CharField()
    answer = serializers.CharField()
    quotes = serializers.ListField(child=serializers.CharField())

    class Meta:
        ref_name = "ExplainedConversation"


class ReusedOutput(serializers.Serializer[Any]):
    """The earlier use whose answer was given again for 0 credits."""

    usage_id = IdField()
    answered_at = InstantField()
    saved = AmountField(help_text="Credits that it would have cost.")

    class Meta:
        ref_name = "ExplainedReuse"


class ActOutput(serializers.Serializer[Any]):
    """One act of a person."""

    did = serializers.CharField(help_text="Such as “approved”.")
    person_id = IdField(source="by.public_id")
    at = InstantField()

    class Meta:
        ref_name = "ExplainedAct"


class OriginOutput(serializers.Serializer[Any]):
    """What the entry's grant was made for: a purchase, or the seats of a period."""

    name = serializers.CharField()
    facts = serializers.ListField(child=serializers.CharField())
    acts = ActOutput(many=True)

    class Meta:
        ref_name = "ExplainedOrigin"


class SourcesOutput(serializers.Serializer[Any]):
    """What was read, those cited first. Words are there for a key with `results:read`."""

    question = serializers.CharField()
    answer = serializers.CharField()
    reused = ReusedOutput(allow_null=True)
    items = PieceOutput(many=True)

    class Meta:
        ref_name = "ExplainedSources"


class ExplanationOutput(serializers.Serializer[Any]):
    """The chain behind a number; what does not belong to it is null or empty."""

    entry = EntryOutput(allow_null=True)
    usage = UsageOutput(
        allow_null=True, help_text="What the entry paid for; of a refund, what was refunded."
    )
    arithmetic = serializers.CharField(help_text="The price as a sum.")
    lines = LineOutput(many=True, help_text="Empty where the items are no longer known one by one.")
    rate_card = CardOutput(allow_null=True)
    reservation = ReservationOutput(allow_null=True)
    lots = LotOutput(many=True, help_text="Their sum is the entry's amount.")
    origin = OriginOutput(allow_null=True)
    correction = CorrectionOutput(allow_null=True)
    corrected_sequence = serializers.IntegerField(allow_null=True)
    refunded = AmountField(help_text="Credits of it that came back.")
    corrections = CorrectingOutput(many=True, help_text="The entries that correct it.")
    actor_id = IdField(
        allow_null=True, help_text="Whose act wrote the entry; null: a key's, or the system's."
    )
    api_key = NamedOutput(allow_null=True)
    integration = NamedOutput(allow_null=True)
    sources = SourcesOutput()
    adds_up = serializers.BooleanField(help_text="Whether all these figures agree.")

    class Meta:
        ref_name = "Explanation"
