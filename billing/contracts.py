"""Contracts: what was agreed, changed by vendor staff; each change is carried out at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction

from billing import allocations, purchases, seats, trail
from billing.models import Allocation, Contract, Period, SeatType, TopUp
from billing.models.contracts import INTRODUCTORY_DAYS_DEFAULT, PURCHASE_MONTHS_DEFAULT
from credits import grants
from credits.amounts import ZERO
from credits.ledger import Key
from credits.models import Company, User


class ContractRefused(Exception):
    """This cannot be agreed; the message says why."""


class ContractExists(ContractRefused):
    """This company has a contract already; change it instead."""


class StartIsFixed(ContractRefused):
    """Periods have been counted from this contract's first day, so it and the period stay."""


class EndsBeforeItStarts(ContractRefused):
    """The contract would end before it starts; choose a later last day."""


class SeatTypeTaken(ContractRefused):
    """This company has a seat type with that name already; choose it in the list."""


class NothingOwed(ContractRefused):
    """The credits owed for this period have changed or were given; look at the contract again."""


@dataclass(frozen=True, slots=True)
class Terms:
    """What a contract says; the days are local and included. See ``Contract`` for empty ones."""

    starts_on: date
    ends_on: date | None = None
    period: Period = Period.MONTH
    introductory_amount: Decimal | None = None
    introductory_days: int = INTRODUCTORY_DAYS_DEFAULT
    approval_limit: Decimal | None = None
    purchase_months: int = PURCHASE_MONTHS_DEFAULT


@dataclass(frozen=True, slots=True)
class Seats:
    """A number of seats of a type, from a local day on; a name that is new makes a type."""

    name: str
    credits: Decimal
    count: int
    effective_on: date


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a change of the contract wrote: the periods, and what is owed for the running one.

    ``introduced`` is the introductory credits it gave; 0 for none.
    """

    contract: Contract
    written: tuple[Allocation, ...]
    owed: Decimal
    introduced: Decimal


def agree(
    *, company: Company, terms: Terms, seat_counts: Sequence[Seats], by: User, now: datetime
) -> Outcome:
    """Make a company's contract with its first seats, and issue what is due.

    :raises ContractExists: change it instead.
    :raises EndsBeforeItStarts: nothing was agreed.
    :raises CompanyClosed: nothing is agreed with a closed company.
    """
    with transaction.atomic():
        current = purchases.lock_company(company)
        if Contract.objects.filter(company=current).exists():
            raise ContractExists(ContractExists.__doc__)
        contract = Contract(company=current)
        _set(contract, terms, by, now)
        contract.save(force_insert=True)
        trail.agreed(contract, by=by, was=None, terms=terms)
        for one in seat_counts:
            kind = seats.add_type(company=current, name=one.name, credits=one.credits)
            _count(kind, one, by, now)
        return _carry_out(contract, now)


def change(*, contract: Contract, terms: Terms, by: User, now: datetime) -> Outcome:
    """Set a contract's terms; the first day and the period stay once a period was written.

    A raised approval limit counts neither for the person who raised it nor for what was requested
    before: otherwise one person would approve anything, by raising it for a moment.

    :raises StartIsFixed: nothing was changed.
    :raises EndsBeforeItStarts: nothing was changed.
    :raises CompanyClosed: nothing is agreed with a closed company.
    """
    with transaction.atomic():
        current = _locked(contract)
        moved = (current.starts_on, current.period) != (terms.starts_on, terms.period)
        if moved and is_fixed(current):
            raise StartIsFixed(StartIsFixed.__doc__)
        was = terms_of(current)
        _set(current, terms, by, now)
        _note_raise(current, was=was.approval_limit, by=by)
        current.save()
        purchases.lower_limits(current.company, to=terms.approval_limit)
        trail.agreed(current, by=by, was=was, terms=terms)
        return _carry_out(current, now)


def count_seats(
    *, contract: Contract, counted: Seats, by: User, now: datetime, note: str = ""
) -> Outcome:
    """Record seats from a day on, with their type's credits; issue anew what has not started.

    A type's changed credits count for periods that have not started.

    :raises CountRefused: for a number below 0 or too large.
    :raises CreditsRefused: for an amount that is not above 0, or too large.
    :raises CompanyClosed: nothing is agreed with a closed company.
    """
    with transaction.atomic():
        current = _locked(contract)
        kind = SeatType.objects.filter(company=current.company, name=counted.name).first()
        credits_were = None if kind is None else kind.credits
        if kind is None:
            kind = seats.add_type(
                company=current.company, name=counted.name, credits=counted.credits
            )
        elif kind.credits != counted.credits:
            seats.set_credits(seat_type=kind, credits=counted.credits)
        _count(kind, counted, by, now, note=note, credits_were=credits_were)
        return _carry_out(current, now)


def top_up(
    *, contract: Contract, owed: Decimal, by: User, reason: str, now: datetime, key: UUID
) -> TopUp:
    """Give what seats recorded late are owed, as an adjustment that ends with the period.

    With the same ``key`` again, return the first.

    :raises NothingOwed: it is not what was looked at; nothing was given.
    :raises ReasonMissing: the reason is too short to tell anybody anything.
    :raises CompanyClosed: nothing is given to a closed company.
    """
    reason = purchases.reason_of(reason)
    with transaction.atomic():
        current = _locked(contract)
        company = current.company
        if first := TopUp.objects.filter(company=company, pk=key).first():
            return first
        allocation = allocations.running(company=company, now=now)
        if allocation is None or not owed or owed != owed_now(current, now):
            raise NothingOwed(NothingOwed.__doc__)
        trail.topped_up(allocation, key=key, amount=owed, by=by, reason=reason)
        entry = grants.adjust(
            company=company,
            amount=owed,
            by=by,
            reason=reason,
            expires_at=allocation.ends_at,
            key=Key.of(f"top-up {key}", owed=owed),
        )
        assert entry.grant is not None
        return TopUp.objects.create(
            id=key,
            company=company,
            allocation=allocation,
            amount=owed,
            grant=entry.grant,
            reason=reason,
            made_at=now,
            made_by=by,
        )


def owed_now(contract: Contract, now: datetime) -> Decimal:
    """Return what seats recorded late are owed for the running period; 0 without one."""
    company = contract.company
    allocation = allocations.running(company=company, now=now)
    if allocation is None:
        return Decimal(0)
    allocation.company = company
    return seats.owed(allocation=allocation, today=allocations.local_day(company, now))


def is_fixed(contract: Contract) -> bool:
    """Tell whether periods were counted from the contract's first day already."""
    return allocations.last_written(contract.company) is not None


def terms_of(contract: Contract) -> Terms:
    return Terms(**{field.name: getattr(contract, field.name) for field in fields(Terms)})


def dry_run(act: Callable[[], Outcome]) -> Outcome:
    """Return what an act would write, and take it back: the same code says it and does it."""
    with transaction.atomic():
        outcome = act()
        transaction.set_rollback(True)
    return outcome


def _locked(contract: Contract) -> Contract:
    company = purchases.lock_company(contract.company)
    current = Contract.objects.get(company=company, pk=contract.pk)
    current.company = company
    return current


def _set(contract: Contract, terms: Terms, by: User, now: datetime) -> None:
    if terms.ends_on is not None and terms.ends_on < terms.starts_on:
        raise EndsBeforeItStarts(EndsBeforeItStarts.__doc__)
    for field in fields(Terms):
        setattr(contract, field.name, getattr(terms, field.name))
    contract.changed_at, contract.changed_by = now, by


def _note_raise(contract: Contract, *, was: Decimal | None, by: User) -> None:
    """Remember who raised the approval limit, and from what; forget it once it is down again.

    Whoever raises it in several steps raised it from where they began.
    """
    limit, before = contract.approval_limit, contract.limit_before_raise
    if was is not None and (limit is None or limit > was):
        if contract.limit_raised_by_id != by.pk:
            contract.limit_raised_by, contract.limit_before_raise = by, was
    elif before is not None and limit is not None and limit <= before:
        contract.limit_raised_by = contract.limit_before_raise = None


def _count(
    kind: SeatType,
    counted: Seats,
    by: User,
    now: datetime,
    *,
    note: str = "",
    credits_were: Decimal | None = None,
) -> None:
    known = seats.on(company=kind.company, day=counted.effective_on)
    was = next((line.seats for line in known if line.seat_type.pk == kind.pk), 0)
    count = seats.count(
        seat_type=kind,
        seats=counted.count,
        effective_on=counted.effective_on,
        by=by,
        now=now,
        note=note,
    )
    trail.counted(count, by=by, was=was, credits_were=credits_were, credits=kind.credits)


def _carry_out(contract: Contract, now: datetime) -> Outcome:
    had_some = contract.introductory_grant_id is not None
    written = allocations.run(company=contract.company, now=now)
    contract.refresh_from_db(fields=["introductory_grant"])
    given = None if had_some else contract.introductory_grant
    return Outcome(
        contract=contract,
        written=tuple(written),
        owed=owed_now(contract, now),
        introduced=given.amount if given else ZERO,
    )
