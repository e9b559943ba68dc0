"""Decide that a company counts its days in another time zone (SPEC §5).

Note [One zone at a time]
A company has one zone. A changed one applies from the next period, which starts where the last
ended: that instant is fixed, and only the new period's *end* is midnight in the new zone. So
periods neither overlap nor leave a gap, whatever the zones; the period of the change is longer or
shorter by what lies between them. Without a running period nothing is tied to the old zone, and
the change counts at once.

Stored instants never move: ledger entries, uses, grants, and periods that have started keep
theirs. A next period that was issued ahead has not started; it is issued anew with its new end.

Days are names for instants, and reports, limits and pages name all of them in the company's one
zone. So from the change on past days, too, are days of the new zone: a use close to midnight may
stand under the day before or after, and the same range of days may hold a little more or less
than it did. Every row, amount and total over all days stays; a file downloaded before says on its
control sheet which zone it was in. A zone for each stretch of the past would keep such edges, but
one page, range or month could then mix two meanings of a day.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.core.exceptions import ValidationError
from django.db import transaction
from django.db.models import Sum

from billing import allocations, purchases, trail, zone_changes
from billing.allocations import Ahead
from billing.models import Contract, ZoneChange
from credits import zones
from credits.amounts import ZERO
from credits.models import Company, UsageEvent, User

PERIODS_SHOWN = 2


class ZoneRefused(Exception):
    """The time zone stays; the message says why and what to do."""


class NoSuchZone(ZoneRefused):
    """There is no such time zone; choose one of the list, such as Europe/Berlin."""


class SameZone(ZoneRefused):
    """The company has this time zone, and no other is ahead; choose another one."""


class AheadAlready(ZoneRefused):
    """The company gets this time zone already with its next period; choose another one."""


@dataclass(frozen=True, slots=True)
class Month:
    """What reports say was used in a month of local days, in the zone before and after."""

    first: date
    last: date
    before: Decimal
    after: Decimal


@dataclass(frozen=True, slots=True)
class Preview:
    """What a decision would do, in numbers; ``before`` and ``after`` are the periods ahead."""

    change: ZoneChange
    before: tuple[Ahead, ...]
    after: tuple[Ahead, ...]
    month: Month

    @property
    def issued_anew(self) -> Decimal:
        """Return the credits of future grants that are cancelled and issued anew."""
        kept = {one.allocation.pk for one in self.after if one.allocation}
        return sum(
            (one.amount for one in self.before if one.allocation and one.allocation.pk not in kept),
            ZERO,
        )


def change(*, company: Company, time_zone: str, by: User, reason: str, now: datetime) -> ZoneChange:
    """Decide on a company's time zone from its next period on; return the decision.

    A decision that does not count yet is replaced. Deciding on the zone that the company has takes
    it back: what is returned is then that one, withdrawn. See Note [One zone at a time].

    :raises NoSuchZone: nothing was changed.
    :raises SameZone: nothing was changed.
    :raises AheadAlready: nothing was changed.
    :raises ReasonMissing: the reason is too short to tell anybody anything.
    :raises CompanyClosed: nothing is changed in a closed company.
    """
    reason = purchases.reason_of(reason)
    try:
        zones.validate_time_zone(time_zone)
    except ValidationError as error:
        raise NoSuchZone(NoSuchZone.__doc__) from error
    with transaction.atomic():
        current = purchases.lock_company(company)
        # Whatever the beat has not come to yet, in the zone that it belongs to.
        allocations.run(company=current, now=now)
        current.refresh_from_db(fields=["time_zone"])
        ahead = zone_changes.ahead(current)
        if time_zone == current.time_zone and ahead is None:
            raise SameZone(SameZone.__doc__)
        if ahead is not None and time_zone == ahead.after:
            raise AheadAlready(AheadAlready.__doc__)
        withdrawn = zone_changes.withdraw(company=current, now=now)
        if withdrawn is not None and time_zone == current.time_zone:
            decided = withdrawn
            trail.zone_change_withdrawn(decided, by=by, reason=reason)
        else:
            decided = _decide(current, time_zone, by, reason, now)
            trail.zone_changed(decided, by=by)
            zone_changes.apply_due(company=current, now=now)
        allocations.run(company=current, now=now)
    return ZoneChange.objects.get(pk=decided.pk)


def preview(*, company: Company, time_zone: str, by: User, reason: str, now: datetime) -> Preview:
    """Return what ``change`` would do, and take it back; raises what it would."""
    with transaction.atomic():
        purchases.lock_company(company)
        allocations.run(company=company, now=now)
        company = Company.objects.get(pk=company.pk)
        before = _ahead(company, now)
        decided = change(company=company, time_zone=time_zone, by=by, reason=reason, now=now)
        after = _ahead(Company.objects.get(pk=company.pk), now)
        month = _last_month(company, time_zone, now)
        transaction.set_rollback(True)
    return Preview(change=decided, before=before, after=after, month=month)


def _decide(company: Company, time_zone: str, by: User, reason: str, now: datetime) -> ZoneChange:
    running = allocations.running(company=company, now=now)
    return ZoneChange.objects.create(
        company=company,
        before=company.time_zone,
        after=time_zone,
        effective_at=now if running is None else running.ends_at,
        decided_at=now,
        decided_by=by,
        reason=reason,
    )


def _ahead(company: Company, now: datetime) -> tuple[Ahead, ...]:
    contract = Contract.objects.filter(company=company).first()
    if contract is None:
        return ()
    contract.company = company
    return allocations.ahead(contract=contract, now=now, count=PERIODS_SHOWN)


def _last_month(company: Company, time_zone: str, now: datetime) -> Month:
    """Count the last whole month twice: by the days of each zone."""
    last = allocations.local_day(company, now).replace(day=1) - timedelta(days=1)
    first = last.replace(day=1)
    before, after = (
        _used(company, *zones.days(first, last, ZoneInfo(name)))
        for name in (company.time_zone, time_zone)
    )
    return Month(first=first, last=last, before=before, after=after)


def _used(company: Company, starts_at: datetime, ends_at: datetime) -> Decimal:
    rows = UsageEvent.objects.filter(
        company=company,
        occurred_at__gte=starts_at.astimezone(UTC),
        occurred_at__lt=ends_at.astimezone(UTC),
    )
    return rows.aggregate(sum=Sum("amount"))["sum"] or ZERO
