"""What costs how much."""

from __future__ import annotations

from typing import Any, ClassVar

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import rating
from credits.api import problems, schema
from credits.api.fields import AmountField, InstantField
from credits.api.problems import Problem
from credits.api.reading import Parameters
from credits.api.views import ApiView
from credits.models import RateCard, RateItem, Scope

EXAMPLE = {
    "effective_at": "2020-01-01T00:00:00Z",
    "until": "2027-01-01T00:00:00Z",
    "rates": [
        {"item": "EMAIL", "name": "E-mail analysed", "amount": "0.1"},
        {"item": "CALL_LONG", "name": "Call longer than 10 minutes", "amount": "1.0"},
        {"item": "CALL_SHORT", "name": "Call of 10 minutes or less", "amount": "0.5"},
        {"item": "WEB_SEARCH", "name": "Web search in a brief", "amount": "5.0"},
    ],
}


class RateCardParameters(Parameters):
    """Which instant the prices are asked for."""

    as_of = InstantField(
        required=False,
        help_text="RFC 3339, past or future; without it, now. Without an offset it is read as UTC.",
    )


class RateOutput(serializers.Serializer[Any]):
    """What one item costs."""

    item = serializers.ChoiceField(choices=RateItem.choices)
    name = serializers.CharField(source="get_item_display")
    amount = AmountField(help_text="Credits for one.")

    class Meta:
        ref_name = "Rate"


class RateCardOutput(serializers.Serializer[Any]):
    """The prices in force from `effective_at` until `until`."""

    effective_at = InstantField()
    until = InstantField(allow_null=True, help_text="When the next card starts, if one is known.")
    rates = RateOutput(many=True)

    class Meta:
        ref_name = "RateCard"


class RateCardView(ApiView):
    """The rate card, the same for every company."""

    scopes: ClassVar = {"GET": Scope.RATES_READ}
    parameters = RateCardParameters
    raises = (problems.INVALID_PARAMETER, problems.NOT_FOUND)

    @extend_schema(
        operation_id="read_rate_card",
        tags=["Credits"],
        summary="Read the rate card",
        parameters=[RateCardParameters],
        responses={200: schema.answered(RateCardOutput, "The prices.", rate_card=EXAMPLE)},
    )
    def get(self, request: Request) -> Response:
        """The prices in force now, or at `as_of`. Work costs by the card of when it began."""
        instant = self.values.get("as_of") or timezone.now()
        card = rating.card_at(instant)
        if card is None:
            raise Problem(problems.NOT_FOUND, "No rate card was in force then; ask for later.")
        following = RateCard.objects.filter(effective_at__gt=card.effective_at)
        until = following.order_by("effective_at").values_list("effective_at", flat=True).first()
        rates = sorted(card.rates.all(), key=lambda rate: RateItem.values.index(rate.item))
        answer = {"effective_at": card.effective_at, "until": until, "rates": rates}
        return Response(RateCardOutput(answer).data)
