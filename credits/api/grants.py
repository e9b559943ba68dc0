"""The lots of the company's pool."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import balances
from credits.api import pages, problems, schema
from credits.api.fields import AmountField, CodeField, IdField, InstantField
from credits.api.views import ApiView, PageView, not_found
from credits.grant_states import STATES, with_state
from credits.models import CreditGrant, Scope, Source

STATUS_OF_STATE = {state: state.upper().replace(" ", "_") for state in STATES}
STATE_OF_STATUS = {status: state for state, status in STATUS_OF_STATE.items()}
STATUSES = [(status, state) for state, status in STATUS_OF_STATE.items()]

EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11",
    "source": "PURCHASE",
    "status": "ACTIVE",
    "amount": "50000.0",
    "remaining": "8411.4",
    "reserved": "42.0",
    "voided": "0.0",
    "corrected_down": "0.0",
    "effective_at": "2026-07-01T00:00:00Z",
    "expires_at": "2027-07-01T00:00:00Z",
    "priority": 100,
    "reference": "PO-118",
    "created_at": "2026-06-24T09:12:44.501Z",
}


class GrantParameters(pages.PageParameters):
    """Which grants."""

    source = CodeField(  # type: ignore[assignment]
        required=False, choices=Source.choices, help_text="Why it was made."
    )
    status = CodeField(required=False, choices=STATUSES, help_text="What state it is in now.")


class StatusField(serializers.ChoiceField):
    """The state of a grant, as a code."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(choices=STATUSES, help_text="What state it is in now.", **kwargs)

    def to_representation(self, value: Any) -> str:
        return STATUS_OF_STATE[value]


class GrantOutput(serializers.Serializer[Any]):
    """A lot of credits, usable in `effective_at` ≤ t < `expires_at`."""

    id = IdField()
    source = serializers.ChoiceField(choices=Source.choices)  # type: ignore[assignment]
    status = StatusField(source="state")
    amount = AmountField(help_text="What it was made with.")
    remaining = AmountField(help_text="What is left, including what is reserved.")
    reserved = AmountField(source="held", help_text="Held for work under way.")
    voided = AmountField(help_text="Taken back.")
    corrected_down = AmountField(help_text="Taken by corrections.")
    effective_at = InstantField(help_text="Usable from.")
    expires_at = InstantField(allow_null=True, help_text="Exclusive; null: never.")
    priority = serializers.IntegerField(help_text="Smaller ones are spent first.")
    reference = serializers.CharField(help_text="The order it came from, or empty.")
    created_at = InstantField()

    class Meta:
        ref_name = "Grant"


class GrantPage(serializers.Serializer[Any]):
    items = GrantOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class GrantsView(PageView):
    """The grants of the key's company."""

    scopes: ClassVar = {"GET": Scope.GRANTS_READ}
    parameters = GrantParameters
    # Ids are time-ordered: this is the order they were made in.
    order = pages.Order((("id", pages.uuid),))
    output = GrantOutput

    @extend_schema(
        operation_id="list_grants",
        tags=["Credits"],
        summary="List grants",
        parameters=[GrantParameters],
        responses={
            200: schema.answered(
                GrantPage, "One page of grants.", grants={"items": [EXAMPLE], "next_cursor": None}
            )
        },
    )
    def get(self, request: Request) -> Response:
        """The lots that fill the pool: past, present, and those that start later."""
        rows = grants_of(self)
        if source := self.values.get("source"):
            rows = rows.filter(source=source)
        if status := self.values.get("status"):
            rows = rows.filter(state=STATE_OF_STATUS[status])
        return self.page(rows)


class GrantView(ApiView):
    """One grant of the key's company."""

    scopes: ClassVar = {"GET": Scope.GRANTS_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_grant",
        tags=["Credits"],
        summary="Read a grant",
        responses={200: schema.answered(GrantOutput, "The grant.", grant=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """One lot, as it is now."""
        grant = grants_of(self).filter(pk=id).first()
        if grant is None:
            raise not_found("grant")
        return Response(GrantOutput(grant).data)


def grants_of(view: ApiView) -> QuerySet[Any]:
    """Return the grants of the company, settled, each with its state."""
    now = balances.now(company=view.company)
    return with_state(CreditGrant.objects.filter(company=view.company), now.instant)
