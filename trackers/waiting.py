"""What waits for credits, and what a person decides about it once there are some (SPEC §5).

An item waits only if it could not itself be paid. When credits come, what arrives from then on is
read at once; what has waited is a backlog, and is charged only if somebody chooses so here, or
its tracker catches up by itself (``sweeping``). Nothing is decided twice: a decision holds only
for the figures that were shown with it.
"""

from __future__ import annotations

import hashlib
from collections import deque
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Count, Exists, Min, OuterRef, Q, QuerySet, Sum, TextChoices
from django.db.models.functions import Coalesce
from django.http import HttpRequest

from credits import audit, balances, demand, rating
from credits.amounts import ZERO
from credits.audit import Action
from credits.current_company import scope_of
from credits.models import Company, RateItem, User
from trackers import filters, locks, requeuing, wakes
from trackers.batches import batches
from trackers.models import Conversation, ConversationKind, Scan, ScanState, TrackerVersion

BATCH_SIZE = 1000
DECIDED_MAX = 100_000  # Conversations in one decision; what is more goes on waiting.
BADGE_MAX = 100_000
# What waited before this was written down has done so since it was queued.
SINCE = Coalesce("waiting_since", "created_at")
REASON_SKIPPED = "Skipped while it waited for credits."
_ITEMS = (
    *(RateItem.CALL_LONG, RateItem.CALL_SHORT, RateItem.EMAIL),
    *(rating.CALL_WITHOUT_TEXT, rating.EMAIL_WITHOUT_TEXT),
)


class NothingWaits(Exception):
    """Nothing of this waits for credits any more, so there is nothing to decide."""


class QueueMoved(Exception):
    """What waits, or what is available, changed since you looked. Nothing was done; look again."""


class Choice(TextChoices):
    """What becomes of what waits."""

    NEWEST = "NEWEST", "Newest first, up to a number of credits"
    ALL = "ALL", "All of it"
    TRACKERS = "TRACKERS", "Chosen trackers"
    SKIP = "SKIP", "Skip for good"


@dataclass(frozen=True, slots=True)
class Decision:
    """A choice with what it needs: ``limit`` in credits for NEWEST, and the trackers meant.

    Without trackers it is about all of them.
    """

    choice: Choice
    limit: Decimal | None = None
    tracker_ids: frozenset[UUID] = frozenset()


@dataclass(frozen=True, slots=True)
class Queue:
    """What one tracker has waiting, and since when the first of it waits."""

    tracker_id: UUID
    name: str
    catches_up: bool
    calls: int
    emails: int
    credits: Decimal
    oldest_at: datetime

    @property
    def count(self) -> int:
        return self.calls + self.emails


@dataclass(frozen=True, slots=True)
class Selection:
    """What a decision is about, in figures: conversations by kind, and their price in credits.

    A conversation counts once for each of the ``trackers`` that is to read it. ``digest`` stands
    for the very readings: others of the same figures are not the same.
    """

    calls: int = 0
    emails: int = 0
    credits: Decimal = ZERO
    digest: str = ""
    trackers: int = 1

    @property
    def count(self) -> int:
        return self.calls + self.emails


class Row(NamedTuple):
    """One conversation that waits for one tracker's reading."""

    scan_id: UUID
    tracker_id: UUID
    version_id: UUID
    kind: str
    price: Decimal


def queues(*, company: Company) -> list[Queue]:
    """Return what waits in a company by tracker, the dearest first."""
    rows = (
        _waiting(company, ())
        .values("tracker_id", "tracker__name", "tracker__catch_up")
        .annotate(
            calls=Count("pk", filter=Q(conversation__kind=ConversationKind.CALL)),
            emails=Count("pk", filter=Q(conversation__kind=ConversationKind.EMAIL)),
            credits=Sum("price", default=ZERO),
            oldest_at=Min(SINCE),
        )
        .order_by("-credits", "tracker__name")
    )
    return [
        Queue(
            row["tracker_id"],
            row["tracker__name"],
            row["tracker__catch_up"],
            row["calls"],
            row["emails"],
            row["credits"],
            row["oldest_at"],
        )
        for row in rows
    ]


def conversations(*, company: Company) -> Selection:
    """Count the conversations that wait, each once, however many trackers wait for it.

    The price is that of all their readings.
    """
    of_kind = {
        "calls": Q(conversation__kind=ConversationKind.CALL),
        "emails": Q(conversation__kind=ConversationKind.EMAIL),
    }
    counts = {
        name: Count("conversation", filter=kind, distinct=True) for name, kind in of_kind.items()
    }
    return Selection(
        **_waiting(company, ()).aggregate(**counts, credits=Sum("price", default=ZERO))
    )


def badge(request: HttpRequest) -> int:
    """Count what waits in the current company, for the sidebar; 0 where none is chosen."""
    company = scope_of(request).company
    if company is None:
        return 0
    known = demand.noted(request)
    return _waiting(company, ())[:BADGE_MAX].count() if known is None else known


def preview(*, company: Company, decision: Decision, available: Decimal) -> Selection:
    """Say what a decision would be about: what it skips, or what of it can be paid now."""
    return _summed(_chosen(company, decision, available))


def decide(
    *, company: Company, decision: Decision, shown: Selection, by: User, now: datetime
) -> Selection:
    """Queue again, or skip for good, what was decided on; return it.

    Only what can be paid now is queued: newest first up to the limit, else the oldest of each
    tracker first, trackers in turn. The rest goes on waiting.

    :raises QueueMoved: it is not what ``shown`` says any more; nothing was done.
    :raises NothingWaits: nothing was done.
    :raises CompanyClosed: nothing is read in a closed company.
    """
    # Before the transaction: settling holds the pool.
    available = balances.now(company=company).available
    with transaction.atomic():
        locks.keep_open(company.pk)
        _one_at_a_time(company)
        rows = _chosen(company, decision, available)
        if not rows:
            raise NothingWaits(NothingWaits.__doc__)
        selection = _summed(rows)
        if selection != shown:
            raise QueueMoved(QueueMoved.__doc__)
        _record(company, decision, selection, by)
        _carry_out(rows, decision.choice, by=by, now=now)
    return selection


def reprice(*, company: Company, now: datetime) -> int:
    """Bring the prices of what waits to the rate card in force; return how much is free by now.

    That is queued. Prices are fixed when an item is charged; those kept here say what waiting work
    would cost.
    """
    rates, queued = rating.rates_at(now), 0
    versions = _waiting(company, ()).order_by("version").values("version").distinct()
    for version in TrackerVersion.objects.filter(pk__in=versions).order_by("pk"):
        waiting = _waiting(company, ()).filter(version=version)
        priced = filters.with_item(Conversation.objects.filter(company=company), version)
        for item in _ITEMS:
            price = rates.of(item)
            moved = waiting.exclude(price=price).filter(
                conversation__in=priced.filter(item=item).values("pk")
            )
            if price:
                moved.update(price=price)
            else:
                queued += moved.update(state=ScanState.PENDING, price=None, due_at=now)
    return queued


def queue_again(rows: Iterable[Row], *, now: datetime) -> int:
    """Queue waiting scans inside the caller's transaction; return how many still waited."""
    rows, queued = list(rows), 0
    for batch in batches(sorted(row.scan_id for row in rows), BATCH_SIZE):
        queued += Scan.objects.filter(pk__in=_held(batch)).update(
            state=ScanState.PENDING, due_at=now
        )
    for version_id in {row.version_id for row in rows}:
        wakes.scan(version_id=version_id)
    return queued


def in_turn(queued: Iterable[Iterable[Row]], available: Decimal) -> list[Row]:
    """Pick what can be paid: one of each queue in turn, in the order given; dear ones are passed
    over, so that they never keep cheaper ones waiting.
    """
    turns = deque(iter(queue) for queue in queued)
    chosen: list[Row] = []
    while turns:
        queue = turns.popleft()
        row = next((row for row in queue if row.price <= available), None)
        if row is not None:
            chosen.append(row)
            available -= row.price
            turns.append(queue)
    return chosen


def oldest_of_each(scans: QuerySet[Scan], *, at_most: int) -> list[list[Row]]:
    """Read the oldest waiting scans of each tracker, as many of each, ``at_most`` together."""
    trackers = list(scans.order_by("tracker").values_list("tracker", flat=True).distinct())
    oldest = scans.order_by("conversation_started_at", "pk")
    each = max(1, at_most // len(trackers)) if trackers else 0
    return [rows_of(oldest.filter(tracker=tracker_id)[:each]) for tracker_id in trackers]


def payable(scans: QuerySet[Scan], available: Decimal) -> QuerySet[Scan]:
    """Return what can itself be paid: a thousand dear ones in front must not hide a cheap one."""
    return scans.filter(Q(price=None) | Q(price__lte=available))


def rows_of(scans: QuerySet[Scan]) -> list[Row]:
    """Read waiting scans in the order of the query."""
    fields = ("pk", "tracker_id", "version_id", "conversation__kind", "price")
    return [
        Row(scan_id, tracker_id, version_id, kind, price or ZERO)
        for scan_id, tracker_id, version_id, kind, price in scans.values_list(*fields)
    ]


def give_up_on_holds(*, company: Company, now: datetime) -> int:
    """Let wait for credits what others' holds left no room for, and what remains cannot pay now
    that some of them are used up; return how many.

    Until then it is queued, and would be looked at again by itself only later. What failed before
    is not looked at: it is tried again in its own time.
    """
    queued = _queued_live().filter(company=company, price__gt=0)
    if not queued.exists():
        return 0
    dear = queued.filter(price__gt=balances.now(company=company).remaining)
    with transaction.atomic():
        free = dear.select_for_update(no_key=True, skip_locked=True).order_by("pk")
        return Scan.objects.filter(pk__in=list(free.values_list("pk", flat=True))).update(
            state=ScanState.WAITING, waiting_since=now
        )


def companies_held_off() -> list[Company]:
    """Return the companies for which ``give_up_on_holds`` has something to look at."""
    queued = _queued_live().filter(company=OuterRef("pk"), price__gt=0)
    return list(Company.objects.filter(Exists(queued)).order_by("pk"))


def for_a_limit(*, now: datetime) -> QuerySet[Scan]:
    """Return what met a limit, of any company, and waits until it begins anew or has room."""
    return Scan.objects.filter(state=ScanState.PENDING, limit_ref__isnull=False, due_at__gt=now)


def _queued_live() -> QuerySet[Scan]:
    return Scan.objects.filter(state=ScanState.PENDING, backfill=None, limit_ref=None, reason="")


def _waiting(company: Company, tracker_ids: Collection[UUID]) -> QuerySet[Scan]:
    scans = Scan.objects.filter(company=company, state=ScanState.WAITING)
    return scans.filter(tracker__in=tracker_ids) if tracker_ids else scans


def _chosen(company: Company, decision: Decision, available: Decimal) -> list[Row]:
    waiting = _waiting(company, decision.tracker_ids)
    if decision.choice == Choice.SKIP:
        return rows_of(waiting.order_by("pk")[:DECIDED_MAX])
    if decision.choice == Choice.NEWEST:
        limit = available if decision.limit is None else min(decision.limit, available)
        newest = payable(waiting, limit).order_by("-conversation_started_at", "-pk")
        return in_turn([rows_of(newest[:DECIDED_MAX])], limit)
    return in_turn(oldest_of_each(payable(waiting, available), at_most=DECIDED_MAX), available)


def _summed(rows: Collection[Row]) -> Selection:
    calls = sum(row.kind == ConversationKind.CALL for row in rows)
    digest = hashlib.sha256(b"".join(sorted(row.scan_id.bytes for row in rows)))
    return Selection(
        calls=calls,
        emails=len(rows) - calls,
        credits=sum((row.price for row in rows), ZERO),
        digest=digest.hexdigest()[:16],
        trackers=len({row.tracker_id for row in rows}),
    )


def _carry_out(rows: list[Row], choice: Choice, *, by: User, now: datetime) -> None:
    if choice != Choice.SKIP:
        queue_again(rows, now=now)
        return
    for batch in batches(sorted(row.scan_id for row in rows), BATCH_SIZE):
        requeuing.skip(_held(batch), now=now, reason=REASON_SKIPPED, by=by)


def _held(scan_ids: list[UUID]) -> list[UUID]:
    """Lock those of the scans that still wait."""
    waiting = Scan.objects.filter(pk__in=scan_ids, state=ScanState.WAITING)
    return list(waiting.select_for_update(no_key=True).order_by("pk").values_list("pk", flat=True))


def _one_at_a_time(company: Company) -> None:
    """Let decisions about one company's queue wait for each other until the transaction ends."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_advisory_xact_lock(hashtext('trackers.waiting'), %s::int)", [company.pk]
        )


def _record(company: Company, decision: Decision, selection: Selection, by: User) -> None:
    is_skip = decision.choice == Choice.SKIP
    names = Scan.objects.filter(tracker__in=decision.tracker_ids).order_by("tracker__name")
    audit.record(
        action=Action.SKIPPED if is_skip else Action.RESUMED,
        by=by,
        company=company,
        subject=audit.Subject(audit.type_of(Scan), "", "what waited for credits"),
        after={
            "choice": decision.choice,
            "limit": decision.limit,
            "trackers": list(names.values_list("tracker__name", flat=True).distinct()),
            "calls": selection.calls,
            "emails": selection.emails,
            "credits": selection.credits,
        },
    )
