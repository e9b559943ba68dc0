"""Take work, price it, and hold the credits for it: the first half of a scan (DESIGN §4).

Note [Claimed at most]
    A backfill's ``claimed`` is at least what its scans that are done or under way cost: a claim
    adds its price, under the backfill's lock, and nothing takes away what a scan gives back when
    it fails or is handed back. While it stays within the ceiling, so does what is spent, and no
    claim has to sum up the scans. Where it does not, they are summed up and it is exact again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, NamedTuple
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F, QuerySet, Sum

from credits import balances, charging
from credits.amounts import ZERO
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.ledger import InsufficientCredits, Use
from credits.limits import LimitReached
from credits.models import Company, FeatureType, Reservation, UsageAction
from credits.rating import Rates, Work
from trackers import backfills, filters, requeuing, waiting
from trackers.models import (
    Backfill,
    BackfillState,
    Conversation,
    Scan,
    ScanState,
    Tracker,
    TrackerVersion,
)

BATCH_SIZE_MAX = 100  # One usage event covers at most this many conversations.
LEASE = timedelta(minutes=5)
RESERVE_TRIES_MAX = 4
HELD_FOR = timedelta(seconds=30)  # Until what met others' holds is looked at again.

# What is due of a version: of one backfill, or its live scans. Each has an index, by age.
_DUE = "version_id = %(version)s AND state = 'PENDING' AND due_at <= %(now)s AND backfill_id "
_OLDEST_FIRST = "ORDER BY conversation_started_at, id"
# The oldest that is due, and those due with it of the same team that nobody else has locked. With
# OFFSET 0 those that are due are found first: among the few conversations that are named, and not
# by their age among all there are.
_LOCK_DUE = (
    "WITH head AS ("
    "   SELECT team_id FROM (SELECT * FROM trackers_scan WHERE {due} {fence}) AS due"
    "   {oldest_first} LIMIT 1)"
    " SELECT scan.id, scan.conversation_id, scan.revision, scan.team_id"
    " FROM trackers_scan AS scan, head"
    " WHERE {due} AND scan.team_id IS NOT DISTINCT FROM head.team_id"
    " {oldest_first} LIMIT %(limit)s FOR NO KEY UPDATE OF scan SKIP LOCKED"
)
_LEASE = (
    "UPDATE trackers_scan AS scan"
    " SET state = 'RUNNING', lease_token = %s, leased_until = %s, reservation_ref = %s,"
    "     limit_ref = NULL, attempts = attempts + 1, price = claimed.price"
    " FROM unnest(%s::uuid[], %s::numeric[]) AS claimed (id, price) WHERE scan.id = claimed.id"
)


@dataclass(frozen=True, slots=True)
class Item:
    """One scan of a batch: what is read, and its price in credits."""

    scan_id: UUID
    conversation_id: UUID
    revision: int
    item: str
    price: Decimal


class _Row(NamedTuple):
    """A scan that is due, locked."""

    scan_id: UUID
    conversation_id: UUID
    revision: int
    team_id: UUID | None


@dataclass(slots=True)
class Batch:
    """Work that one worker has leased: one version, one action, one team."""

    company: Company
    tracker: Tracker
    version: TrackerVersion
    backfill_id: UUID | None
    team_id: UUID | None
    token: UUID
    rates: Rates
    items: list[Item]
    # Named before the credits are held, so that the scans name it from their lease on.
    reservation_ref: UUID = field(default_factory=new_id)
    reservation: Reservation | None = None

    @property
    def price(self) -> Decimal:
        return _price(self.items)

    @property
    def use(self) -> Use:
        """What the ledger is told this batch is for."""
        is_live = self.backfill_id is None
        return Use(
            feature_type=FeatureType.TRACKER,
            feature_name=self.tracker.name,
            feature_ref=self.tracker.pk,
            action=UsageAction.CONTINUOUS if is_live else UsageAction.BACKFILL,
            team_ref=self.team_id,
        )

    def work(self, scan_ids: Collection[UUID]) -> Work:
        """Tally those of the batch's conversations."""
        counts: dict[str, int] = defaultdict(int)
        for item in self.items:
            if item.scan_id in scan_ids:
                counts[item.item] += 1
        return Work.of_items(counts)


def has_work(*, version_id: UUID, backfill_id: UUID | None, now: datetime) -> bool:
    """Tell whether anything is due, before the analyzer is asked to get ready for it."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT EXISTS (SELECT FROM trackers_scan WHERE {_due(backfill_id)})",
            {"version": version_id, "backfill": backfill_id, "now": now},
        )
        return cursor.fetchone() == (True,)


def claim(
    *,
    version_id: UUID,
    backfill_id: UUID | None,
    rates: Rates,
    now: datetime,
    size_max: int = BATCH_SIZE_MAX,
    conversation_ids: Collection[UUID] | None = None,
) -> Batch | None:
    """Lease the oldest work of a version that is due: of a backfill, or its live scans.

    At most ``size_max`` of it, and only of the conversations named, where some are.

    Returns None when nothing is due, the backfill does not run or has reached its ceiling, or the
    company is closed; the sweep skips what a closed company has queued.
    Attempts are counted here, so that work which kills its worker is parked too.
    """
    with transaction.atomic():
        backfill = None if backfill_id is None else _running(backfill_id)
        if backfill_id is not None and backfill is None:
            return None
        rows = _lock_due(version_id, backfill_id, now, size_max, conversation_ids)
        if not rows:
            return None
        # A calibration is long, and whoever reads has it already.
        version = (
            TrackerVersion.objects.select_related("tracker__company")
            .defer("calibration")
            .get(pk=version_id)
        )
        if version.tracker.company.closed_at is not None:
            return None
        priced = _priced(rows, version, rates, now)
        items = priced if backfill is None else _within_ceiling(backfill, priced)
        batch = Batch(
            company=version.tracker.company,
            tracker=version.tracker,
            version=version,
            backfill_id=backfill_id,
            team_id=rows[0].team_id,
            token=new_id(),
            rates=rates,
            items=items,
        )
        _lease(batch, now)
        if priced and not items and backfill_id is not None:
            backfills.end_at_ceiling(backfill_id=backfill_id, needed=priced[0].price, now=now)
    return batch if items else None


def hold_credits(batch: Batch, *, now: datetime) -> None:
    """Reserve the batch's price; what cannot itself be paid leaves the batch and waits.

    Cheaper conversations go on, oldest first. What only other work's holds leave no room for is
    looked at again soon, and waits once these are used up. A backfill that meets zero waits until
    a person resumes it. What a limit leaves no room for, of a backfill too, waits until the limit
    begins anew or is raised. A batch that costs nothing reserves nothing.
    """
    met: InsufficientCredits | None = None
    for _ in range(RESERVE_TRIES_MAX):
        if batch.price == 0:
            return
        try:
            batch.reservation = charging.reserve(
                company=batch.company,
                amount=batch.price,
                use=batch.use,
                rates=batch.rates,
                reservation_id=batch.reservation_ref,
            )
        except InsufficientCredits as refusal:
            met = refusal
            _leave_waiting(batch, _payable(batch.items, refusal.available), met, now)
            continue
        except CompanyClosed:
            # Closed since the claim: nothing is read; the sweep skips what is handed back.
            hand_back(batch, [item.scan_id for item in batch.items], counts_as_attempt=False)
            batch.items = []
            return
        return
    assert met is not None
    _leave_waiting(batch, [item for item in batch.items if item.price == 0], met, now)


def hand_back(batch: Batch, scan_ids: Collection[UUID], *, counts_as_attempt: bool) -> None:
    """Queue leased scans again at once, as they were before the claim."""
    still_leased(batch).filter(pk__in=scan_ids).update(
        **_unleased(ScanState.PENDING, counts_as_attempt=counts_as_attempt)
    )


def heartbeat(batch: Batch, *, now: datetime) -> None:
    """Keep the lease of a batch that takes long, and the credits held for it."""
    still_leased(batch).update(leased_until=now + LEASE)
    if batch.reservation is not None:
        # Released meanwhile, as closing the company does: writing will find that out.
        with suppress(charging.AlreadyReleased, charging.ReservationLapsed):
            charging.extend(reservation=batch.reservation)


def still_leased(batch: Batch) -> QuerySet[Scan]:
    """Return the batch's scans that are still leased to it."""
    return _leased(batch, [item.scan_id for item in batch.items])


def _leased(batch: Batch, scan_ids: Collection[UUID]) -> QuerySet[Scan]:
    return Scan.objects.filter(pk__in=scan_ids, lease_token=batch.token, state=ScanState.RUNNING)


def _due(backfill_id: UUID | None) -> str:
    return _DUE + ("IS NULL" if backfill_id is None else "= %(backfill)s")


def _lock_due(
    version_id: UUID,
    backfill_id: UUID | None,
    now: datetime,
    size_max: int,
    conversation_ids: Collection[UUID] | None,
) -> list[_Row]:
    """Lock the oldest work that is due, at most a batch, all of the oldest one's team."""
    due, fence = _due(backfill_id), ""
    names: dict[str, Any] = {"version": version_id, "backfill": backfill_id, "now": now}
    if conversation_ids is not None:
        due, fence = due + " AND conversation_id = ANY (%(among)s)", "OFFSET 0"
        names["among"] = list(conversation_ids)
    statement = _LOCK_DUE.format(due=due, fence=fence, oldest_first=_OLDEST_FIRST)
    with connection.cursor() as cursor:
        cursor.execute(statement, names | {"limit": size_max})
        return [_Row(*row) for row in cursor.fetchall()]


def _running(backfill_id: UUID) -> Backfill | None:
    """Lock a backfill and return it; None when it does not run.

    The lock makes two claims of one backfill wait for each other, so together they never take
    more than the ceiling.
    """
    rows = Backfill.objects.select_for_update(no_key=True)
    backfill = rows.only("state", "ceiling", "claimed").get(pk=backfill_id)
    return backfill if backfill.state == BackfillState.RUNNING else None


def _within_ceiling(backfill: Backfill, items: list[Item]) -> list[Item]:
    """Cut the list where it would go above what the locked backfill may still spend.

    See Note [Claimed at most].
    """
    if backfill.claimed + _price(items) > backfill.ceiling:
        found = Scan.objects.filter(
            backfill=backfill, state__in=[ScanState.DONE, ScanState.RUNNING]
        ).aggregate(sum=Sum("price", default=ZERO))
        backfill.claimed = found["sum"]
        items = _fitting(items, backfill.ceiling - backfill.claimed)
    backfill.claimed += _price(items)
    backfill.save(update_fields=["claimed"])
    return items


def _priced(rows: list[_Row], version: TrackerVersion, rates: Rates, now: datetime) -> list[Item]:
    """Price what can be read of the locked scans, each pointed to its conversation's text."""
    conversations = Conversation.objects.filter(pk__in=[row.conversation_id for row in rows])
    named = {
        pk: (item, revision)
        for pk, item, revision in filters.with_item(conversations, version).values_list(
            "pk", "item", "text_revision"
        )
    }
    if any(row.revision != named[row.conversation_id][1] for row in rows):
        scans = Scan.objects.filter(pk__in=[row.scan_id for row in rows])
        current = requeuing.with_current_text(
            list(scans.order_by("conversation_started_at", "pk")), now=now
        )
        rows = [
            _Row(scan.pk, scan.conversation_id, scan.revision, scan.team_id) for scan in current
        ]
    return [
        Item(
            scan_id=row.scan_id,
            conversation_id=row.conversation_id,
            revision=row.revision,
            item=named[row.conversation_id][0],
            price=rates.of(named[row.conversation_id][0]),
        )
        for row in rows
    ]


def _price(items: Iterable[Item]) -> Decimal:
    return sum((item.price for item in items), ZERO)


def _fitting(items: list[Item], room: Decimal) -> list[Item]:
    """Cut the list where it would cost more than there is room for."""
    taken = ZERO
    for place, item in enumerate(items):
        taken += item.price
        if taken > max(room, ZERO):
            return items[:place]
    return items


def _payable(items: list[Item], available: Decimal) -> list[Item]:
    chosen = []
    for item in items:
        if item.price <= available:
            chosen.append(item)
            available -= item.price
    return chosen


def _lease(batch: Batch, now: datetime) -> None:
    if not batch.items:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            _LEASE,
            [
                batch.token,
                now + LEASE,
                batch.reservation_ref if batch.price else None,
                [item.scan_id for item in batch.items],
                [item.price for item in batch.items],
            ],
        )


def _leave_waiting(batch: Batch, stay: list[Item], met: InsufficientCredits, now: datetime) -> None:
    """Take what cannot be paid out of the batch; waiting is no attempt."""
    staying = {item.scan_id for item in stay}
    leaving = _leased(batch, [one.scan_id for one in batch.items if one.scan_id not in staying])
    batch.items = stay
    queued = _unleased(ScanState.PENDING, counts_as_attempt=False)
    if isinstance(met, LimitReached):
        leaving.update(**queued, due_at=met.until, limit_ref=met.limit.pk)
    elif batch.backfill_id is not None:
        if leaving.update(**queued):
            backfills.wait_at_zero(backfill_id=batch.backfill_id)
    else:
        # What others hold is used or free again soon: there is no lack of credits before that.
        room = balances.now(company=batch.company).remaining - batch.price
        held_off = leaving.filter(price__lte=room).update(
            **queued, due_at=now + HELD_FOR, reason=""
        )
        without_credits = _unleased(ScanState.WAITING, counts_as_attempt=False)
        leaving.update(**without_credits, waiting_since=now)
        if held_off:
            # Whoever used up a hold meanwhile may have looked for these just before.
            waiting.give_up_on_holds(company=batch.company, now=now)


def _unleased(state: ScanState, *, counts_as_attempt: bool) -> dict[str, object]:
    fields: dict[str, object] = {"state": state, "lease_token": None, "leased_until": None}
    return fields if counts_as_attempt else fields | {"attempts": F("attempts") - 1}
