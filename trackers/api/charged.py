"""What every charged operation has in common: its price in the answer, and its refusals."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal
from typing import Any, ClassVar

from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, PolymorphicProxySerializer
from rest_framework import serializers
from rest_framework.exceptions import AuthenticationFailed

from credits import amounts, limits, origins
from credits.api import answers, problem_types, problems, reading, writes
from credits.api.fields import AmountField, FlagField, IdField, InstantField, instant_text
from credits.api.problems import Problem
from credits.api.views import ApiView
from credits.companies import CompanyClosed
from credits.ledger import InsufficientCredits, Key
from credits.limits import Standing
from credits.models import LimitSubject, LimitWindow, UsageAction
from trackers import charged_requests, entities
from trackers.analyzers.base import AnalyzerFailed, AnalyzerRefused
from trackers.charged_requests import RequestEstimate
from trackers.requesters import Requester

USED_HEADER = "X-Credits-Used"
REMAINING_HEADER = "X-Credits-Remaining"
CREDITS_HINT = "Give credits from 0 to 1,000,000,000."
RETRY_SECONDS = 30  # Where the analyzer does not say how long.

CREDITS_EXAMPLE = {
    "used": "12.4",
    "remaining": "8357.0",
    "saved": "0.0",
    "breakdown": {"calls": 10, "emails": 26, "web_searches": 0},
}
LIMIT_EXAMPLE = {
    "limit_source": "api_key",
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b19",
    "name": "Nightly export",
    "window": "DAY",
    "credits": "40.0",
    "left": "26.5",
    "window_ends_at": "2026-11-22T00:00:00Z",
}
ESTIMATE_EXAMPLE = {
    "credits": "12.4",
    "calls": 10,
    "emails": 26,
    "web_searches": 0,
    "available_before": "8369.4",
    "available_after": "8357.0",
    "enough": True,
    "limit": LIMIT_EXAMPLE,
    "reused_at": None,
}
# What a charged operation may answer besides what every write may.
RAISES = (
    problems.INSUFFICIENT_CREDITS,
    problems.MAX_CREDITS_EXCEEDED,
    problems.NOT_FOUND,
    problem_types.ANALYZER_FAILED,
)
HEADERS = [
    OpenApiParameter(
        USED_HEADER,
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description="Credits this request used.",
    ),
    OpenApiParameter(
        REMAINING_HEADER,
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description="Credits that can be spent after it.",
    ),
]
DRY_RUN = OpenApiParameter(
    "dry_run", bool, description="true: say the price and do nothing, as the field of the body."
)
PARAMETERS = [
    DRY_RUN,
    OpenApiParameter(
        writes.HEADER,
        str,
        OpenApiParameter.HEADER,
        description="1 to 255 printable characters of your own choosing: new for each new request, "
        "the same when you repeat one. Needed but for a dry run.",
    ),
    OpenApiParameter(
        "Idempotent-Replayed",
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description="“true” when this is the answer to an earlier request with the key.",
    ),
    OpenApiParameter(
        "Location",
        str,
        OpenApiParameter.HEADER,
        response=[200],
        description="Where the answer can be read again; none for a dry run.",
    ),
    *HEADERS,
]


class ChargedParameters(reading.Parameters):
    """What a request that costs credits, or may, can say in its address."""

    dry_run = FlagField(required=False)


class ChargedInput(serializers.Serializer[Any]):
    """What every charged request may say about its price."""

    dry_run = FlagField(required=False, help_text="true: say the price and do nothing. Free.")
    max_credits = AmountField(
        required=False, help_text="The most this may cost; above it nothing is done."
    )

    def validate_max_credits(self, credits: Decimal) -> Decimal:
        if not 0 <= credits <= amounts.ACT_MAX:
            raise serializers.ValidationError(CREDITS_HINT)
        return credits


class BreakdownOutput(serializers.Serializer[Any]):
    """What was read, those of price 0 included."""

    calls = serializers.IntegerField()
    emails = serializers.IntegerField()
    web_searches = serializers.IntegerField()

    class Meta:
        ref_name = "CreditsBreakdown"


class CreditsOutput(serializers.Serializer[Any]):
    """What a request cost and what is left."""

    used = AmountField(help_text="Credits this request used.")
    remaining = AmountField(help_text="Credits that can be spent after it.")
    saved = AmountField(help_text="Credits not used because an earlier answer was given again.")
    breakdown = BreakdownOutput()

    class Meta:
        ref_name = "CreditsOfRequest"


class LimitLeftOutput(serializers.Serializer[Standing]):
    """The limit that leaves this request least, and what it leaves."""

    limit_source = serializers.ChoiceField(choices=[one.lower() for one in LimitSubject.values])
    id = IdField()
    name = serializers.CharField()
    window = serializers.ChoiceField(choices=LimitWindow.choices)
    credits = AmountField(help_text="What it allows in a window.")
    left = AmountField(help_text="What it still leaves in this one.")
    window_ends_at = InstantField()

    class Meta:
        ref_name = "LimitLeft"

    def to_representation(self, standing: Standing) -> dict[str, Any]:
        return {
            "limit_source": limits.source_of(standing.limit),
            "id": str(standing.limit.pk),
            "name": standing.limit.name,
            "window": standing.limit.window,
            "credits": amounts.text(standing.limit.credits),
            "left": amounts.text(standing.left),
            "window_ends_at": instant_text(standing.ends_at),
        }


class EstimateOutput(serializers.Serializer[Any]):
    """What a request would cost now, and what it would leave. Nothing was done."""

    credits = AmountField(help_text="The price, which is exact.")
    calls = serializers.IntegerField()
    emails = serializers.IntegerField()
    web_searches = serializers.IntegerField()
    available_before = AmountField()
    available_after = AmountField(help_text="Negative by what is missing.")
    enough = serializers.BooleanField(
        source="is_enough", help_text="Whether credits and limits would let it be done now."
    )
    limit = LimitLeftOutput(allow_null=True, help_text="Null where no limit is about it.")
    reused_at = InstantField(
        allow_null=True, help_text="When the answer was made that would be given again for 0."
    )

    class Meta:
        ref_name = "RequestEstimate"


class ChargedView(ApiView):
    """An operation that is charged, through a key."""

    raises: ClassVar[tuple[problems.ProblemType, ...]] = RAISES
    parameters_of_writes = ChargedParameters

    @property
    def requester(self) -> Requester:
        """Return who asks: the key, its integration, and the person who made the key."""
        key = self.key
        return Requester(
            company=key.company,
            action=UsageAction.API_REQUEST,
            user=key.created_by,
            api_key=key,
            integration=key.integration,
            request_id=origins.current().request_id,
        )


def read(view: ChargedView, *, body: type[ChargedInput]) -> tuple[Key | None, dict[str, Any]]:
    """Return a charged request's key and values; a dry run, which does nothing, needs no key.

    :raises Problem: for a key that is missing or cannot be kept, and a body that is wrong.
    """
    if view.values.get("dry_run") or _is_dry(view.request.data):
        return None, reading.body(body, view.request.data) | {"dry_run": True}
    return writes.read(view, body=body)


def asked_in_the_address(view: ApiView, values: dict[str, Any]) -> dict[str, Any]:
    """Return a body's values, of a dry run also where the address asks for it."""
    return values | {"dry_run": True} if view.values.get("dry_run") else values


def _is_dry(data: Any) -> bool:
    return isinstance(data, dict) and data.get("dry_run") in (True, "true")


@contextmanager
def refused(
    *, entity: str = "entity", wrong: problems.ProblemType = problems.INVALID_BODY
) -> Iterator[None]:
    """Turn what a charged request raises into its problem, the same in every operation.

    ``entity`` is what the door calls that which a request is about, ``wrong`` the problem that it
    has for a value.
    """
    try:
        with writes.refused():
            yield
    except Exception as error:
        problem = problem_of(error)
        if isinstance(error, entities.AmbiguousName):
            errors = [{"name": entity, "detail": str(error)}]
            problem = Problem(wrong, f"{entity}: {error}", errors=errors)
        if problem is None:
            raise
        raise problem from error


def problem_of(error: Exception) -> Exception | None:
    """Return the problem that says why a charged request was refused; None for anything else."""
    match error:
        case InsufficientCredits():
            return answers.out_of_credits(error)
        case charged_requests.AboveMaximum():
            return Problem(
                problems.MAX_CREDITS_EXCEEDED,
                str(error),
                required=amounts.text(error.required),
                max_credits=amounts.text(error.maximum),
            )
        case AnalyzerFailed():
            return Problem(problem_types.ANALYZER_FAILED, str(error), headers=_retry_after(error))
        case entities.UnknownEntity():
            return Problem(problems.NOT_FOUND, str(error))
        case CompanyClosed():
            # Closed since the key was recognized: from now on it opens nothing.
            return AuthenticationFailed(problems.UNAUTHORIZED.detail)
    return None


def _retry_after(error: AnalyzerFailed) -> dict[str, str]:
    """Tell when to try again, where trying again may help."""
    if isinstance(error, AnalyzerRefused):
        return {}
    after = timedelta(seconds=RETRY_SECONDS) if error.retry_after is None else error.retry_after
    return {"Retry-After": str(max(math.ceil(after.total_seconds()), 1))}


def credits_of(
    *,
    used: Decimal,
    remaining: Decimal,
    calls: int,
    emails: int,
    web_searches: int = 0,
    saved: Decimal = amounts.ZERO,
) -> dict[str, Any]:
    """Return the member ``credits`` of an answer, as it is sent."""
    return dict(
        CreditsOutput(
            {
                "used": used,
                "remaining": remaining,
                "saved": saved,
                "breakdown": {"calls": calls, "emails": emails, "web_searches": web_searches},
            }
        ).data
    )


def estimated(estimate: RequestEstimate) -> HttpResponse:
    """Answer a dry run: what it would cost; it used nothing."""
    return _response(
        dict(EstimateOutput(estimate).data),
        used=amounts.ZERO,
        remaining=estimate.available_before,
    )


def answered(
    data: Mapping[str, Any],
    *,
    used: Decimal,
    remaining: Decimal,
    location: str,
    is_replay: bool = False,
) -> HttpResponse:
    """Answer a charged request; ``data`` has its ``credits`` already. Nobody may keep it."""
    response = _response(data, used=used, remaining=remaining)
    response["Location"] = location
    if is_replay:
        response["Idempotent-Replayed"] = "true"
    return response


def either(name: str, output: type[serializers.Serializer[Any]]) -> PolymorphicProxySerializer:
    """Describe an answer that is the output, or with ``dry_run`` an estimate."""
    return PolymorphicProxySerializer(
        component_name=name,
        serializers=[output, EstimateOutput],
        resource_type_field_name=None,
    )


def _response(data: Mapping[str, Any], *, used: Decimal, remaining: Decimal) -> HttpResponse:
    return HttpResponse(
        writes.text_of(data),
        content_type="application/json",
        headers={
            USED_HEADER: amounts.text(used),
            REMAINING_HEADER: amounts.text(remaining),
            "Cache-Control": "no-store",
        },
    )
