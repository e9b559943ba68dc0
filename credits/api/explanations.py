"""Where a number comes from: the whole chain behind an entry, or behind a use."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import explanations
from credits.api import ledger, problems, schema, usage
from credits.api.fields import AmountField, IdField, InstantField
from credits.api.ledger import EntryOutput
from credits.api.usage import UsageOutput
from credits.api.views import ApiView, not_found
from credits.explanations import Explanation
from credits.models import (
    RateItem,
    ReservationState,
    Scope,
    Source,
)

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
        "items": [
            {
                "conversation_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b17",
                "kind": "CALL",
                "started_at": "2026-11-20T09:30:00Z",
                "credits": "1.0",
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
    """A call or e-mail that was read."""

    conversation_id = IdField()
    kind = serializers.CharField()
    started_at = InstantField()
    credits = AmountField(allow_null=True, help_text="Null where the request has one price.")
    verdict = serializers.CharField(help_text="YES, NO or UNSURE for trackers.")
    title = serializers.CharField()
    answer = serializers.CharField()
    quotes = serializers.ListField(child=serializers.CharField())

    class Meta:
        ref_name = "ExplainedConversation"


class SourcesOutput(serializers.Serializer[Any]):
    """What was read. Words are there for a key that may read results, with `results:read`."""

    question = serializers.CharField()
    answer = serializers.CharField()
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
    correction = CorrectionOutput(allow_null=True)
    corrected_sequence = serializers.IntegerField(allow_null=True)
    refunded = AmountField(help_text="Credits of it that came back.")
    corrections = CorrectingOutput(many=True, help_text="The entries that correct it.")
    actor_id = IdField(allow_null=True, help_text="Whose act wrote the entry; null: the system's.")
    api_key = NamedOutput(allow_null=True)
    integration = NamedOutput(allow_null=True)
    sources = SourcesOutput()
    adds_up = serializers.BooleanField(help_text="Whether all these figures agree.")

    class Meta:
        ref_name = "Explanation"


class EntryExplanationView(ApiView):
    """Where an entry of the key's company comes from."""

    scopes: ClassVar = {"GET": Scope.LEDGER_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="explain_ledger_entry",
        tags=["Credits"],
        summary="Explain a ledger entry",
        responses={200: schema.answered(ExplanationOutput, "The chain.", explanation=EXAMPLE)},
    )
    def get(self, request: Request, sequence: int) -> Response:
        """The whole chain behind an entry: rate card, reservation, lots, what was read, refunds.

        Quotes are there for keys with `results:read`.
        """
        try:
            found = explanations.entry(
                company=self.company, sequence=sequence, with_words=_may_read_words(self)
            )
        except explanations.NoSuchEntry as error:
            raise not_found("ledger entry") from error
        return Response(data_of(found))


class UsageExplanationView(ApiView):
    """Where a use of the key's company comes from."""

    scopes: ClassVar = {"GET": Scope.USAGE_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="explain_usage_event",
        tags=["Credits"],
        summary="Explain a usage event",
        responses={200: schema.answered(ExplanationOutput, "The chain.", explanation=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """The whole chain behind a use: rate card, reservation, lots, what was read, refunds.

        Quotes are there for keys with `results:read`.
        """
        try:
            found = explanations.usage(
                company=self.company, usage_id=id, with_words=_may_read_words(self)
            )
        except explanations.NoSuchUsage as error:
            raise not_found("usage event") from error
        return Response(data_of(found))


def _may_read_words(view: ApiView) -> bool:
    return Scope.RESULTS_READ in view.key.scopes


def data_of(found: Explanation) -> dict[str, Any]:
    """Return an explanation as it is sent, and as the command prints it."""
    entry, usage_event = found.entry, found.usage
    if usage_event is not None:
        name = None if found.integration is None else found.integration.name
        usage_event.integration_name = name  # type: ignore[attr-defined]
    data = {
        "entry": entry,
        "usage": usage_event,
        "arithmetic": found.arithmetic,
        "lines": found.lines,
        "rate_card": _card(found),
        "reservation": _reservation(found),
        "lots": [_lot(one) for one in found.drawdowns],
        "correction": _correction(found),
        "corrected_sequence": None if found.corrected is None else found.corrected.sequence,
        "refunded": found.refunded,
        "corrections": found.corrections,
        "actor_id": None if entry is None else entry.actor_ref,
        "api_key": found.api_key,
        "integration": found.integration,
        "sources": {
            "question": found.sources.question,
            "answer": found.sources.answer,
            "items": found.sources.pieces,
        },
        "adds_up": not found.breaches(),
    }
    return dict(ExplanationOutput(data).data)


def _card(found: Explanation) -> dict[str, Any] | None:
    if found.card is None:
        return None
    rates = [{"item": item, "amount": found.rates[item]} for item in sorted(found.rates)]
    return {"id": found.card.pk, "effective_at": found.card.effective_at, "rates": rates}


def _reservation(found: Explanation) -> dict[str, Any] | None:
    held = found.reservation
    if held is None:
        return None
    return {
        "id": held.pk,
        "state": held.state,
        "amount": held.amount,
        "captured": held.captured,
        "released": found.released,
        "opened_at": held.opened_at,
        "closed_at": held.closed_at,
        "holds": found.holds,
    }


def _lot(drawdown: Any) -> dict[str, Any]:
    grant = drawdown.grant
    return {
        "grant_id": grant.pk,
        "source": grant.source,
        "amount": drawdown.amount,
        "effective_at": grant.effective_at,
        "expires_at": grant.expires_at,
    }


def _correction(found: Explanation) -> dict[str, Any] | None:
    made = found.correction
    if made is None:
        return None
    return {
        "id": made.pk,
        "kind": made.kind,
        "reason": made.reason,
        "made_at": made.created_at,
        "person_id": None if made.by is None else made.by.public_id,
    }
