"""The credit usage report: what ran, for whom, for how many credits (SPEC §4)."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Sum

from credits.amounts import ZERO
from credits.models import FREE_ACTIONS, Company, Integration, UsageAction, UsageEvent
from credits.reports.base import Column, CreditReport, DayRange, TextColumn, Totals

REQUEST_ACTIONS = (UsageAction.API_REQUEST, UsageAction.MCP_REQUEST)


def with_integration_name(rows: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
    """Add the name of each event's integration; None for work that came from none."""
    named = Integration.objects.filter(company=OuterRef("company"), pk=OuterRef("integration_ref"))
    return rows.annotate(integration_name=Subquery(named.values("name")[:1]))


class CreditUsageReport(CreditReport):
    """One row per usage event, in ledger order; previews and other free use only on request."""

    title = "Credit usage"
    slug = "credit-usage"

    usage_time = Column("Usage time")
    feature_type = TextColumn("Feature type")
    feature_name = TextColumn("Feature name")
    usage_action = TextColumn("Usage action")
    integration = TextColumn("Integration")
    user_id = Column("User ID")
    credits_used = Column("Credits used")
    usage_breakdown = TextColumn("Usage breakdown")
    requests = Column("# of requests")

    def __init__(self, *, company: Company, has_free_use: bool = False) -> None:
        super().__init__(company=company)
        self.has_free_use = has_free_use

    def rows(self, days: DayRange) -> QuerySet[UsageEvent]:
        return self.filter_export(self._in_range(days))

    def totals(self, days: DayRange) -> Totals:
        found = self._limited(self._in_range(days)).aggregate(
            rows=Count("pk"), credits=Sum("amount")
        )
        return Totals(row_count=found["rows"], credits=found["credits"] or ZERO)

    def filter_export(self, queryset: Any, **kwargs: Any) -> QuerySet[UsageEvent]:
        # After an entry comes first the use it paid for, then the free uses until the next one.
        return with_integration_name(self._limited(queryset)).order_by(
            "after_sequence", F("entry").asc(nulls_last=True), "occurred_at", "pk"
        )

    def dehydrate_usage_time(self, event: UsageEvent) -> str:
        return self.instant(event.occurred_at)

    def dehydrate_feature_type(self, event: UsageEvent) -> str:
        return event.get_feature_type_display()

    def dehydrate_feature_name(self, event: UsageEvent) -> str:
        return event.feature_name

    def dehydrate_usage_action(self, event: UsageEvent) -> str:
        return event.get_action_display()

    def dehydrate_integration(self, event: Any) -> str:
        return event.integration_name or ""

    def dehydrate_user_id(self, event: UsageEvent) -> str:
        return str(event.user_ref or "")

    def dehydrate_credits_used(self, event: UsageEvent) -> str:
        return self.amount(event.amount)

    def dehydrate_usage_breakdown(self, event: UsageEvent) -> str:
        return f"Calls: {event.calls}, Emails: {event.emails}, Web searches: {event.web_searches}"

    def dehydrate_requests(self, event: UsageEvent) -> str:
        return str(event.request_count or "") if event.action in REQUEST_ACTIONS else ""

    def _in_range(self, days: DayRange) -> QuerySet[UsageEvent]:
        mine = UsageEvent.objects.filter(company=self.company)
        return days.limit(mine, zone=self.zone, instant="occurred_at")

    def _limited(self, rows: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
        """Keep to the company, whatever the caller's rows, and leave free use out unless asked."""
        mine = rows.filter(company=self.company)
        return mine if self.has_free_use else mine.exclude(action__in=FREE_ACTIONS)
