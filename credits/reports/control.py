"""The figures by which the reports of one company and range are held against each other (I13).

Each is read by its own way through the ledger: opening and closing from the last entry before the
range and the last one in it, the sums from the entries between, use from the usage events.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, OuterRef, Q, QuerySet, Subquery, Sum, Window
from django.db.models.functions import Lag

from credits.amounts import ZERO
from credits.models import (
    FREE_ACTIONS,
    Company,
    CreditGrant,
    CreditPool,
    Drawdown,
    EntryKind,
    LedgerEntry,
    UsageEvent,
)
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


def of(*, company: Company, days: DayRange, sequence: int | None = None) -> Control:
    """Return the figures as of an entry, or as of now.

    Those of an entry are the same at any time after it. For those of now, and one state of the
    database, ask inside ``snapshots.taken()``.
    """
    zone = ZoneInfo(company.time_zone)
    if sequence is None:
        sequence = CreditPool.objects.get(company=company).sequence
    remaining, granted = _remaining_as_of(company, sequence)
    entries = LedgerEntry.objects.filter(company=company, sequence__lte=sequence)
    in_range = days.limit(entries, zone=zone, instant="occurred_at")
    sums = in_range.aggregate(
        added=Sum("amount", filter=Q(kind=EntryKind.GRANTED)),
        used=Sum("amount", filter=Q(kind=EntryKind.CONSUMED)),
        expired=Sum("amount", filter=Q(kind=EntryKind.EXPIRED)),
        corrected=Sum("amount", filter=Q(kind__in=CORRECTIONS)),
    )
    events = UsageEvent.objects.filter(company=company, after_sequence__lte=sequence)
    counted = days.limit(events, zone=zone, instant="occurred_at").exclude(action__in=FREE_ACTIONS)
    usage = counted.aggregate(sum=Sum("amount"))["sum"]
    start, end = days.span(zone)
    return Control(
        sequence=sequence,
        opening=ZERO if start is None else _balance_before(entries, start),
        added=sums["added"] or ZERO,
        used=-(sums["used"] or ZERO),
        expired=-(sums["expired"] or ZERO),
        corrected=sums["corrected"] or ZERO,
        closing=remaining if end is None else _balance_before(entries, end),
        usage=usage or ZERO,
        broken_links=_broken_links(in_range),
        granted_remaining=granted,
        remaining=remaining,
    )


def _remaining_as_of(company: Company, sequence: int) -> tuple[Decimal, Decimal]:
    """Return what remained after an entry, by the pool and by all grants together.

    Both are what they are now, less what later entries moved; read by one statement, so that no
    snapshot is needed.
    """
    mine = {"company": OuterRef("company")}
    pool = CreditPool.objects.annotate(
        granted=_sum(CreditGrant.objects.filter(**mine), "remaining"),
        added=_sum(LedgerEntry.objects.filter(**mine, sequence__gt=sequence), "amount"),
        drawn=_sum(Drawdown.objects.filter(**mine, entry__sequence__gt=sequence), "amount"),
    ).get(company=company)
    granted = (pool.granted or ZERO) - (pool.drawn or ZERO)
    return pool.balance - (pool.added or ZERO), granted


def _sum(rows: QuerySet[Any], column: str) -> Subquery:
    return Subquery(rows.values("company").annotate(sum=Sum(column)).values("sum"))


def _balance_before(entries: QuerySet[LedgerEntry], instant: datetime) -> Decimal:
    """Return what the last entry before the instant left; zero before the first."""
    before = entries.filter(occurred_at__lt=instant).order_by("-occurred_at", "-sequence")
    return before.values_list("balance_after", flat=True).first() or ZERO


def _broken_links(entries: QuerySet[LedgerEntry]) -> int:
    above = Window(Lag("balance_after"), order_by="sequence")
    return (
        entries.annotate(above=above).exclude(above=None).exclude(above=F("balance_before")).count()
    )
