"""The credit usage report: what ran, for whom, for how many credits (SPEC §4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.contrib.postgres.aggregates import ArrayAgg
from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    Func,
    Min,
    OuterRef,
    PositiveIntegerField,
    QuerySet,
    Subquery,
    Sum,
    TextField,
    Value,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Concat

from credits import local_days
from credits.amounts import ZERO
from credits.models import FREE_ACTIONS, FeatureType, Integration, UsageAction, UsageEvent
from credits.reports import pieces
from credits.reports.base import CreditReport, DayRange, Totals
from credits.reports.columns import (
    AmountColumn,
    CountColumn,
    IdColumn,
    InstantColumn,
    PhraseColumn,
    TextColumn,
    WordColumn,
)

REQUEST_ACTIONS = (UsageAction.API_REQUEST, UsageAction.MCP_REQUEST)
# What a row of the daily report is about; everything else is added up.
DAILY_KEYS = (
    *("day_starts_at", "feature_type", "feature_ref", "unreferenced_name", "action"),
    *("integration_ref", "user_ref"),
)


def with_integration_name(rows: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
    """Add the name of each event's integration; None for work that came from none."""
    named = Integration.objects.filter(company=OuterRef("company"), pk=OuterRef("integration_ref"))
    return rows.annotate(integration_name=Subquery(named.values("name")[:1]))


class CreditUsageReport(CreditReport):
    """One row per usage event, in ledger order; previews and other free use only on request.

    ``is_daily`` adds the events of one tracker and local day up to one row, which bears the
    instant the day began and the tracker's last name on it. What tells events apart (action,
    integration, user) still does, so that no cell of a row is true of a part of it only.
    """

    title = "Credit usage"
    slug = "credit-usage"
    nothing = "No usage"
    credits_label = "Credits used"
    is_cut = True

    usage_time = InstantColumn("Usage time", "used_at")
    feature_type = WordColumn("Feature type", "feature_type", dict(FeatureType.choices))
    feature_name = TextColumn("Feature name", "used_name")
    usage_action = WordColumn("Usage action", "action", dict(UsageAction.choices))
    integration = TextColumn("Integration", "integration_name")
    user_id = IdColumn("User ID", "user_ref")
    credits_used = AmountColumn("Credits used", "credits")
    usage_breakdown = PhraseColumn("Usage breakdown", "breakdown")
    requests = CountColumn("# of requests", "requests")

    def rows(self, days: DayRange) -> QuerySet[Any]:
        return self.filter_export(self._in_range(days))

    def pieces(self, days: DayRange) -> Iterator[QuerySet[Any]]:
        company, span, limit = self.company, days.span(self.zone), self.limit()
        if self.is_daily:
            cut = pieces.of_days(company=company, span=span, limit=limit, zone=self.zone)
        else:
            cut = pieces.of_ledger(company=company, span=span, limit=limit)
        for piece in cut:
            yield self.filter_export(piece.of_events(self._in_range(days)))

    def totals(self, days: DayRange) -> Totals:
        events = self._limited(self._in_range(days))
        found = events.aggregate(rows=Count("pk"), credits=Sum("amount"))
        row_count = self._by_day(events).count() if self.is_daily else found["rows"]
        return Totals(row_count=row_count, credits=found["credits"] or ZERO)

    def filter_export(self, queryset: Any, **kwargs: Any) -> QuerySet[Any]:
        events = self._limited(queryset)
        if self.is_daily:
            return self._by_day(events)
        # After an entry comes first the use it paid for, then the free uses until the next one.
        return (
            with_integration_name(events)
            .annotate(
                used_at=F("occurred_at"),
                used_name=F("feature_name"),
                credits=F("amount"),
                breakdown=_breakdown(F("calls"), F("emails"), F("web_searches")),
                requests=_of_requests(F("request_count")),
            )
            .order_by("after_sequence", F("entry").asc(nulls_last=True), "occurred_at", "pk")
        )

    def _by_day(self, events: QuerySet[UsageEvent]) -> QuerySet[Any]:
        newest_first = ("-after_sequence", "-occurred_at", "-pk")
        named = Integration.objects.filter(
            company=self.company, pk=OuterRef("integration_ref")
        ).values("name")[:1]
        return (
            events.annotate(
                day_starts_at=local_days.start_of(local_days.starts(events, self.zone)),
                # Features without a reference are told apart by their names.
                unreferenced_name=Case(
                    When(feature_ref=None, then=F("feature_name")),
                    default=Value(""),
                    output_field=CharField(),
                ),
            )
            .values(*DAILY_KEYS)
            .annotate(
                used_at=F("day_starts_at"),
                used_name=_first(ArrayAgg("feature_name", order_by=newest_first)),
                integration_name=Subquery(named),
                credits=Sum("amount"),
                breakdown=_breakdown(Sum("calls"), Sum("emails"), Sum("web_searches")),
                requests=_of_requests(Sum("request_count")),
                first_sequence=Min("after_sequence"),
            )
            .order_by("day_starts_at", "first_sequence", *DAILY_KEYS[1:])
        )

    def _in_range(self, days: DayRange) -> QuerySet[UsageEvent]:
        mine = UsageEvent.objects.filter(company=self.company)
        return days.limit(mine, zone=self.zone, instant="occurred_at")

    def _limited(self, rows: QuerySet[UsageEvent]) -> QuerySet[UsageEvent]:
        """Keep to the company, whatever the caller's rows, and leave free use out unless asked."""
        mine = rows.filter(company=self.company)
        return mine if self.has_free_use else mine.exclude(action__in=FREE_ACTIONS)


def _first(array: Combinable) -> Func:
    return Func(array, template="(%(expressions)s)[1]", output_field=TextField())


def _breakdown(calls: Combinable, emails: Combinable, web_searches: Combinable) -> Concat:
    return Concat(
        *(Value("Calls: "), Cast(calls, TextField())),
        *(Value(", Emails: "), Cast(emails, TextField())),
        *(Value(", Web searches: "), Cast(web_searches, TextField())),
        output_field=TextField(),
    )


def _of_requests(count: Combinable) -> Case:
    return Case(
        When(action__in=REQUEST_ACTIONS, then=count),
        default=None,
        output_field=PositiveIntegerField(),
    )
