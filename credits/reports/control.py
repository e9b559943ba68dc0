"""The figures by which the reports of one company and range are held against each other (I13).

Each is read by its own way through the ledger: opening and closing from the last entry before the
range and the last one in it, the sums from the entries between, use from the usage events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import F, Q, QuerySet, Sum, Window
from django.db.models.functions import Lag

from credits.amounts import ZERO
from credits.models import Company, CreditGrant, CreditPool, EntryKind, LedgerEntry, UsageEvent
from credits.models.entries import FREE_ACTIONS
from credits.reports.base import DayRange

CORRECTIONS = [EntryKind.VOIDED, EntryKind.REFUNDED, EntryKind.ADJUSTED]


@dataclass(frozen=True, slots=True)
class Control:
    """One range's figures as of ledger entry ``sequence``; magnitudes, ``corrected`` signed.

    ``broken_links`` counts entries whose credits before are not what the one above left.
    ``granted_remaining`` is the sum over all grants now, ``remaining`` what the page says.
    """

    sequence: int
    opening: Decimal
    added: Decimal
    used: Decimal
    expired: Decimal
    corrected: Decimal
    closing: Decimal
    usage: Decimal
    broken_links: int
    granted_remaining: Decimal
    remaining: Decimal

    @property
    def result(self) -> Decimal:
        """What the closing balance has to be: opening + added − used − expired ± corrected."""
        return self.opening + self.added - self.used - self.expired + self.corrected

    @property
    def is_balanced(self) -> bool:
        return (
            self.result == self.closing
            and self.usage == self.used
            and self.broken_links == 0
            and self.granted_remaining == self.remaining
        )


def of(*, company: Company, days: DayRange) -> Control:
    """Return the figures; for one state of the database, ask inside ``overview.snapshot()``."""
    zone = ZoneInfo(company.time_zone)
    entries = LedgerEntry.objects.filter(company=company)
    in_range = days.limit(entries, zone=zone, instant="occurred_at")
    sums = in_range.aggregate(
        added=Sum("amount", filter=Q(kind=EntryKind.GRANTED)),
        used=Sum("amount", filter=Q(kind=EntryKind.CONSUMED)),
        expired=Sum("amount", filter=Q(kind=EntryKind.EXPIRED)),
        corrected=Sum("amount", filter=Q(kind__in=CORRECTIONS)),
    )
    events = UsageEvent.objects.filter(company=company).exclude(action__in=FREE_ACTIONS)
    usage = days.limit(events, zone=zone, instant="occurred_at").aggregate(sum=Sum("amount"))["sum"]
    start, end = days.span(zone)
    pool = CreditPool.objects.get(company=company)
    grants = CreditGrant.objects.filter(company=company).aggregate(sum=Sum("remaining"))["sum"]
    return Control(
        sequence=pool.sequence,
        opening=ZERO if start is None else _balance_before(entries, start),
        added=sums["added"] or ZERO,
        used=-(sums["used"] or ZERO),
        expired=-(sums["expired"] or ZERO),
        corrected=sums["corrected"] or ZERO,
        closing=pool.balance if end is None else _balance_before(entries, end),
        usage=usage or ZERO,
        broken_links=_broken_links(in_range),
        granted_remaining=grants or ZERO,
        remaining=pool.balance,
    )


def _balance_before(entries: QuerySet[LedgerEntry], instant: datetime) -> Decimal:
    """Return what the last entry before the instant left; zero before the first."""
    before = entries.filter(occurred_at__lt=instant).order_by("-occurred_at", "-sequence")
    return before.values_list("balance_after", flat=True).first() or ZERO


def _broken_links(entries: QuerySet[LedgerEntry]) -> int:
    above = Window(Lag("balance_after"), order_by="sequence")
    return (
        entries.annotate(above=above).exclude(above=None).exclude(above=F("balance_before")).count()
    )
