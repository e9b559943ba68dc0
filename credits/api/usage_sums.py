"""Usage added up by feature, tracker, person, integration, team or day."""

from __future__ import annotations

from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import Count, F, QuerySet, Sum
from rest_framework import serializers

from credits import daily_use, local_days
from credits.api import problems
from credits.api.fields import AmountField
from credits.api.problems import Problem
from credits.models import Company, FeatureType, Integration, UsageEvent

FEATURE, TRACKER, USER, INTEGRATION, TEAM, DAY = KINDS = (
    "feature",
    "tracker",
    "user",
    "integration",
    "team",
    "day",
)
GROUPS_MAX = 1000
_COLUMNS = {
    FEATURE: "feature_type",
    TRACKER: "feature_ref",
    USER: "user_ref",
    INTEGRATION: "integration_ref",
    TEAM: "team_ref",
}
COUNTS = ("calls", "emails", "web_searches", "requests")

EXAMPLE = {
    "group": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b15",
    "name": "Pricing objection",
    "events": 118,
    "calls": 902,
    "emails": 2044,
    "web_searches": 0,
    "requests": 0,
    "amount": "1004.4",
}


class UsageSumOutput(serializers.Serializer[Any]):
    """All usage of one group together."""

    group = serializers.CharField(
        allow_null=True,
        help_text="The feature's code, an id, or a day of your company's zone; null: of none.",
    )
    name = serializers.CharField(
        allow_null=True,
        help_text="What it is called, of features, trackers, integrations and teams. Null for "
        "days, and for people: they are opaque here.",
    )
    events = serializers.IntegerField(help_text="How many usage events.")
    calls = serializers.IntegerField()
    emails = serializers.IntegerField()
    web_searches = serializers.IntegerField()
    requests = serializers.IntegerField()
    amount = AmountField(help_text="Credits used. Refunds are entries of the ledger.")

    class Meta:
        ref_name = "UsageSum"


class UsageSums(serializers.Serializer[Any]):
    """Every group there is: days in their order, else the one that used most first."""

    group_by = serializers.ChoiceField(choices=KINDS)
    items = UsageSumOutput(many=True)


def sums(rows: QuerySet[UsageEvent], *, by: str, company: Company) -> list[dict[str, Any]]:
    """Add the usage up; the amounts of all groups together are those of the rows.

    By tracker only the usage of trackers counts.

    :raises Problem: for more than 1,000 groups.
    """
    if by == TRACKER:
        rows = rows.filter(feature_type=FeatureType.TRACKER)
    zone = ZoneInfo(company.time_zone)
    key: Any = F(_COLUMNS[by]) if by != DAY else local_days.start_of(local_days.starts(rows, zone))
    found = (
        rows.annotate(group=key)
        .values("group")
        .annotate(
            events=Count("pk"),
            amount_sum=Sum("amount"),
            calls_sum=Sum("calls"),
            emails_sum=Sum("emails"),
            web_searches_sum=Sum("web_searches"),
            requests_sum=Sum("request_count", default=0),
        )
        .order_by("group" if by == DAY else "-amount_sum", "group")[: GROUPS_MAX + 1]
    )
    groups: list[Any] = list(found)
    if len(groups) > GROUPS_MAX:
        raise Problem(
            problems.INVALID_PARAMETER,
            f"group_by: There are more than {GROUPS_MAX:,} groups; narrow since and until.",
            errors=[{"name": "group_by", "detail": "Too many groups; narrow since and until."}],
        )
    if by == DAY:
        groups = [group | {"group": group["group"].astimezone(zone).date()} for group in groups]
    names = _names(by, company, [group["group"] for group in groups])
    return [_shown(group, names) for group in groups]


def _names(by: str, company: Company, keys: list[Any]) -> dict[Any, str]:
    if by == FEATURE:
        return {feature.value: str(feature.label) for feature in FeatureType}
    if by == TRACKER:
        uses = UsageEvent.objects.filter(company=company, feature_ref__in=keys)
        newest = uses.order_by("feature_ref", "-occurred_at", "-after_sequence", "-pk")
        return dict(newest.distinct("feature_ref").values_list("feature_ref", "feature_name"))
    if by == INTEGRATION:
        mine = Integration.objects.filter(company=company)
        return dict(mine.filter(pk__in=keys).values_list("pk", "name"))
    if by == TEAM:
        return daily_use.team_names(company)
    return {}


def _shown(group: dict[str, Any], names: dict[Any, str]) -> dict[str, Any]:
    key = group["group"]
    return {
        "group": None if key is None else str(key),
        "name": names.get(key),
        "events": group["events"],
        "amount": group["amount_sum"],
    } | {name: group[f"{name}_sum"] for name in COUNTS}
