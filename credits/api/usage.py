"""What was used: which feature, on how many calls and e-mails, for how many credits."""

from __future__ import annotations

from typing import Any, ClassVar
from uuid import UUID

from django.db.models import BooleanField, ExpressionWrapper, Q, QuerySet
from drf_spectacular.utils import PolymorphicProxySerializer, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from credits import balances
from credits.api import pages, problems, schema, usage_sums
from credits.api.fields import AmountField, CodeField, FlagField, IdField, InstantField
from credits.api.problems import Problem
from credits.api.views import ApiView, PageView, not_found
from credits.models import FREE_ACTIONS, FeatureType, Scope, UsageAction, UsageEvent
from credits.reports.usage import with_integration_name

EXAMPLE = {
    "id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b12",
    "occurred_at": "2026-11-21T23:10:05.123456Z",
    "feature_type": "TRACKER",
    "feature_name": "Pricing objection",
    "feature_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b15",
    "action": "CONTINUOUS",
    "integration_id": None,
    "integration_name": None,
    "user_id": None,
    "team_id": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b16",
    "calls": 10,
    "emails": 24,
    "web_searches": 0,
    "requests": None,
    "amount": "12.4",
    "sequence": 48211,
}


class UsageFilters(serializers.Serializer[Any]):
    """Which usage; shared by the list and the sums."""

    since = InstantField(required=False, help_text="Used at or after this instant (RFC 3339).")
    until = InstantField(required=False, help_text="Used before this instant.")
    feature = CodeField(
        required=False, choices=FeatureType.choices, help_text="What kind of feature."
    )
    action = CodeField(required=False, choices=UsageAction.choices, help_text="Why it ran.")
    tracker = IdField(required=False, help_text="The id of one tracker.")
    integration = IdField(required=False, help_text="The id of one integration.")
    user = IdField(required=False, help_text="The public id of one person.")
    team = IdField(required=False, help_text="The id of one team.")
    include_free_use = FlagField(
        required=False,
        default=False,
        help_text="Also previews, manual work and reused answers, which cost 0; needless with "
        "one of these as the action.",
    )


class UsageParameters(UsageFilters, pages.PageParameters):
    """Which usage, page by page; or all of it, added up."""

    group_by = CodeField(
        required=False,
        choices=[(kind, kind) for kind in usage_sums.KINDS],
        help_text="Add the usage up instead of listing it: one answer with every group, without "
        "pages. Days are those of your company's zone.",
    )


class UsageOutput(serializers.Serializer[Any]):
    """Work that was done, and what it cost. Refunds are entries of the ledger."""

    id = IdField()
    occurred_at = InstantField()
    feature_type = serializers.ChoiceField(choices=FeatureType.choices)
    feature_name = serializers.CharField(help_text="What it was called then.")
    feature_id = IdField(
        source="feature_ref", allow_null=True, help_text="Stays when the name changes."
    )
    action = serializers.ChoiceField(choices=UsageAction.choices)
    integration_id = IdField(source="integration_ref", allow_null=True)
    integration_name = serializers.CharField(allow_null=True)
    user_id = IdField(
        source="user_ref", allow_null=True, help_text="Opaque; null for background work."
    )
    team_id = IdField(source="team_ref", allow_null=True)
    calls = serializers.IntegerField()
    emails = serializers.IntegerField()
    web_searches = serializers.IntegerField()
    requests = serializers.IntegerField(
        source="request_count", allow_null=True, help_text="For API and MCP; else null."
    )
    amount = AmountField(help_text="Credits used; 0.0 for free use.")
    sequence = serializers.SerializerMethodField(help_text="Its ledger entry; null for free use.")

    class Meta:
        ref_name = "Usage"

    def get_sequence(self, event: UsageEvent) -> int | None:
        return event.after_sequence if event.amount else None


class UsagePage(serializers.Serializer[Any]):
    items = UsageOutput(many=True)
    next_cursor = serializers.CharField(allow_null=True, help_text=pages.NEXT_CURSOR_HELP)


class UsageView(PageView):
    """The usage of the key's company."""

    scopes: ClassVar = {"GET": Scope.USAGE_READ}
    parameters = UsageParameters
    # Ledger order. Time never decreases along it, so that time may come first, which an index
    # serves; at one instant an entry's own usage comes before the free uses that follow it.
    order = pages.Order(
        (
            ("occurred_at", pages.instant),
            ("after_sequence", pages.sequence),
            ("is_free", pages.flag),
            ("id", pages.uuid),
        )
    )
    output = UsageOutput

    @extend_schema(
        operation_id="list_usage",
        tags=["Credits"],
        summary="List usage",
        parameters=[UsageParameters],
        responses={
            200: schema.answered(
                PolymorphicProxySerializer(
                    component_name="UsageAnswer",
                    serializers=[UsagePage, usage_sums.UsageSums],
                    resource_type_field_name=None,
                ),
                "One page of usage; with `group_by`, its sums.",
                usage={"items": [EXAMPLE], "next_cursor": None},
                sums={"group_by": "tracker", "items": [usage_sums.EXAMPLE]},
            )
        },
    )
    def get(self, request: Request) -> Response:
        """One row per usage event, in ledger order, as in the credit usage report.

        The range `since` ≤ t < `until` is half-open. An id of another company finds nothing. With
        `group_by`, one row per group, whose amounts add up to those of the rows.
        """
        if by := self.values.get("group_by"):
            return self._sums(by)
        balances.now(company=self.company)  # Settles what is due.
        return self.page(limited(usage_of(self), self.values))

    def _sums(self, by: str) -> Response:
        if errors := [
            {"name": name, "detail": "Sums come without pages; leave it out."}
            for name in self.request.query_params
            if name in pages.PageParameters().fields
        ]:
            detail = f"{errors[0]['name']}: {errors[0]['detail']}"
            raise Problem(problems.INVALID_PARAMETER, detail, errors=errors)
        balances.now(company=self.company)  # Settles what is due.
        rows = limited(UsageEvent.objects.filter(company=self.company), self.values)
        found = usage_sums.sums(rows, by=by, company=self.company)
        return Response(usage_sums.UsageSums({"group_by": by, "items": found}).data)


class UsageEventView(ApiView):
    """One usage event of the key's company."""

    scopes: ClassVar = {"GET": Scope.USAGE_READ}
    raises = (problems.NOT_FOUND,)

    @extend_schema(
        operation_id="read_usage_event",
        tags=["Credits"],
        summary="Read a usage event",
        responses={200: schema.answered(UsageOutput, "The usage event.", usage=EXAMPLE)},
    )
    def get(self, request: Request, id: UUID) -> Response:
        """One piece of work that was done."""
        event = usage_of(self).filter(pk=id).first()
        if event is None:
            raise not_found("usage event")
        return Response(UsageOutput(event).data)


def usage_of(view: ApiView) -> QuerySet[UsageEvent]:
    """Return the usage of the company, each with its integration's name."""
    is_free = ExpressionWrapper(Q(amount=0), output_field=BooleanField())
    mine = UsageEvent.objects.filter(company=view.company).annotate(is_free=is_free)
    return with_integration_name(mine)


def limited(rows: QuerySet[UsageEvent], values: dict[str, Any]) -> QuerySet[UsageEvent]:
    """Limit usage to what the filters ask for."""
    lookups = {
        "since": "occurred_at__gte",
        "until": "occurred_at__lt",
        "feature": "feature_type",
        "action": "action",
        "integration": "integration_ref",
        "user": "user_ref",
        "team": "team_ref",
    }
    given = {lookup: values[name] for name, lookup in lookups.items() if name in values}
    if "tracker" in values:
        rows = rows.filter(feature_type=FeatureType.TRACKER, feature_ref=values["tracker"])
    # Whoever names a free action means it.
    if not values["include_free_use"] and values.get("action") not in FREE_ACTIONS:
        rows = rows.exclude(action__in=FREE_ACTIONS)
    return rows.filter(**given)
