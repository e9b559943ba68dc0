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

from credits import amounts, origins
from credits.api import problem_types, problems, writes
from credits.api.fields import AmountField, FlagField, InstantField
from credits.api.problems import Problem
from credits.api.views import ApiView
from credits.companies import CompanyClosed
from credits.ledger import InsufficientCredits
from credits.models import UsageAction
from trackers import charged_requests, entities
from trackers.analyzers.base import AnalyzerFailed, AnalyzerRefused
from trackers.charged_requests import RequestEstimate
from trackers.requesters import Requester

USED_HEADER = "X-Credits-Used"
REMAINING_HEADER = "X-Credits-Remaining"
COMPANY_POOL = "company_pool"
RETRY_SECONDS = 30  # Where the analyzer does not say how long.

CREDITS_EXAMPLE = {
    "used": "12.4",
    "remaining": "8357.0",
    "saved": "0.0",
    "breakdown": {"calls": 10, "emails": 26, "web_searches": 0},
}
ESTIMATE_EXAMPLE = {
    "credits": "12.4",
    "calls": 10,
    "emails": 26,
    "web_searches": 0,
    "available_before": "8369.4",
    "available_after": "8357.0",
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
PARAMETERS = [
    *[one for one in writes.PARAMETERS if one.name == writes.HEADER],
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


class ChargedInput(serializers.Serializer[Any]):
    """What every charged request may say about its price."""

    dry_run = FlagField(required=False, help_text="true: say the price and do nothing. Free.")
    max_credits = AmountField(
        required=False, help_text="The most this may cost; above it nothing is done."
    )


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


class EstimateOutput(serializers.Serializer[Any]):
    """What a request would cost now, and what it would leave. Nothing was done."""

    credits = AmountField(help_text="The price, which is exact.")
    calls = serializers.IntegerField()
    emails = serializers.IntegerField()
    web_searches = serializers.IntegerField()
    available_before = AmountField()
    available_after = AmountField(help_text="Negative by what is missing.")
    reused_at = InstantField(
        allow_null=True, help_text="When the answer was made that would be given again for 0."
    )

    class Meta:
        ref_name = "RequestEstimate"


class ChargedView(ApiView):
    """An operation that is charged, through a key."""

    raises: ClassVar[tuple[problems.ProblemType, ...]] = RAISES

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


@contextmanager
def refused() -> Iterator[None]:
    """Turn what a charged request raises into its problem, the same in every operation."""
    try:
        with writes.refused():
            yield
    except Exception as error:
        problem = problem_of(error)
        if problem is None:
            raise
        raise problem from error


def problem_of(error: Exception) -> Exception | None:
    """Return the problem that says why a charged request was refused; None for anything else."""
    match error:
        case InsufficientCredits():
            return Problem(
                problems.INSUFFICIENT_CREDITS,
                str(error),
                required=amounts.text(error.required),
                available=amounts.text(error.available),
                shortfall=amounts.text(error.shortfall),
                limit_source=COMPANY_POOL,
            )
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
