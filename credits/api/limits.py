"""Limits of spending: how each stands; set one, end one."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpResponse
from django.urls import reverse
from drf_spectacular.utils import OpenApiExample, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request
from rest_framework.response import Response

from credits import balances, limit_subjects, limit_windows, limits
from credits.amounts import ZERO
from credits.api import pages, problems, schema, writes
from credits.api.fields import AmountField, CodeField, FlagField, IdField, InstantField, TextField
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView, not_found
from credits.audit import Actor
from credits.companies import CompanyClosed
from credits.idempotency import Answer
from credits.models import AuditActor, LimitSubject, LimitWindow, Scope, SpendingLimit

IN_FORCE, ENDED = "IN_FORCE", "ENDED"
STATES = [(IN_FORCE, "In force"), (ENDED, "Ended")]

EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b19",
    "state": "IN_FORCE",
    "subject": "API_KEY",
    "ref": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12",
    "name": "Nightly export",
    "window": "DAY",
    "credits": "500.0",
    "is_hard": True,
    "used": "120.5",
    "left": "379.5",
    "window_starts_at": "2026-11-20T23:00:00Z",
    "window_ends_at": "2026-11-21T23:00:00Z",
    "created_at": "2026-11-02T09:12:44.501Z",
    "ended_at": None,
}
ENDED_EXAMPLE = EXAMPLE | {
    "state": "ENDED",
    "used": None,
    "left": None,
    "window_starts_at": None,
    "window_ends_at": None,
    "ended_at": "2026-11-21T16:20:00Z",
}
SET_EXAMPLE = {
    "subject": "API_KEY",
    "ref": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12",
    "window": "DAY",
    "credits": "500",
}

END_EXAMPLE = {"reason": "The export runs once a week from now on"}


class LimitParameters(pages.PageParameters):
    """Which limits."""

    state = CodeField(required=False, choices=STATES, help_text="Whether it is in force.")
    subject = CodeField(required=False, choices=LimitSubject.choices, help_text="What it is about.")


class LimitInput(serializers.Serializer[Any]):
    """What may be used in each day or month of your company's time zone."""

    subject = CodeField(choices=LimitSubject.choices, help_text="What it is about.")
    ref = TextField(
        required=False,
        default="",
        max_length=200,
        help_text="FEATURE: TRACKER, ASK or BRIEF. TRACKER, INTEGRATION, API_KEY: its id. COMPANY: "
        "leave it out.",
    )
    window = CodeField(choices=LimitWindow.choices, help_text="How long it counts.")
    credits = AmountField(help_text="Credits; 0 stops all use that costs credits.")
    is_hard = FlagField(
        required=False, default=True, help_text="false: it refuses nothing, and only tells."
    )

    class Meta:
        ref_name = "LimitSetting"


class EndInput(serializers.Serializer[Any]):
    """Why a limit ends."""

    reason = TextField(
        required=False, default="", max_length=500, help_text="Kept in the audit trail."
    )

    class Meta:
        ref_name = "LimitEnd"


class LimitOutput(serializers.Serializer[Any]):
    """A limit, and what counts against it in its window now; null once it has ended."""

    id = IdField()
    state = serializers.SerializerMethodField()
    subject = serializers.ChoiceField(choices=LimitSubject.choices)
    ref = serializers.SerializerMethodField(
        help_text="The kind of feature, or the id of the tracker, integration or key; null for "
        "the whole company. A key's limit holds for those that replace it, too."
    )
    name = serializers.CharField(help_text="What it was called when the limit was set.")
    window = serializers.ChoiceField(choices=LimitWindow.choices)
    credits = AmountField(help_text="What may be used in a window.")
    is_hard = serializers.BooleanField(help_text="false: it refuses nothing, and only tells.")
    used = serializers.SerializerMethodField(
        help_text="Charged and held in the window, less what was refunded of it."
    )
    left = serializers.SerializerMethodField(help_text="What may still be used in the window.")
    window_starts_at = serializers.SerializerMethodField()
    window_ends_at = serializers.SerializerMethodField(help_text="When it begins anew.")
    created_at = InstantField()
    ended_at = InstantField(allow_null=True)

    class Meta:
        ref_name = "Limit"

    @extend_schema_field(serializers.ChoiceField(choices=STATES))
    def get_state(self, limit: Any) -> str:
        return IN_FORCE if limit.ended_at is None else ENDED

    @extend_schema_field({"type": ["string", "null"]})
    def get_ref(self, limit: Any) -> str | None:
        ref = limit.feature_ref or limit.integration_id or limit.api_key_id or limit.feature_type
        return str(ref) if ref else None

    @extend_schema_field(AmountField(allow_null=True))
    def get_used(self, limit: Any) -> str | None:
        return None if _is_over(limit) else AmountField().to_representation(limit.now_used)

    @extend_schema_field(AmountField(allow_null=True))
    def get_left(self, limit: Any) -> str | None:
        if _is_over(limit):
            return None
        left = max(limit.credits - limit.now_used, ZERO)
        return AmountField().to_representation(left)

    @extend_schema_field(InstantField(allow_null=True))
    def get_window_starts_at(self, limit: Any) -> str | None:
        return _instant(limit, "now_starts_at")

    @extend_schema_field(InstantField(allow_null=True))
    def get_window_ends_at(self, limit: Any) -> str | None:
        return _instant(limit, "now_ends_at")


class LimitPage(serializers.Serializer[Any]):
    items = LimitOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class LimitsView(PageView):
    """The limits of the key's company."""

    scopes: ClassVar = {"GET": Scope.LIMITS_READ, "POST": Scope.LIMITS_WRITE}
    parameters = LimitParameters
    # Ids are time-ordered: this is the order they were set in.
    order = pages.Order((("id", pages.uuid),))
    output = LimitOutput

    @extend_schema(
        operation_id="list_limits",
        tags=["Limits"],
        summary="List limits",
        parameters=[LimitParameters],
        responses={
            200: schema.answered(
                LimitPage, "One page of limits.", limits={"items": [EXAMPLE], "next_cursor": None}
            )
        },
    )
    def get(self, request: Request) -> Response:
        """What may be used of a subject in a day or month, and how much of it is."""
        rows = limits_of(self)
        if subject := self.values.get("subject"):
            rows = rows.filter(subject=subject)
        if state := self.values.get("state"):
            rows = rows.filter(ended_at__isnull=state == IN_FORCE)
        return self.page(rows)

    @extend_schema(
        operation_id="set_limit",
        tags=["Limits"],
        summary="Set a limit",
        request=LimitInput,
        parameters=writes.PARAMETERS,
        examples=[OpenApiExample("limit", value=SET_EXAMPLE, request_only=True)],
        responses={201: schema.answered(LimitOutput, "The limit, in force.", limit=EXAMPLE)},
    )
    def post(self, request: Request) -> HttpResponse:
        """Set a limit, or change what the one that the subject has in the window allows.

        What was used in the window before counts. A request that would go above a hard limit
        answers 402 and names the limit.
        """
        return writes.once(self, operation="limits.set", body=LimitInput, act=self._set)

    def _set(self, values: dict[str, Any]) -> Answer:
        try:
            subject = limit_subjects.find(
                company=self.company, kind=values["subject"], ref=values["ref"]
            )
            made = limits.set(
                company=self.company,
                subject=subject,
                window=values["window"],
                credits=values["credits"],
                is_hard=values["is_hard"],
                by=None,
                through=_actor(self),
            )
        except CompanyClosed as error:
            # Closed since the key was recognized: from now on it opens nothing.
            raise AuthenticationFailed(problems.UNAUTHORIZED.detail) from error
        except limit_subjects.UnknownSubject as error:
            raise _refused("ref", error) from error
        except limits.LimitRefused as error:
            raise _refused("credits", error) from error
        except limits.TooManyLimits as error:
            raise _refused("", error) from error
        return _answer(self, 201, made)


class LimitView(ApiView):
    """One limit of the key's company."""

    scopes: ClassVar = {"GET": Scope.LIMITS_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_limit",
        tags=["Limits"],
        summary="Read a limit",
        responses={200: schema.answered(LimitOutput, "The limit.", limit=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """One limit, as it is now."""
        limit = limits_of(self).filter(pk=id).first()
        if limit is None:
            raise not_found("limit")
        return Response(LimitOutput(limit).data)


class LimitEndView(ApiView):
    """The end of one limit of the key's company."""

    scopes: ClassVar = {"POST": Scope.LIMITS_WRITE}
    raises = (problems.NOT_FOUND, problems.ALREADY_ENDED)

    @extend_schema(
        operation_id="end_limit",
        tags=["Limits"],
        summary="End a limit",
        request=EndInput,
        parameters=writes.PARAMETERS,
        examples=[OpenApiExample("end", value=END_EXAMPLE, request_only=True)],
        responses={201: schema.answered(LimitOutput, "The limit, ended.", limit=ENDED_EXAMPLE)},
    )
    def post(self, request: Request, id: UUID) -> HttpResponse:
        """End a limit: from now on it refuses and counts nothing."""
        limit = SpendingLimit.objects.filter(company=self.company, pk=id).first()
        if limit is None:
            raise not_found("limit")
        return writes.once(
            self,
            operation="limits.end",
            about={"id": str(id)},
            body=EndInput,
            act=lambda values: self._end(limit, values["reason"]),
        )

    def _end(self, limit: SpendingLimit, reason: str) -> Answer:
        try:
            ended = limits.end(limit=limit, by=None, through=_actor(self), reason=reason)
            return _answer(self, 201, ended)
        except limits.AlreadyEnded as error:
            raise Problem(problems.ALREADY_ENDED, str(error)) from error


def limits_of(view: ApiView) -> QuerySet[Any]:
    """Return the limits of the company, settled, each with its window now."""
    limits.standing(company=view.company)  # Windows that are missing are laid out.
    instant = balances.now(company=view.company).instant
    return limit_windows.with_use(SpendingLimit.objects.filter(company=view.company), instant)


def _answer(view: ApiView, status: int, limit: SpendingLimit) -> Answer:
    return Answer(
        status=status,
        text=writes.text_of(LimitOutput(limits_of(view).get(Q(pk=limit.pk))).data),
        location=reverse("api_limit", args=[limit.pk]),
        result_ref=limit.pk,
    )


def _actor(view: ApiView) -> Actor:
    return Actor(AuditActor.API_KEY, view.key.pk, view.key.name)


def _refused(name: str, error: Exception) -> Problem:
    return Problem(
        problems.INVALID_BODY,
        f"{name}: {error}" if name else str(error),
        errors=[{"name": name, "detail": str(error)}],
    )


def _is_over(limit: Any) -> bool:
    return limit.ended_at is not None or limit.now_used is None


def _instant(limit: Any, name: str) -> str | None:
    return None if _is_over(limit) else InstantField().to_representation(getattr(limit, name))
