"""Take work, price it, and hold the credits for it: the first half of a scan (DESIGN §4)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import F, Q, QuerySet, Sum

from credits import charging
from credits.amounts import ZERO
from credits.companies import CompanyClosed
from credits.identifiers import new_id
from credits.ledger import InsufficientCredits, Use
from credits.limits import LimitReached
from credits.models import Company, FeatureType, Reservation, UsageAction
from credits.rating import Rates, Work
from trackers import backfills, filters, requeuing
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


@dataclass(frozen=True, slots=True)
class Item:
    """One scan of a batch: what is read, and its price in credits."""

    scan_id: UUID
    conversation_id: UUID
    revision: int
    item: str
    price: Decimal


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
    reservation: Reservation | None = None

    @property
    def price(self) -> Decimal:
        return sum((item.price for item in self.items), ZERO)

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
    return _due(version_id, backfill_id, now).exists()


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
        room = None if backfill_id is None else _room(backfill_id)
        scans = _due(version_id, backfill_id, now)
        if conversation_ids is not None:
            scans = scans.filter(conversation__in=conversation_ids)
        head = None if room is not None and room < 0 else scans.first()
        if head is None:
            return None
        same_team = scans.filter(_is("team", head.team_id)).select_for_update(
            of=("self",), skip_locked=True, no_key=True
        )
        version = TrackerVersion.objects.select_related("tracker__company").get(pk=version_id)
        if version.tracker.company.closed_at is not None:
            return None
        leased = requeuing.with_current_text(list(same_team[:size_max]), now=now)
        priced = _priced(leased, version, rates)
        items = _within(room, priced)
        token = new_id()
        _lease(items, token, now)
        if priced and not items and backfill_id is not None:
            backfills.end_at_ceiling(backfill_id=backfill_id, needed=priced[0].price, now=now)
    if not items:
        return None
    return Batch(
        company=version.tracker.company,
        tracker=version.tracker,
        version=version,
        backfill_id=backfill_id,
        team_id=head.team_id,
        token=token,
        rates=rates,
        items=items,
    )


def hold_credits(batch: Batch) -> None:
    """Reserve the batch's price; what cannot itself be paid leaves the batch and waits.

    Cheaper conversations go on, oldest first. A backfill that meets zero waits until a person
    resumes it. What a limit leaves no room for, of a backfill too, waits until the limit begins
    anew or is raised. A batch that costs nothing reserves nothing.
    """
    met: InsufficientCredits | None = None
    for _ in range(RESERVE_TRIES_MAX):
        if batch.price == 0:
            return
        try:
            batch.reservation = charging.reserve(
                company=batch.company, amount=batch.price, use=batch.use, rates=batch.rates
            )
        except InsufficientCredits as refusal:
            met = refusal
            _leave_waiting(batch, _payable(batch.items, refusal.available), met)
            continue
        except CompanyClosed:
            # Closed since the claim: nothing is read; the sweep skips what is handed back.
            hand_back(batch, [item.scan_id for item in batch.items], counts_as_attempt=False)
            batch.items = []
            return
        still_leased(batch).update(reservation_ref=batch.reservation.pk)
        return
    assert met is not None
    _leave_waiting(batch, [item for item in batch.items if item.price == 0], met)


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


def _due(version_id: UUID, backfill_id: UUID | None, now: datetime) -> QuerySet[Scan]:
    return Scan.objects.filter(
        _is("backfill", backfill_id),
        version_id=version_id,
        state=ScanState.PENDING,
        due_at__lte=now,
    ).order_by("conversation_started_at", "pk")


def _is(name: str, value: UUID | None) -> Q:
    """Match a key that may be null, by value or by its absence."""
    return Q(**{f"{name}__isnull": True}) if value is None else Q(**{name: value})


def _room(backfill_id: UUID) -> Decimal:
    """Lock the backfill and return what it may still spend; below 0 when it does not run.

    The lock makes two claims of one backfill wait for each other, so together they never take
    more than the ceiling.
    """
    backfill = Backfill.objects.select_for_update(no_key=True).get(pk=backfill_id)
    if backfill.state != BackfillState.RUNNING:
        return Decimal(-1)
    taken = Scan.objects.filter(
        backfill=backfill, state__in=[ScanState.DONE, ScanState.RUNNING]
    ).aggregate(sum=Sum("price", default=ZERO))
    return max(backfill.ceiling - taken["sum"], ZERO)


def _priced(scans: list[Scan], version: TrackerVersion, rates: Rates) -> list[Item]:
    conversations = Conversation.objects.filter(pk__in=[scan.conversation_id for scan in scans])
    named = dict(filters.with_item(conversations, version).values_list("pk", "item"))
    return [
        Item(
            scan_id=scan.pk,
            conversation_id=scan.conversation_id,
            revision=scan.revision,
            item=named[scan.conversation_id],
            price=rates.of(named[scan.conversation_id]),
        )
        for scan in scans
    ]


def _within(room: Decimal | None, items: list[Item]) -> list[Item]:
    """Cut the list where it would go above what the backfill may still spend."""
    if room is None:
        return items
    taken = ZERO
    for place, item in enumerate(items):
        taken += item.price
        if taken > room:
            return items[:place]
    return items


def _payable(items: list[Item], available: Decimal) -> list[Item]:
    chosen = []
    for item in items:
        if item.price <= available:
            chosen.append(item)
            available -= item.price
    return chosen


def _lease(items: list[Item], token: UUID, now: datetime) -> None:
    by_price: dict[Decimal, list[UUID]] = defaultdict(list)
    for item in items:
        by_price[item.price].append(item.scan_id)
    for price, scan_ids in by_price.items():
        Scan.objects.filter(pk__in=scan_ids).update(
            state=ScanState.RUNNING,
            lease_token=token,
            leased_until=now + LEASE,
            reservation_ref=None,
            limit_ref=None,
            attempts=F("attempts") + 1,
            price=price,
        )


def _leave_waiting(batch: Batch, stay: list[Item], met: InsufficientCredits) -> None:
    """Take what cannot be paid out of the batch; waiting is no attempt."""
    staying = {item.scan_id for item in stay}
    leaving = [item.scan_id for item in batch.items if item.scan_id not in staying]
    batch.items = stay
    if isinstance(met, LimitReached):
        fields = _unleased(ScanState.PENDING, counts_as_attempt=False)
        fields |= {"due_at": met.until, "limit_ref": met.limit.pk}
    else:
        is_live = batch.backfill_id is None
        state = ScanState.WAITING if is_live else ScanState.PENDING
        fields = _unleased(state, counts_as_attempt=False)
        if leaving and batch.backfill_id is not None:
            backfills.wait_at_zero(backfill_id=batch.backfill_id)
    _leased(batch, leaving).update(**fields)


def _unleased(state: ScanState, *, counts_as_attempt: bool) -> dict[str, object]:
    fields: dict[str, object] = {"state": state, "lease_token": None, "leased_until": None}
    return fields if counts_as_attempt else fields | {"attempts": F("attempts") - 1}
