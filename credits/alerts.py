"""Notice that a company's credits run low, and tell its admins once (SPEC §5).

A scheduled job reads the ledger; nothing here runs inside a charge. What was crossed is kept in
one row a company and kind, locked while it is looked at, so that two schedulers tell once. A
threshold is crossed when it is reached from below. It can be crossed again only after credits were
added: by a grant that became effective, such as a new period's, or by an adjustment upward. A
refund or an expiry moves the figure too, and arms nothing. A crossing that became untrue before
anybody was told, as one by credits that were only held, was none.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any

from django.db import connection, transaction
from django.db.models import (
    Case,
    DateTimeField,
    Exists,
    F,
    Func,
    Max,
    OuterRef,
    Q,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.functions import Coalesce

from credits import expirations, wakes
from credits.amounts import ZERO, AmountField
from credits.identifiers import new_id
from credits.models import (
    Alert,
    AlertKind,
    AlertMail,
    AlertState,
    Company,
    CreditGrant,
    CreditPool,
    EntryKind,
    LedgerEntry,
    Membership,
    Role,
)

THRESHOLDS = (75, 90, 100)  # Percent used, rising.
DEMO = "Demo data: no e-mail is sent."
RECEIVING_ROLES = (Role.TECH_ADMIN, Role.BUSINESS_ADMIN)


@dataclass(frozen=True, slots=True)
class Figures:
    """What one company can still use of how much, after the ledger's entry ``sequence``."""

    company_id: int
    sequence: int
    available: Decimal
    reserved: Decimal
    total: Decimal

    @property
    def used_percent(self) -> Decimal:
        """Return how much is used, from 0 to 100; see ``percent_used``."""
        return percent_used(available=self.available, total=self.total, sequence=self.sequence)

    @property
    def level(self) -> int:
        return level_of(self.used_percent)


def percent_used(*, available: Decimal, total: Decimal, sequence: int) -> Decimal:
    """Return 100 × (1 − available ÷ total).

    A company that never had credits has used none; one that has none any more, all of them.
    """
    if not total:
        return Decimal(100 if sequence else 0)
    return 100 * (total - available) / total


def level_of(percent: Decimal) -> int:
    """Return the highest threshold that is reached; 0 for none."""
    return max((threshold for threshold in THRESHOLDS if percent >= threshold), default=0)


def evaluate_all(*, now: datetime) -> int:
    """Look at every open company; return how many alerts were raised."""
    expirations.settle_due()
    seen = {
        state.company_id: (state.level, state.sequence)
        for state in AlertState.objects.filter(kind=AlertKind.USED)
    }
    # The rest is as it was, or below every threshold as it was before: there is nothing to say.
    interesting = []
    for figures in _read(_pools()):
        level, sequence = seen.get(figures.company_id, (0, 0))
        if figures.level > level or (level and figures.sequence != sequence):
            interesting.append(figures.company_id)
    alerts = [evaluate(company_id=company_id, now=now) for company_id in interesting]
    return sum(alert is not None for alert in alerts)


def evaluate(*, company_id: int, now: datetime) -> Alert | None:
    """Raise the alert that a company's figures call for, once; return it.

    None when no threshold was crossed, the company is closed, or something has just come due,
    which the next look will see settled.
    """
    with transaction.atomic():
        state = _locked_state(company_id)
        figures = figures_of(company_id)
        if figures is None:
            return None
        armed = _armed(state, figures)
        alert = _raise(figures, now=now) if figures.level > armed else None
        state.level = max(armed, figures.level)
        state.sequence = figures.sequence
        state.save(update_fields=["level", "sequence"])
    return alert


def withdraw(alert: Alert) -> None:
    """Let a threshold be told of when it is reached again: nobody was told of this alert.

    What others were told of, or are about to be, since credits were last added stays told.
    """
    with transaction.atomic():
        state = _locked_state(alert.company_id)
        is_told = Q(sent_at__isnull=False) | Q(handed_at__isnull=False) | Q(due_at__isnull=False)
        told = AlertMail.objects.filter(is_told, alert=OuterRef("pk"))
        added = _added(alert.company_id, after=0)
        since = Alert.objects.filter(Exists(told), company=alert.company_id, kind=alert.kind)
        if added is not None:
            since = since.filter(sequence__gte=added.sequence)
        level = since.aggregate(level=Max("threshold"))["level"] or 0
        if level < state.level:
            state.level = level
            state.save(update_fields=["level"])


def figures_of(company_id: int) -> Figures | None:
    """Return one company's figures; None when it is closed or something is due to be settled."""
    return next(iter(_read(_pools().filter(company=company_id))), None)


def receivers(company_id: int) -> list[int]:
    """Return the ids of those who are told: the company's active admins."""
    members = Membership.objects.filter(
        company=company_id, role__in=RECEIVING_ROLES, user__is_active=True
    )
    return list(members.order_by("user").values_list("user", flat=True))


def _pools() -> QuerySet[CreditPool, Any]:
    """Read pools and what their grants are good for in one statement: of one moment.

    In two, a grant that comes between would look like a crossing.
    """
    clock = Func(function="ledger_clock", output_field=DateTimeField())
    is_live = Q(expires_at=None) | Q(expires_at__gt=clock)
    good_for = F("amount") - F("voided") - F("corrected_down")
    total = (
        CreditGrant.objects.filter(
            is_live | Q(held__gt=0), company=OuterRef("company"), granted_at__isnull=False
        )
        .order_by()
        .values("company")
        .annotate(
            total=Sum(
                Case(When(is_live, then=good_for), default=F("held"), output_field=AmountField())
            )
        )
        .values("total")
    )
    is_settled = Q(next_due_at=None) | Q(next_due_at__gt=clock)
    return (
        CreditPool.objects.filter(is_settled, company__closed_at=None)
        .order_by("company")
        .values("company_id", "sequence", "balance", "reserved")
        .annotate(
            total=Coalesce(Subquery(total), Value(ZERO), output_field=AmountField()),
        )
    )


def _read(pools: QuerySet[CreditPool, Any]) -> list[Figures]:
    return [
        Figures(
            company_id=row["company_id"],
            sequence=row["sequence"],
            available=row["balance"] - row["reserved"],
            reserved=row["reserved"],
            total=row["total"],
        )
        for row in pools
    ]


def _locked_state(company_id: int) -> AlertState:
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO credits_alertstate (id, company_id, kind, level, sequence)"
            " VALUES (%s, %s, %s, 0, 0) ON CONFLICT (company_id, kind) DO NOTHING",
            [new_id(), company_id, AlertKind.USED],
        )
    return AlertState.objects.select_for_update().get(company=company_id, kind=AlertKind.USED)


def _armed(state: AlertState, figures: Figures) -> int:
    """Return up to which threshold there is nothing new to tell.

    Credits that were added, and used up again before anybody looked, still count: it is asked
    how low the figure was right after the newest of them came.
    """
    if not state.level or figures.sequence == state.sequence:
        return state.level
    added = _added(figures.company_id, after=state.sequence)
    if added is None:
        return state.level
    was_available = max(added.balance_after - figures.reserved, ZERO)
    percent = percent_used(available=was_available, total=figures.total, sequence=figures.sequence)
    return min(state.level, level_of(percent))


def _added(company_id: int, *, after: int) -> LedgerEntry | None:
    """Return the newest entry that added credits after one, if any did."""
    is_adding = Q(kind=EntryKind.GRANTED) | Q(kind=EntryKind.ADJUSTED, amount__gt=0)
    entries = LedgerEntry.objects.filter(is_adding, company=company_id, sequence__gt=after)
    return entries.order_by("-sequence").first()


def _raise(figures: Figures, *, now: datetime) -> Alert:
    company = Company.objects.get(pk=figures.company_id)
    alert = Alert.objects.create(
        company=company,
        kind=AlertKind.USED,
        threshold=figures.level,
        raised_at=now,
        sequence=figures.sequence,
        available=figures.available,
        total=figures.total,
    )
    # The people of a demo are made up: nobody would get what is sent to them.
    due = (None, DEMO) if company.is_demo else (now, "")
    mails = AlertMail.objects.bulk_create(
        AlertMail(company=company, alert=alert, receiver_id=user_id, due_at=due[0], trouble=due[1])
        for user_id in receivers(company.pk)
    )
    for mail in mails:
        if mail.due_at is not None:
            wakes.alert(mail_id=mail.pk)
    return alert
