"""What the credits page says about a company, as of one instant (SPEC §2, UX §2.2).

All figures come from one snapshot of the database: a charge that commits between two of its
queries would otherwise make the page's own figures contradict each other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from decimal import ROUND_HALF_UP, Decimal
from typing import Any, TypeVar
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import (
    Case,
    Count,
    DateTimeField,
    F,
    Func,
    IntegerField,
    Subquery,
    TextChoices,
    When,
)
from django.db.models.expressions import Combinable
from django.db.models.functions import Coalesce
from django.utils.module_loading import import_string

from credits import (
    advice,
    balances,
    daily_use,
    demand,
    expirations,
    first_steps,
    limit_windows,
    metering,
    outlooks,
    snapshots,
    usage_days,
    zones,
)
from credits.advice import Advice
from credits.amounts import ZERO
from credits.daily_use import DailyUse, Step
from credits.demand import Waiting
from credits.metering import DayUse, Dimension, Feature, FeatureUse, Reading
from credits.models import (
    Company,
    CreditGrant,
    CreditPool,
    LedgerEntry,
    Reservation,
    ReservationState,
)
from credits.outlooks import Outlook
from credits.zones import Day

DAYS = 30
FEATURES_MAX = 10
GRANTS_READ_MAX = 1000
GRANTS_SHOWN_MAX = 20
PAST_GRANTS_MAX = 5
ENTRIES_MAX = 8

Asked = TypeVar("Asked")


class GrantState(TextChoices):
    """What may be done with a grant, in the words of every page (UX §2.5)."""

    SCHEDULED = "SCHEDULED", "Scheduled"
    ACTIVE = "ACTIVE", "Active"
    USED_UP = "USED_UP", "Used up"
    EXPIRED = "EXPIRED", "Expired"
    VOIDED = "VOIDED", "Voided"


@dataclass(frozen=True, slots=True)
class HeldGrant:
    """A grant and the state it is in."""

    grant: CreditGrant
    state: GrantState


@dataclass(frozen=True, slots=True)
class Expiry:
    """The next credits to expire: ``amount`` is lost from ``expires_at`` unless it is used."""

    amount: Decimal
    expires_at: datetime
    grants: tuple[CreditGrant, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """What was used on the last 30 local days, today included, against the 30 before.

    ``features`` are the ten that used most, and ``others`` what the remaining ones used together,
    None when there are none. ``before`` is what each feature used on the 30 days before, and
    ``results`` how many were found, by a feature's reference. ``recurring`` names the owner of
    each feature that goes on using credits by itself. ``daily`` reaches back 90 days.
    """

    since: date
    total: Decimal
    previous_total: Decimal
    features: tuple[FeatureUse, ...]
    others: Decimal | None
    before: dict[Feature, Decimal]
    results: dict[UUID, int]
    daily: DailyUse
    recurring: dict[UUID, str] = field(default_factory=dict)

    def per_hundred(self, use: FeatureUse) -> Decimal | None:
        """Return a feature's results per 100 credits; None for one that has no results to count."""
        if use.feature.ref is None or not self.results:
            return None
        count = Decimal(self.results.get(use.feature.ref, 0))
        return (100 * count / use.credits).quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)

    def change_of(self, use: FeatureUse) -> Decimal | None:
        """Return by what part a feature uses more than before; None for one that used nothing."""
        before = self.before.get(use.feature)
        return (use.credits - before) / before if before else None


@dataclass(frozen=True, slots=True)
class Overview:
    """One company's credits: ``remaining`` = ``available`` + ``reserved``, held in ``held_jobs``.

    ``next_expiry`` is None while nothing the company holds expires. ``grants`` are those with
    credits left, in the order they are spent; ``unlisted`` is what is left on more than fit the
    page, so that both add up to ``remaining``. ``past`` are the newest that have nothing left.
    """

    company: Company
    instant: datetime
    sequence: int
    remaining: Decimal
    reserved: Decimal
    total: Decimal
    use: Use
    next_expiry: Expiry | None
    held_jobs: int
    waiting: Waiting
    limits_reached: tuple[Any, ...]
    advice: Advice
    outlook: Outlook
    grants: tuple[HeldGrant, ...]
    unlisted: Decimal
    past: tuple[HeldGrant, ...]
    scheduled: tuple[HeldGrant, ...]
    entries: tuple[LedgerEntry, ...]
    steps: tuple[first_steps.Step, ...]

    @property
    def available(self) -> Decimal:
        return self.remaining - self.reserved


@dataclass(frozen=True, slots=True)
class CompanyLine:
    """One company in the list vendor people choose from."""

    company: Company
    remaining: Decimal
    reserved: Decimal


def of(
    *, company: Company, step: Step = Step.DAY, dimension: Dimension = Dimension.FEATURE
) -> Overview:
    """Return what the page shows, by the ledger's clock; settles what is due first.

    ``step`` and ``dimension`` say how the daily use is added up and told apart.
    """
    while (reading := _read(company, step, dimension)) is None:
        expirations.settle(company=company)
    found, not_added_up = reading
    # After the snapshot, in which nothing can be written; the next reader has it.
    usage_days.add_up(company=company, days=usage_days.closed_by(found.instant, not_added_up))
    return found


def _read(company: Company, step: Step, dimension: Dimension) -> tuple[Overview, list[Day]] | None:
    """Return the page's figures, and the days whose usage is not added up yet.

    Returns None when something has come due: nothing can be settled in a snapshot.
    """
    with snapshots.taken():
        asked = first_steps.of_company(company)
        asked_advice = _numbered("advice", advice.asked(company=company))
        answers = _numbered("step", (step.is_done for step in asked))
        asked_recurring = _asked_recurring(company)
        clock = Func(function="ledger_clock", output_field=DateTimeField())
        pool = CreditPool.objects.annotate(
            clock=clock,
            held_jobs=_held_jobs(company),
            planned=demand.planned_per_day(company),
            first_use_at=metering.asked_first_use(company),
            **answers,
            **asked_recurring,
            **{name: one.value for name, one in asked_advice.items()},
        ).get(company=company)
        instant = max(pool.clock, pool.last_occurred_at or pool.clock)
        if pool.next_due_at is not None and pool.next_due_at <= instant:
            return None
        grants = _grants(company)
        held = tuple(one for one in grants if one.grant.remaining > 0)
        reading = _reading(company, instant)
        waiting = demand.waiting(company=company)
        found = Overview(
            company=company,
            instant=instant,
            sequence=pool.sequence,
            remaining=pool.balance,
            reserved=pool.reserved,
            total=_total(company, grants, instant),
            use=replace(
                _use(company, instant, reading.uses, step, dimension),
                recurring=_recurring(getattr(pool, name) for name in asked_recurring),
            ),
            next_expiry=_next_expiry(held),
            held_jobs=pool.held_jobs,
            waiting=waiting,
            limits_reached=tuple(
                limit_windows.reached(company=company, instant=instant) if pool.limit_count else ()
            ),
            advice=advice.together(
                one.read(getattr(pool, name)) for name, one in asked_advice.items()
            ),
            outlook=outlooks.made(
                company=company,
                instant=instant,
                available=pool.balance - pool.reserved,
                waiting=waiting.credits,
                uses=reading.uses,
                first_use_at=pool.first_use_at,
                grants=[one.grant for one in grants],
                planned_per_day=pool.planned,
            ),
            grants=held[:GRANTS_SHOWN_MAX],
            unlisted=sum((one.grant.remaining for one in held[GRANTS_SHOWN_MAX:]), ZERO),
            past=tuple(one for one in grants if _is_past(one))[:PAST_GRANTS_MAX],
            scheduled=_scheduled(grants)[:GRANTS_SHOWN_MAX],
            entries=tuple(
                LedgerEntry.objects.filter(company=company).order_by("-sequence")[:ENTRIES_MAX]
            ),
            steps=tuple(
                step.answered(getattr(pool, name))
                for step, name in zip(asked, answers, strict=True)
            ),
        )
    return found, reading.not_added_up


def of_companies(*, companies: tuple[Company, ...]) -> list[CompanyLine]:
    """Return what each company has left; settles what is due first."""
    expirations.settle_due()
    pools = {pool.pk: pool for pool in CreditPool.objects.filter(company__in=companies)}
    return [
        CompanyLine(company, pools[company.pk].balance, pools[company.pk].reserved)
        for company in companies
    ]


def state_of(grant: CreditGrant) -> GrantState:
    """Return a settled grant's state.

    An expired or voided one may still hold credits for work under way. One used up before its
    end stays “used up”: nothing of it expired.
    """
    if grant.voided_at is not None or grant.cancelled_at is not None:
        return GrantState.VOIDED
    if grant.granted_at is None:
        return GrantState.SCHEDULED
    if grant.expired_at is not None:
        return GrantState.EXPIRED
    return GrantState.ACTIVE if grant.remaining > 0 else GrantState.USED_UP


def _held_jobs(company: Company) -> Coalesce:
    """Count the reservations under way, in somebody's query."""
    held = Reservation.objects.filter(company=company, state=ReservationState.OPEN)
    count = held.order_by().values("company").annotate(count=Count("pk")).values("count")
    return Coalesce(Subquery(count), 0, output_field=IntegerField())


def _reading(company: Company, instant: datetime) -> Reading:
    today = instant.astimezone(ZoneInfo(company.time_zone)).date()
    earliest = today - timedelta(days=max(daily_use.DAYS, 2 * DAYS) - 1)
    return metering.read(company=company, first=earliest, last=today)


def _use(
    company: Company, instant: datetime, rows: list[DayUse], step: Step, dimension: Dimension
) -> Use:
    today = instant.astimezone(ZoneInfo(company.time_zone)).date()
    since = today - timedelta(days=DAYS - 1)
    recent = [row for row in rows if row.day >= since]
    before = metering.by_feature(
        row for row in rows if since - timedelta(days=DAYS) <= row.day < since
    )
    uses = metering.by_feature(recent)
    others = metering.total(uses[FEATURES_MAX:])
    return Use(
        since=since,
        total=metering.total(recent),
        previous_total=metering.total(before),
        features=tuple(uses[:FEATURES_MAX]),
        others=others if uses[FEATURES_MAX:] else None,
        before={use.feature: use.credits for use in before},
        results=_results(company, zones.start_of_day(since, ZoneInfo(company.time_zone))),
        daily=daily_use.of(company=company, uses=rows, last=today, step=step, dimension=dimension),
    )


def _results(company: Company, since: datetime) -> dict[UUID, int]:
    found: dict[UUID, int] = {}
    for path in settings.CREDIT_RESULTS:
        count: Callable[..., dict[UUID, int]] = import_string(path)
        found |= count(company=company, since=since)
    return found


def _numbered(what: str, questions: Iterable[Asked]) -> dict[str, Asked]:
    """Name questions to the database, to be asked in one query."""
    return {f"{what}_{number}": one for number, one in enumerate(questions)}


def _asked_recurring(company: Company) -> dict[str, Combinable]:
    paths = settings.CREDIT_RECURRING
    return _numbered("recurring", (import_string(path)(company=company) for path in paths))


def _recurring(answers: Iterable[list[dict[str, str]]]) -> dict[UUID, str]:
    return {UUID(one["ref"]): one["owner"] for answer in answers for one in answer}


def _grants(company: Company) -> list[HeldGrant]:
    """Return the grants that have or will have something, in spending order; then past ones."""
    over_since = Case(When(granted_at__isnull=False, remaining=0, then=F("created_at")))
    found = CreditGrant.objects.filter(company=company, cancelled_at=None).order_by(
        over_since.desc(nulls_first=True),
        "priority",
        F("expires_at").asc(nulls_last=True),
        "source_rank",
        "effective_at",
        "id",
    )
    return [HeldGrant(grant, state_of(grant)) for grant in found[:GRANTS_READ_MAX]]


def _total(company: Company, grants: list[HeldGrant], instant: datetime) -> Decimal:
    """Return “of how many”; asks only where there are more grants than were read."""
    if len(grants) < GRANTS_READ_MAX:
        return balances.total_of([one.grant for one in grants], instant=instant)
    return balances.total(company=company, instant=instant)


def _is_past(one: HeldGrant) -> bool:
    return one.state != GrantState.SCHEDULED and one.grant.remaining == 0


def _scheduled(grants: list[HeldGrant]) -> tuple[HeldGrant, ...]:
    return tuple(one for one in grants if one.state == GrantState.SCHEDULED)


def _next_expiry(held: tuple[HeldGrant, ...]) -> Expiry | None:
    """Add up what is left of the grants that expire first; None when nothing expires."""
    ends = {
        one.grant.expires_at
        for one in held
        if one.state == GrantState.ACTIVE and one.grant.expires_at is not None
    }
    if not ends:
        return None
    first = [one.grant for one in held if one.grant.expires_at == min(ends)]
    return Expiry(
        amount=sum((grant.remaining for grant in first), ZERO),
        expires_at=min(ends),
        grants=tuple(first),
    )
