"""Lay out the days and months that limits count in, ahead of time (SPEC §7).

Their bounds are told to the database as instants: only Python knows them, because a company's zone
may have a name that means something else to PostgreSQL (``zones``).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from django.db.models import F, OuterRef, QuerySet, Subquery

from credits import ledger, zones
from credits.ledger import Outcome
from credits.models import Company, LimitUse, LimitWindow, SpendingLimit

DAYS_AHEAD = 35
MONTHS_AHEAD = 3


def admitted(company: Company, act: Callable[[], Outcome]) -> Outcome:
    """Ask the ledger; where a window is not laid out yet, lay it out and ask again.

    That is two round trips more, once in ``DAYS_AHEAD`` days and when the time zone changed.
    """
    answer = act()
    if answer.outcome == "UNPREPARED":
        prepare(company=company, instant=answer.instant)
        answer = act()
    return answer


def prepare(*, company: Company, instant: datetime) -> None:
    """Lay out the windows ahead of all limits of a company, in the time zone that it has now."""
    zone_name = Company.objects.values_list("time_zone", flat=True).get(pk=company.pk)
    zone = ZoneInfo(zone_name)
    ledger.call(
        "ledger_prepare_windows",
        company.pk,
        zone_name,
        boundaries(LimitWindow.DAY, zone, instant),
        boundaries(LimitWindow.MONTH, zone, instant),
    )


def boundaries(window: LimitWindow, zone: ZoneInfo, instant: datetime) -> list[datetime]:
    """Return when the window at ``instant`` starts, and each of those ahead; the last only ends."""
    today = instant.astimezone(zone).date()
    if window == LimitWindow.DAY:
        days = [today + timedelta(days=ahead) for ahead in range(DAYS_AHEAD + 1)]
    else:
        months = [today.year * 12 + today.month - 1 + ahead for ahead in range(MONTHS_AHEAD + 1)]
        days = [today.replace(year=month // 12, month=month % 12 + 1, day=1) for month in months]
    # A day that a zone skipped starts when the next one does.
    return sorted({zones.start_of_day(day, zone) for day in days})


def with_use(rows: QuerySet[Any], instant: datetime) -> QuerySet[Any]:
    """Annotate limits with their window at an instant: ``now_used``, from and until when.

    All three are null where it is not laid out.
    """
    uses = LimitUse.objects.filter(
        limit=OuterRef("pk"), starts_at__lte=instant, ends_at__gt=instant
    ).order_by("-starts_at")
    return rows.annotate(
        now_used=Subquery(uses.values("used")[:1]),
        now_starts_at=Subquery(uses.values("starts_at")[:1]),
        now_ends_at=Subquery(uses.values("ends_at")[:1]),
    )


def reached(*, company: Company, instant: datetime) -> list[Any]:
    """Return the limits in force that leave nothing at an instant, hard ones first.

    Not those of 0 credits, which were never meant to leave anything.
    """
    rows = SpendingLimit.objects.filter(company=company, ended_at=None, credits__gt=0)
    found = with_use(rows, instant).filter(now_used__gte=F("credits"))
    return list(found.order_by("-is_hard", "now_ends_at", "pk"))


def is_unprepared(limit: Any, company: Company) -> bool:
    """Tell whether the windows of a limit that ``with_use`` read have to be laid out anew."""
    return limit.now_used is None or limit.time_zone != company.time_zone
