"""The purchase history report: what was bought, and what is left of it (SPEC §4)."""

from __future__ import annotations

from typing import Any

from django.db.models import Case, Count, F, QuerySet, Sum, Value, When

from billing.models import Purchase, PurchaseState
from credits.amounts import ZERO, AmountField
from credits.reports.base import CreditReport, DayRange, Totals
from credits.reports.columns import AmountColumn, DateColumn, InstantColumn


class PurchaseHistoryReport(CreditReport):
    """One row per fulfilled purchase, voided ones included, in the order of fulfilment.

    What remains is as of the export. Of credits that are not available yet nothing remains, since
    Σ remaining over grants is what the page says remains (SPEC §4), and the balance does not hold
    them either; their row says in “Availability start date” from when it does. Of a voided one
    nothing remains either, though work under way may still hold some of it: what comes back is
    voided in the same act.
    """

    title = "Purchase history"
    slug = "purchase-history"
    nothing = "No purchases"
    credits_label = "Credits purchased"

    purchase_time = InstantColumn("Purchase time", "fulfilled_at")
    credits = AmountColumn("# of credits", "amount")
    starts_on = DateColumn("Availability start date", "starts_on")
    ends_on = DateColumn("Expiration date", "ends_on")
    remaining = AmountColumn("Remaining credits", "remaining")

    def rows(self, days: DayRange) -> QuerySet[Purchase]:
        return self.filter_export(self._in_range(days))

    def totals(self, days: DayRange) -> Totals:
        found = self._in_range(days).aggregate(rows=Count("pk"), credits=Sum("amount"))
        return Totals(row_count=found["rows"], credits=found["credits"] or ZERO)

    def filter_export(self, queryset: Any, **kwargs: Any) -> QuerySet[Purchase]:
        mine = queryset.filter(company=self.company, state=PurchaseState.FULFILLED)
        remaining = Case(
            When(voided_at__isnull=False, then=Value(ZERO)),
            default=F("grant__remaining"),
            output_field=AmountField(),
        )
        return mine.annotate(remaining=remaining).order_by("fulfilled_at", "pk")

    def _in_range(self, days: DayRange) -> QuerySet[Purchase]:
        mine = Purchase.objects.filter(company=self.company, state=PurchaseState.FULFILLED)
        return days.limit(mine, zone=self.zone, instant="fulfilled_at")
