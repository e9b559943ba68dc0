"""What the company has: now, at a past instant, or at one to come."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from django.http import HttpResponse
from django.utils.cache import get_conditional_response
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import balances
from credits.api import problems, schema
from credits.api.fields import AmountField, InstantField
from credits.api.reading import Parameters
from credits.api.views import ApiView
from credits.models import Scope

NOW_EXAMPLE = {
    "as_of": "2026-11-21T23:10:05.123456Z",
    "sequence": 48211,
    "remaining": "8411.4",
    "reserved": "42.0",
    "available": "8369.4",
    "total": "20000.0",
}
PAST_EXAMPLE = {
    "as_of": "2026-11-01T00:00:00Z",
    "sequence": 47102,
    "remaining": "11203.9",
    "reserved": None,
    "available": None,
    "total": None,
}


class BalanceParameters(Parameters):
    """Which instant the balance is asked for."""

    as_of = InstantField(
        required=False,
        help_text="RFC 3339, past or future; without an offset it is read as UTC. A future "
        "balance is what will remain if nothing is used until then: known grants start, and "
        "expire, by then.",
    )


class BalanceOutput(serializers.Serializer[Any]):
    """A company's credits at an instant. What is reserved, available and the total: now only."""

    as_of = InstantField(help_text="The instant the figures are about.")
    sequence = serializers.IntegerField(help_text="The last ledger entry they include; 0: none.")
    remaining = AmountField(help_text="Credits left, those reserved included.")
    reserved = AmountField(allow_null=True, help_text="Held for work under way.")
    available = AmountField(allow_null=True, help_text="What can be spent: remaining − reserved.")
    total = AmountField(
        allow_null=True, help_text="What the grants that are live now were good for."
    )

    class Meta:
        ref_name = "Balance"


class BalanceView(ApiView):
    """The balance of the key's company."""

    scopes: ClassVar = {"GET": Scope.BALANCE_READ}
    parameters = BalanceParameters
    raises = (problems.INVALID_PARAMETER, problems.PRECONDITION_FAILED)

    @extend_schema(
        operation_id="read_balance",
        tags=["Credits"],
        summary="Read the balance",
        parameters=[
            BalanceParameters,
            OpenApiParameter(
                "If-None-Match",
                str,
                OpenApiParameter.HEADER,
                description="The ETag of the balance you have; 304 says it still holds.",
            ),
            OpenApiParameter(
                "ETag",
                str,
                OpenApiParameter.HEADER,
                response=[200],
                description="Changes when a figure does.",
            ),
        ],
        responses={
            200: schema.answered(
                BalanceOutput, "The balance.", now=NOW_EXAMPLE, at_a_past_instant=PAST_EXAMPLE
            ),
            304: None,
        },
    )
    def get(self, request: Request) -> HttpResponse:
        """Without `as_of`: what the company has now, and what of it is held.

        What has come due by then, an expiry for example, is in the figures, whether or not any
        job has run.
        """
        balance = self._balance()
        etag = _etag(balance)
        response = get_conditional_response(request._request, etag=etag)
        if response is None:
            response = Response(BalanceOutput(balance).data)
        response["ETag"] = etag
        return response

    def _balance(self) -> dict[str, Any]:
        if instant := self.values.get("as_of"):
            at = balances.at(company=self.company, instant=instant)
            known = {"as_of": at.instant, "sequence": at.sequence, "remaining": at.remaining}
            return known | dict.fromkeys(("reserved", "available", "total"))
        now = balances.standing(company=self.company)
        return {
            "as_of": now.instant,
            "sequence": now.sequence,
            "remaining": now.remaining,
            "reserved": now.reserved,
            "available": now.available,
            "total": now.total,
        }


def _etag(balance: dict[str, Any]) -> str:
    """Return a weak tag: the figures are the same, though read at another instant."""
    figures = [str(value) for name, value in balance.items() if name != "as_of"]
    return f'W/"{hashlib.sha256("|".join(figures).encode()).hexdigest()[:32]}"'
