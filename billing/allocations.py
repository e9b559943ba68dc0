"""Allocations: each period's seats become a grant, three days ahead (SPEC §2).

A period is written once. Two beats at once, or a hundred runs in a row, change nothing more: a
run holds the company's row, and the database allows one row for a period that is not cancelled.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import QuerySet

from billing import periods, seats, zone_changes
from billing.models import (
    Allocation,
    AllocationLine,
    AllocationState,
    Contract,
    Period,
    ZoneChange,
)
from credits import faults, grants, zones
from credits.amounts import ZERO, grouped
from credits.grants import GrantAlreadyStarted, GrantExpiresBeforeItStarts
from credits.models import Company, CreditGrant, Source

AHEAD = timedelta(days=3)
CHANGED = "Seats or terms changed before the period started."

logger = logging.getLogger(__name__)


class AllocationsFailed(Exception):
    """Some companies got no allocation in this run; the log says which and why."""


@dataclass(frozen=True, slots=True)
class Plan:
    """One period as it would be written now; ``starts_at`` is where the one before ended."""

    number: int
    starts_on: date
    ends_on: date
    starts_at: datetime
    ends_at: datetime
    time_zone: str
    lines: tuple[seats.Line, ...]

    @property
    def amount(self) -> Decimal:
        return sum((line.amount for line in self.lines), ZERO)


@dataclass(frozen=True, slots=True)
class Ahead:
    """A period that has not started: what was issued for it, or what will be at ``issue_at``.

    ``allocation`` is None for one that is still to be issued.
    """

    number: int
    starts_on: date
    ends_on: date
    starts_at: datetime
    ends_at: datetime
    issue_at: datetime
    amount: Decimal
    computation: str
    allocation: Allocation | None


def run_all(*, now: datetime) -> int:
    """Write every open company's due periods; return how many companies have a contract.

    One company's trouble does not keep the others from theirs.

    :raises AllocationsFailed: after all others were done.
    """
    failed = []
    companies = Company.objects.filter(contract__isnull=False, closed_at=None).order_by("pk")
    for company in companies:
        try:
            run(company=company, now=now)
        except Exception:
            # The boundary of one company's work within the job; the job fails below.
            logger.exception("No allocation for company %s", company.pk)
            failed.append(company.pk)
    if failed:
        raise AllocationsFailed(f"{AllocationsFailed.__doc__} Companies: {failed}.")
    return len(companies)


def run(*, company: Company, now: datetime) -> list[Allocation]:
    """Write a company's due periods and introductory credits; return the periods written.

    A period that starts within three days is issued as a future grant; one that has not started
    and would be another now is cancelled and issued anew; one wholly past is written as missed.
    Nothing for a company without a contract, or closed.
    """
    with transaction.atomic():
        current = Company.objects.select_for_update(no_key=True).get(pk=company.pk)
        contract = Contract.objects.filter(company=current).first()
        if contract is None or current.closed_at is not None:
            return []
        contract.company = current
        zone_changes.apply_due(company=current, now=now)
        _introduce(contract, now)
        last = last_written(current)
        written: list[Allocation] = []
        if last is not None and (revised := _revise(contract, last, now)) is not None:
            last, anew = revised
            written += anew
        while (allocation := _next(contract, last, now)) is not None:
            written.append(allocation)
            last = allocation
    return written


def plan(
    *,
    contract: Contract,
    number: int,
    before: Allocation | Plan | None,
    change: ZoneChange | None,
) -> Plan:
    """Return a period as it would be written now, from the seats known for its first day.

    ``before`` is the period's predecessor; the first has none. A company's changed time zone
    counts for the end of the period, and its start is the instant where ``before`` ended;
    ``change`` is the change of zone ahead (``billing.zoning``).
    """
    company = contract.company
    name = company.time_zone
    if before is not None:
        name = zone_changes.zone_from(company, change, before.ends_at)
    zone = ZoneInfo(name)
    months = Period(contract.period).months
    starts_on = periods.first_day(contract.starts_on, number, months)
    ends_on = periods.last_day(contract.starts_on, number, months)
    return Plan(
        number=number,
        starts_on=starts_on,
        ends_on=ends_on,
        starts_at=zones.start_of_day(starts_on, zone) if before is None else before.ends_at,
        ends_at=zones.days(ends_on, ends_on, zone)[1],
        time_zone=name,
        lines=seats.on(company=company, day=starts_on),
    )


def ahead(*, contract: Contract, now: datetime, count: int) -> tuple[Ahead, ...]:
    """Return the next periods, at most so many: the one issued already, then those to come.

    Those to come are as they would be issued now. None after the contract's end.
    """
    company = contract.company
    last = last_written(company)
    change = zone_changes.ahead(company)
    found = [] if last is None or last.starts_at <= now else [_issued_ahead(last)]
    before: Allocation | Plan | None = last
    number = 1 if last is None else last.period_number + 1
    while len(found) < count:
        wanted = plan(contract=contract, number=number, before=before, change=change)
        if not _is_within(contract, wanted):
            break
        # A period that is over, because the beat was down, will be written as missed.
        if wanted.ends_at > now:
            found.append(_to_come(wanted))
        before, number = wanted, number + 1
    return tuple(found)


def _issued_ahead(allocation: Allocation) -> Ahead:
    lines = allocation.lines.order_by("seat_name", "pk")
    return Ahead(
        number=allocation.period_number,
        starts_on=allocation.starts_on,
        ends_on=allocation.ends_on,
        starts_at=allocation.starts_at,
        ends_at=allocation.ends_at,
        issue_at=allocation.written_at,
        amount=allocation.amount,
        computation=" + ".join(
            f"{line.seats:,} {line.seat_name} × {grouped(line.credits)}" for line in lines
        ),
        allocation=allocation,
    )


def _to_come(wanted: Plan) -> Ahead:
    return Ahead(
        number=wanted.number,
        starts_on=wanted.starts_on,
        ends_on=wanted.ends_on,
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        issue_at=wanted.starts_at - AHEAD,
        amount=wanted.amount,
        computation=in_words(wanted.lines),
        allocation=None,
    )


def last_written(company: Company) -> Allocation | None:
    """Return the latest period that was issued or missed; None before the first."""
    return _written(company).order_by("-period_number").first()


def running(*, company: Company, now: datetime) -> Allocation | None:
    """Return the allocation of the period that ``now`` is in; None if it has none."""
    return (
        _written(company)
        .filter(state=AllocationState.ISSUED, starts_at__lte=now, ends_at__gt=now)
        .first()
    )


def local_day(company: Company, now: datetime) -> date:
    """Return the day it is in a company's time zone."""
    return now.astimezone(ZoneInfo(company.time_zone)).date()


def _written(company: Company) -> QuerySet[Allocation]:
    return Allocation.objects.filter(company=company).exclude(state=AllocationState.CANCELLED)


def _next(contract: Contract, last: Allocation | None, now: datetime) -> Allocation | None:
    """Write the period after ``last`` if it is due; None if none is."""
    number = 1 if last is None else last.period_number + 1
    change = zone_changes.ahead(contract.company)
    wanted = plan(contract=contract, number=number, before=last, change=change)
    if not _is_within(contract, wanted) or wanted.starts_at - AHEAD > now:
        return None
    return _write(contract.company, wanted, now)


def _is_within(contract: Contract, wanted: Plan) -> bool:
    """Tell whether a period starts on or before the contract's last day."""
    return contract.ends_on is None or wanted.starts_on <= contract.ends_on


def _write(company: Company, wanted: Plan, now: datetime) -> Allocation:
    """Issue a period, late from now if it runs already; write it as missed if it is past."""
    grant = None
    is_missed = wanted.ends_at <= now
    if not is_missed and wanted.amount:
        try:
            grant = _issue(company, wanted)
        except GrantExpiresBeforeItStarts:
            # It ended between our clock and the ledger's.
            is_missed = True
    faults.reach(faults.Point.ALLOCATED)
    allocation = Allocation.objects.create(
        company=company,
        period_number=wanted.number,
        state=AllocationState.MISSED if is_missed else AllocationState.ISSUED,
        starts_on=wanted.starts_on,
        ends_on=wanted.ends_on,
        starts_at=wanted.starts_at,
        ends_at=wanted.ends_at,
        time_zone=wanted.time_zone,
        amount=wanted.amount,
        grant=grant,
        written_at=now,
    )
    AllocationLine.objects.bulk_create(
        AllocationLine(
            company=company,
            allocation=allocation,
            seat_type=line.seat_type,
            seat_name=line.seat_type.name,
            seats=line.seats,
            credits=line.credits,
            amount=line.amount,
        )
        for line in wanted.lines
    )
    return allocation


def _issue(company: Company, wanted: Plan) -> CreditGrant:
    return grants.issue(
        company=company,
        source=Source.ALLOCATION,
        amount=wanted.amount,
        by=None,
        effective_at=wanted.starts_at,
        expires_at=wanted.ends_at,
        reference=f"Period {wanted.number}",
        reason=in_words(wanted.lines),
    )


def in_words(lines: Iterable[seats.Line]) -> str:
    """Say how an allocation is computed: 10 Seat × 2,000.0 + 2 Light seat × 500.0."""
    return " + ".join(
        f"{line.seats:,} {line.seat_type.name} × {grouped(line.credits)}" for line in lines
    )


def _revise(
    contract: Contract, last: Allocation, now: datetime
) -> tuple[Allocation | None, list[Allocation]] | None:
    """Issue a period anew that has not started and would be another now; None if it stands.

    Returns the last period then written, and the new one if there is one. A grant that a person
    has cancelled stays cancelled.
    """
    if last.state != AllocationState.ISSUED or last.starts_at <= now:
        return None
    if last.grant is not None and last.grant.cancelled_at is not None:
        return None
    company = contract.company
    before = _written(company).filter(period_number=last.period_number - 1).first()
    change = zone_changes.ahead(company)
    wanted = plan(contract=contract, number=last.period_number, before=before, change=change)
    is_wanted = _is_within(contract, wanted)
    if is_wanted and _says_the_same(last, wanted):
        return None
    if last.grant is not None:
        try:
            grants.cancel(grant=last.grant, by=None, reason=CHANGED)
        except GrantAlreadyStarted:
            # By the ledger's clock the period runs: what is missing is offered as a top-up.
            return None
    last.state, last.cancelled_at = AllocationState.CANCELLED, now
    last.save(update_fields=["state", "cancelled_at"])
    if not is_wanted:
        return before, []
    anew = _write(company, wanted, now)
    return anew, [anew]


def _says_the_same(allocation: Allocation, wanted: Plan) -> bool:
    written = {(line.seat_type_id, line.seats, line.credits) for line in allocation.lines.all()}
    return (allocation.starts_at, allocation.ends_at, written) == (
        wanted.starts_at,
        wanted.ends_at,
        {(line.seat_type.pk, line.seats, line.credits) for line in wanted.lines},
    )


def _introduce(contract: Contract, now: datetime) -> None:
    """Give the introductory credits, three days before the contract starts or later, once.

    Their life counts from the first day they can be used on. A company that had some before,
    by hand, gets no more.
    """
    company = contract.company
    if contract.introductory_amount is None or contract.introductory_grant_id is not None:
        return
    zone = ZoneInfo(company.time_zone)
    today = now.astimezone(zone).date()
    starts_at = zones.start_of_day(contract.starts_on, zone)
    is_over = contract.ends_on is not None and contract.ends_on < today
    if is_over or starts_at - AHEAD > now or was_introduced(company):
        return
    first = max(contract.starts_on, today)
    life = timedelta(days=contract.introductory_days)
    contract.introductory_grant = grants.issue(
        company=company,
        source=Source.INTRODUCTORY,
        amount=contract.introductory_amount,
        by=None,
        effective_at=starts_at,
        expires_at=zones.start_of_day(first + life, zone),
        reference="Contract",
        reason=f"{contract.introductory_days} days from {first.isoformat()}",
    )
    contract.save(update_fields=["introductory_grant"])


def was_introduced(company: Company) -> bool:
    """Tell whether the company has had introductory credits, by contract or by hand."""
    return CreditGrant.objects.filter(
        company=company, source=Source.INTRODUCTORY, cancelled_at=None
    ).exists()
