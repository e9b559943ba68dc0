"""What a company's forecast is made from, read as of one instant, and the forecasts made from it.

A change under consideration is put against the present pace as of the same instant, so that the
two days a page shows differ by the change alone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db.models import DateTimeField, Func

from credits import demand, expirations, forecasts, metering, snapshots
from credits.amounts import ZERO
from credits.forecasts import Forecast, Pace
from credits.metering import DayUse
from credits.models import Company, CreditGrant, CreditPool
from credits.paths import Lot

LOTS_MAX = 1000


@dataclass(frozen=True, slots=True)
class Outlook:
    """What is there, what is used, and what waits; ``available`` is free to be spent now.

    ``planned_per_day`` is what changes that are made already move the pace of each day.
    """

    instant: datetime
    zone: ZoneInfo
    available: Decimal
    waiting: Decimal
    pace: Pace
    lots: tuple[Lot, ...]
    planned_per_day: Decimal = ZERO

    def forecast(self, *, more_per_day: Decimal = ZERO, at_once: Decimal = ZERO) -> Forecast | None:
        """Return the forecast; None with fewer than three full days with use.

        ``more_per_day`` and ``at_once`` are what a change under consideration would use beyond
        the present pace: from now on on average, and immediately.
        """
        return forecasts.of(
            lots=self.lots,
            pace=self.pace,
            waiting=self.waiting + at_once,
            instant=self.instant,
            zone=self.zone,
            more_per_day=self.planned_per_day + more_per_day,
        )


def made(
    *,
    company: Company,
    instant: datetime,
    available: Decimal,
    waiting: Decimal,
    uses: Iterable[DayUse],
    first_use_at: datetime | None,
    grants: Iterable[CreditGrant],
    planned_per_day: Decimal = ZERO,
) -> Outlook:
    """Return the outlook from rows already read: use of the last 28 days or more, and open grants.

    ``first_use_at`` is ``metering.asked_first_use``, so that whoever read more days of use, or
    fewer, says the same.
    """
    zone = ZoneInfo(company.time_zone)
    return Outlook(
        instant=instant,
        zone=zone,
        available=available,
        waiting=waiting,
        pace=forecasts.pace(
            uses=uses,
            first_use=first_use_at and first_use_at.astimezone(zone).date(),
            today=instant.astimezone(zone).date(),
        ),
        lots=tuple(forecasts.lots_of(grants)),
        planned_per_day=planned_per_day,
    )


def of(*, company: Company) -> Outlook:
    """Return the outlook by the ledger's clock; settles what is due first."""
    while (found := _read(company)) is None:
        expirations.settle(company=company)
    return found


def _read(company: Company) -> Outlook | None:
    """Return None when something has come due: nothing can be settled in a snapshot."""
    with snapshots.taken():
        clock = Func(function="ledger_clock", output_field=DateTimeField())
        pool = CreditPool.objects.annotate(
            clock=clock,
            planned=demand.planned_per_day(company),
            first_use_at=metering.asked_first_use(company),
        ).get(company=company)
        instant = max(pool.clock, pool.last_occurred_at or pool.clock)
        if pool.next_due_at is not None and pool.next_due_at <= instant:
            return None
        today = instant.astimezone(ZoneInfo(company.time_zone)).date()
        grants = CreditGrant.objects.filter(company=company, cancelled_at=None).exclude(
            granted_at__isnull=False, remaining=0
        )
        return made(
            company=company,
            instant=instant,
            available=pool.balance - pool.reserved,
            waiting=demand.waiting(company=company).credits,
            uses=metering.daily(
                company=company,
                first=today - timedelta(days=forecasts.HISTORY_DAYS),
                last=today,
            ),
            first_use_at=pool.first_use_at,
            grants=grants.order_by("effective_at", "id")[:LOTS_MAX],
            planned_per_day=pool.planned,
        )
