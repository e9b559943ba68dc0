"""Purchases: what was asked for and what became of it; and asking. Nobody buys here.

Approving and fulfilling are acts of signed-in people. No key can do either, whatever its scopes.
"""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import QuerySet
from django.http import HttpResponse
from django.urls import reverse
from django.utils import timezone
from drf_spectacular.utils import OpenApiExample, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from billing import purchases
from billing.models import Purchase, PurchaseState
from billing.models.purchases import ORDER_REFERENCE_LENGTH_MAX, REASON_LENGTH_MAX
from credits import balances, roles
from credits.api import pages, problems, schema, writes
from credits.api.fields import AmountField, CodeField, DayField, IdField, InstantField, TextField
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView, not_found
from credits.audit import Actor
from credits.companies import CompanyClosed
from credits.idempotency import Answer
from credits.models import AuditActor, Company, Scope, User
from credits.roles import Act

OPERATION = "purchases.request"

# The field that a refusal is about.
REFUSED_FIELDS: dict[type[Exception], str] = {
    purchases.AmountRefused: "amount",
    purchases.DaysRefused: "ends_on",
}

EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b17",
    "number": 118,
    "state": "REQUESTED",
    "amount": "50000.0",
    "remaining": None,
    "starts_on": "2026-12-01",
    "ends_on": None,
    "order_reference": "PO-2291",
    "note": "For the EMEA backfill",
    "grant_id": None,
    "requested_at": "2026-11-21T23:10:05.123456Z",
    "requested_by": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b18",
    "approved_at": None,
    "fulfilled_at": None,
    "cancelled_at": None,
    "voided_at": None,
}
FULFILLED_EXAMPLE = EXAMPLE | {
    "state": "FULFILLED",
    "remaining": "41200.5",
    "ends_on": "2027-11-30",
    "grant_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11",
    "approved_at": "2026-11-22T08:00:41Z",
    "fulfilled_at": "2026-11-22T08:03:12Z",
}
REQUEST_EXAMPLE = {
    "amount": "50000",
    "starts_on": "2026-12-01",
    "order_reference": "PO-2291",
    "note": "For the EMEA backfill",
}


class PurchaseParameters(pages.PageParameters):
    """Which purchases."""

    state = CodeField(required=False, choices=PurchaseState.choices, help_text="Where it stands.")


class PurchaseInput(serializers.Serializer[Any]):
    """Credits to ask for. Days are local ones of your company, the last one included."""

    amount = AmountField(help_text="Credits, above 0.")
    starts_on = DayField(required=False, help_text="The first day they can be spent.")
    ends_on = DayField(required=False, help_text="The last day they can be spent.")
    order_reference = TextField(
        required=False, max_length=ORDER_REFERENCE_LENGTH_MAX, help_text="Your order's number."
    )
    note = TextField(required=False, max_length=REASON_LENGTH_MAX, help_text="What they are for.")

    class Meta:
        ref_name = "PurchaseRequest"


class PurchaseOutput(serializers.Serializer[Any]):
    """Credits your company asked for, and what became of it."""

    id = IdField()
    number = serializers.IntegerField(help_text="Counts your company's purchases.")
    state = serializers.ChoiceField(choices=PurchaseState.choices)
    amount = AmountField()
    remaining = AmountField(
        source="grant.remaining", allow_null=True, default=None, help_text="Null until fulfilled."
    )
    starts_on = DayField(allow_null=True, help_text="The first day, local.")
    ends_on = DayField(allow_null=True, help_text="The last day, local.")
    order_reference = serializers.CharField()
    note = serializers.CharField()
    grant_id = IdField(allow_null=True, help_text="The grant it became.")
    requested_at = InstantField()
    requested_by = IdField(source="requested_by.public_id", help_text="A person's public id.")
    approved_at = InstantField(allow_null=True)
    fulfilled_at = InstantField(allow_null=True)
    cancelled_at = InstantField(allow_null=True)
    voided_at = InstantField(allow_null=True)

    class Meta:
        ref_name = "Purchase"


class PurchasePage(serializers.Serializer[Any]):
    items = PurchaseOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class PurchasesView(PageView):
    """The purchases of the key's company."""

    scopes: ClassVar = {"GET": Scope.PURCHASES_READ, "POST": Scope.PURCHASES_REQUEST}
    parameters = PurchaseParameters
    order = pages.Order((("number", pages.sequence),))
    output = PurchaseOutput
    raises = (*PageView.raises, problems.ALREADY_RECORDED)

    @extend_schema(
        operation_id="list_purchases",
        tags=["Purchases"],
        summary="List purchases",
        parameters=[PurchaseParameters],
        responses={
            200: schema.answered(
                PurchasePage,
                "One page of purchases.",
                purchases={"items": [FULFILLED_EXAMPLE], "next_cursor": None},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """What your company asked for, and what became of each."""
        rows = purchases_of(self)
        if state := self.values.get("state"):
            rows = rows.filter(state=state)
        return self.page(rows)

    @extend_schema(
        operation_id="request_purchase",
        tags=["Purchases"],
        summary="Request a purchase",
        request=PurchaseInput,
        parameters=writes.PARAMETERS,
        examples=[OpenApiExample("request", value=REQUEST_EXAMPLE, request_only=True)],
        responses={
            201: schema.answered(PurchaseOutput, "The request, which waits.", request=EXAMPLE)
        },
    )
    def post(self, request: Request) -> HttpResponse:
        """Ask your vendor for credits. Adds none: people approve and fulfil, or cancel.

        The request is made in the name of the person who made the key.
        """
        return writes.once(self, operation=OPERATION, body=PurchaseInput, act=self._request)

    def _request(self, values: dict[str, Any]) -> Answer:
        try:
            made = purchases.request(
                company=self.company,
                by=self._person(),
                now=timezone.now(),
                through=Actor(AuditActor.API_KEY, self.key.pk, self.key.name),
                **values,
            )
        except CompanyClosed as error:
            # Closed since the key was recognized: from now on it opens nothing.
            raise AuthenticationFailed(problems.UNAUTHORIZED.detail) from error
        except purchases.AlreadyRecorded as error:
            raise Problem(
                problems.ALREADY_RECORDED, str(error), purchase_id=str(error.purchase.pk)
            ) from error
        except purchases.PurchaseRefused as error:
            name = REFUSED_FIELDS.get(type(error), "")
            raise Problem(
                problems.INVALID_BODY,
                f"{name}: {error}" if name else str(error),
                errors=[{"name": name, "detail": str(error)}],
            ) from error
        return Answer(
            status=201,
            text=writes.text_of(PurchaseOutput(made).data),
            location=reverse("api_purchase", args=[made.pk]),
            result_ref=made.pk,
        )

    def _person(self) -> User:
        """Return the person who made the key, if they may still ask for this company."""
        person = self.key.created_by
        if person is None or not _may_request(person, self.company):
            raise Problem(
                problems.MISSING_SCOPE,
                "The person who made this key may no longer request purchases; a tech admin of "
                "your company makes a new key.",
                required_scope=str(Scope.PURCHASES_REQUEST),
            )
        return person


class PurchaseView(ApiView):
    """One purchase of the key's company."""

    scopes: ClassVar = {"GET": Scope.PURCHASES_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_purchase",
        tags=["Purchases"],
        summary="Read a purchase",
        responses={200: schema.answered(PurchaseOutput, "The purchase.", purchase=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """One purchase, as it is now."""
        purchase = purchases_of(self).filter(pk=id).first()
        if purchase is None:
            raise not_found("purchase")
        return Response(PurchaseOutput(purchase).data)


def _may_request(person: User, company: Company) -> bool:
    """Tell whether a person may still request credits for the company."""
    membership = person.memberships.filter(company=company).first()
    if not person.is_active or membership is None:
        return False
    return Act.REQUEST_CREDITS in roles.MATRIX[roles.standing_of(membership.role)]


def purchases_of(view: ApiView) -> QuerySet[Purchase]:
    """Return the purchases of the company, settled, each with its grant and who asked for it."""
    balances.now(company=view.company)  # What remains of a grant may have expired.
    mine = Purchase.objects.filter(company=view.company)
    return mine.select_related("grant", "requested_by")
