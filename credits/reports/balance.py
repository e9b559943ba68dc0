"""The credit balance report: every change of the balance, as a statement of account (SPEC §4)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import Count, F, QuerySet, Sum
from django.db.models.functions import Abs

from credits.amounts import ZERO
from credits.models import EntryKind, LedgerEntry
from credits.reports import pieces
from credits.reports.base import CreditReport, DayRange, Totals
from credits.reports.columns import AmountColumn, DayColumn, WordColumn

# The Action column; the Method column is the kind's own label.
ACTIONS = {
    EntryKind.GRANTED: "Adding credits",
    EntryKind.CONSUMED: "Consuming credits",
    EntryKind.EXPIRED: "Expiring credits",
    EntryKind.VOIDED: "Correcting credits",
    EntryKind.REFUNDED: "Correcting credits",
    EntryKind.ADJUSTED: "Correcting credits",
}


class CreditBalanceReport(CreditReport):
    """One row per ledger entry, in ledger order; each begins with what the one above left."""

    title = "Credit balance"
    slug = "credit-balance"
    nothing = "No change of the balance"
    credits_label = "Change of the balance"
    is_cut = True

    action_date = DayColumn("Action date", "occurred_at")
    action = WordColumn("Action", "kind", ACTIONS)
    method = WordColumn("Method", "kind", dict(EntryKind.choices))
    credits = AmountColumn("# of credits", "magnitude")
    before = AmountColumn("Total credits before", "balance_before")
    after = AmountColumn("Total credits after", "balance_after")

    def rows(self, days: DayRange) -> QuerySet[LedgerEntry]:
        return self.filter_export(self._in_range(days))

    def pieces(self, days: DayRange) -> Iterator[QuerySet[LedgerEntry]]:
        span = days.span(self.zone)
        cut = pieces.of_ledger(company=self.company, span=span, limit=self.limit())
        for piece in cut:
            yield self.filter_export(piece.of_entries(self._in_range(days)))

    def totals(self, days: DayRange) -> Totals:
        found = self._in_range(days).aggregate(rows=Count("pk"), credits=Sum("amount"))
        return Totals(row_count=found["rows"], credits=found["credits"] or ZERO)

    def filter_export(self, queryset: Any, **kwargs: Any) -> QuerySet[LedgerEntry]:
        mine = queryset.filter(company=self.company)
        return mine.annotate(magnitude=Abs(F("amount"))).order_by("sequence")

    def _in_range(self, days: DayRange) -> QuerySet[LedgerEntry]:
        mine = LedgerEntry.objects.filter(company=self.company)
        return days.limit(mine, zone=self.zone, instant="occurred_at")
