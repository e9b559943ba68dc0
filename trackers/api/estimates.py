"""What trackers would cost, from counts alone: free, and exact for what is there."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar
from uuid import UUID

from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import allowances, balances, rating
from credits.allowances import Allowance
from credits.api import problems, schema
from credits.api.fields import AmountField, InstantField
from credits.api.problem_types import WRONG_STATE
from credits.api.problems import Problem
from credits.api.reading import Parameters
from credits.api.views import ApiView
from credits.ledger import Use
from credits.models import Company, FeatureType, Scope, UsageAction
from trackers import estimates, publishing
from trackers.api import acting, charged, shapes, trackers
from trackers.models import Tracker

EXAMPLE = {
    "version_number": 2,
    "from_at": "2026-01-01T00:00:00Z",
    "to_at": "2026-11-01T00:00:00Z",
    "conversations": 4120,
    "calls": 4120,
    "emails": 0,
    "credits": "3811.5",
    "available_before": "8369.4",
    "available_after": "4557.9",
    "limit": charged.LIMIT_EXAMPLE | {"limit_source": "tracker", "name": "Pricing objection"},
}


class MonthAnswer(shapes.MonthOutput):
    """What a month of a tracker costs, beside what can be spent now."""

    available = AmountField(help_text="What can be spent now.")
    needs_acceptance = serializers.BooleanField(
        help_text="More than 10 % of what is available: publishing it has to accept that."
    )

    class Meta:
        ref_name = "TrackerEstimate"


class BackfillSpan(Parameters):
    """Which conversations: those that start in `from_at` ≤ t < `to_at`."""

    from_at = InstantField(
        required=False, help_text="RFC 3339; the start of the oldest conversation, if left out."
    )
    to_at = InstantField(required=False, help_text="Exclusive; now, if left out.")


class BackfillEstimate(serializers.Serializer[Any]):
    """What reading history would cost: exact, for the conversations that are there."""

    version_number = serializers.IntegerField(help_text="The version that would read.")
    from_at = InstantField()
    to_at = InstantField(help_text="Exclusive.")
    conversations = serializers.IntegerField(help_text="Those not read, or queued, yet.")
    calls = serializers.IntegerField()
    emails = serializers.IntegerField()
    credits = AmountField()
    available_before = AmountField(help_text="What can be spent now.")
    available_after = AmountField(help_text="Below 0: it cannot be started without a ceiling.")
    limit = charged.LimitLeftOutput(
        allow_null=True,
        help_text="The limit that leaves it least; met, it waits until that begins anew. Null "
        "where no limit is about it.",
    )


class TrackerEstimateView(ApiView):
    """A month of one tracker."""

    scopes: ClassVar = {"GET": Scope.TRACKERS_READ}
    raises = (problems.NOT_FOUND, WRONG_STATE)

    @extend_schema(
        operation_id="estimate_tracker",
        tags=["Trackers"],
        summary="Estimate a month of a tracker",
        responses={
            200: schema.answered(
                MonthAnswer,
                "What a month costs.",
                month=shapes.ESTIMATE_EXAMPLE | {"available": "8369.4", "needs_acceptance": True},
            )
        },
    )
    def get(self, request: Request, id: UUID) -> Response:
        """At the pace of the last 30 days, of its draft where there is one. Free."""
        tracker = acting.one(shapes.trackers_of(self.company), id, "tracker")
        month = trackers.month(tracker)
        if month is None:
            raise Problem(WRONG_STATE, "This tracker asks nothing yet; give it a question first.")
        available = balances.now(company=self.company).available
        accepted = publishing.needs_acceptance(month["credits"], available=available)
        found = month | {"available": available, "needs_acceptance": accepted}
        return Response(MonthAnswer(found).data)


class BackfillEstimateView(ApiView):
    """The history of one tracker."""

    scopes: ClassVar = {"GET": Scope.TRACKERS_READ}
    parameters = BackfillSpan
    raises = (problems.INVALID_PARAMETER, problems.NOT_FOUND, WRONG_STATE)

    @extend_schema(
        operation_id="estimate_backfill",
        tags=["Backfills"],
        summary="Estimate a backfill",
        parameters=[BackfillSpan],
        responses={200: schema.answered(BackfillEstimate, "What it costs.", backfill=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """Of the version that is, or would be, in force. Free."""
        tracker = acting.one(shapes.trackers_of(self.company), id, "tracker")
        found = backfill(tracker, self.values, allowance=allowance(self.company, id))
        return Response(BackfillEstimate(found).data)


def allowance(company: Company, tracker_id: UUID) -> Allowance:
    """Return what a backfill of a tracker may use now; what is due is settled first."""
    use = Use(FeatureType.TRACKER, "", tracker_id, UsageAction.BACKFILL)
    return allowances.of(company=company, use=use)


def backfill(tracker: Tracker, values: dict[str, Any], *, allowance: Allowance) -> dict[str, Any]:
    """Price the history that ``from_at`` and ``to_at`` name, or all of it until now.

    :raises Problem: the tracker asks nothing, or the span ends before it begins.
    """
    version = publishing.next_version(tracker)
    if version is None:
        raise Problem(WRONG_STATE, "This tracker asks nothing yet; give it a question first.")
    from_at, to_at = span(tracker, values)
    found = estimates.backfill(
        tracker=tracker,
        version=version,
        from_at=from_at,
        to_at=to_at,
        rates=rating.rates_at(timezone.now()),
    )
    return {
        "version_number": version.number,
        "from_at": from_at,
        "to_at": to_at,
        "conversations": found.conversations,
        "calls": found.calls,
        "emails": found.emails,
        "credits": found.credits,
        "available_before": allowance.available,
        "available_after": allowance.available - found.credits,
        "limit": allowance.tightest,
    }


def span(tracker: Tracker, values: dict[str, Any]) -> tuple[datetime, datetime]:
    """Return the instants that a request names, or those from the oldest conversation to now."""
    now = timezone.now()
    to_at = values.get("to_at") or now
    from_at = values.get("from_at") or min(estimates.oldest_start(tracker) or now, to_at)
    return from_at, to_at
