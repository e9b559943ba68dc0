"""Each minute: take back what workers lost, resume what can be paid, wake what is due.

The database is the truth and the broker a hint; this finds the work whose message was lost. Every
step is bounded, skips what is leased, and may run in two places at once.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from itertools import chain
from typing import Protocol
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, Q, QuerySet

from credits import balances, charging, faults, jobs, limits, rating
from credits.models import Company, Reservation
from credits.shown import counted
from trackers import backfills, locks, requeuing, waiting, wakes
from trackers.models import Backfill, BackfillState, Scan, ScanState, Tracker, TrackerState
from trackers.scanning import ATTEMPTS_MAX

logger = logging.getLogger(__name__)

RECOVER_MAX = 1000
SKIP_MAX = 1000
RESUME_MAX = 5000  # Of one company.
WAKES_MAX = 200
REPRICED_FOR = timedelta(minutes=10)


class SweepFailed(Exception):
    """A step of the sweep failed, or a company in it; the others were done. See the log."""


class Step(Protocol):
    """Part of a sweep; returns how much it did."""

    def __call__(self, *, now: datetime) -> int: ...


@dataclass(frozen=True, slots=True)
class Swept:
    """What one sweep did, in scans and wakes."""

    recovered: int
    skipped: int
    waiting: int
    resumed: int
    woken: int

    def __str__(self) -> str:
        return (
            f"{self.recovered} taken back, {self.skipped} skipped, "
            f"{self.waiting} left waiting, {self.resumed} resumed, {self.woken} woken"
        )


def sweep(*, now: datetime) -> Swept:
    """Do all of it once; a step that finds nothing costs one indexed query.

    :raises SweepFailed: after all the other steps, and all the other companies, were done.
    """
    failures: list[Exception] = []

    def done(steps: Iterable[Step]) -> int:
        return sum(_tried(step, now, failures) for step in steps)

    swept = Swept(
        recovered=done([recover]),
        skipped=done([skip_unwanted, skip_long_waiting]),
        waiting=done(_held_off()),
        resumed=done(chain([reprice_waiting], _resuming(), [resume_limited])),
        woken=done([wake_due]),
    )
    if failures:
        raise SweepFailed(f"{SweepFailed.__doc__} Done: {swept}.") from failures[0]
    return swept


def recover(*, now: datetime) -> int:
    """Take back scans whose worker died or lost its lease, and free the credits it held."""
    with transaction.atomic():
        lost = list(
            Scan.objects.filter(state=ScanState.RUNNING, leased_until__lt=now)
            .select_for_update(skip_locked=True, no_key=True)
            .order_by("leased_until")[:RECOVER_MAX]
        )
        unleased = {"lease_token": None, "leased_until": None}
        ids = [scan.pk for scan in lost]
        Scan.objects.filter(pk__in=ids, attempts__lt=ATTEMPTS_MAX).update(
            state=ScanState.PENDING, due_at=now, **unleased
        )
        Scan.objects.filter(pk__in=ids, attempts__gte=ATTEMPTS_MAX).update(
            state=ScanState.FAILED,
            finished_at=now,
            reason="Its worker stopped before it was done, five times.",
            **unleased,
        )
    if lost:
        faults.reach(faults.Point.TAKEN_BACK)
    for reservation_id in {scan.reservation_ref for scan in lost if scan.reservation_ref}:
        _release(reservation_id)
    for backfill_id in {scan.backfill_id for scan in lost if scan.backfill_id}:
        backfills.finish_if_done(backfill_id=backfill_id, now=now)
    return len(lost)


def skip_unwanted(*, now: datetime) -> int:
    """Skip what nobody will read any more: its backfill was stopped, its tracker unpublished, or
    a newer version published, while a worker had it that then died or handed it back.

    What was live goes on as a scan of the newer version.
    """
    skipped = 0
    for state in requeuing.QUEUED:
        with transaction.atomic():
            # Held still: a tracker published again meanwhile has its work wanted again.
            trackers = set(_unwanted(state)[:SKIP_MAX].values_list("tracker", flat=True))
            locks.share(Tracker, trackers)
            unwanted = _free(_unwanted(state).filter(tracker__in=trackers), SKIP_MAX)
            for tracker in Tracker.objects.filter(pk__in=trackers).select_related(
                "current_version", "company"
            ):
                requeuing.retire(
                    tracker=tracker,
                    scans=[scan for scan in unwanted if scan.tracker_id == tracker.pk],
                    now=now,
                    reason="Stopped; nothing was charged.",
                )
            skipped += len(unwanted)
    return skipped


def skip_long_waiting(*, now: datetime) -> int:
    """Skip, visibly, what has waited for credits longer than the setting allows, 30 days."""
    days = settings.WAITING_DAYS
    with transaction.atomic():
        too_old = now - timedelta(days=days)
        waited = Scan.objects.alias(since=waiting.SINCE).filter(
            state=ScanState.WAITING, since__lt=too_old
        )
        ids = [scan.pk for scan in _free(waited, SKIP_MAX)]
        requeuing.skip(ids, now=now, reason=f"Waited {counted(days, 'day')} for credits.")
    return len(ids)


def reprice_waiting(*, now: datetime) -> int:
    """Bring what waits to a rate card that has come into force; return how much is free by now.

    Once a card, and for some minutes more: who leaves work waiting may have read the one before.
    """
    card = rating.card_at(now)
    if card is None:
        return 0
    with transaction.atomic(), jobs.once_for("reprice_waiting", start=card.effective_at) as job:
        if not job.is_mine and now - card.effective_at > REPRICED_FOR:
            return 0
        waits = Scan.objects.filter(company=OuterRef("pk"), state=ScanState.WAITING)
        companies = list(Company.objects.filter(Exists(waits)).order_by("pk"))
        queued = sum(waiting.reprice(company=company, now=now) for company in companies)
        job.summary = f"{counted(len(companies), 'company', 'companies')} looked at"
    return queued


def resume_limited(*, now: datetime) -> int:
    """Queue again what met a limit that has room before its window ends: it was raised or ended,
    or credits came back to it. As much as fits, trackers in turn, the oldest first within each.
    """
    resumed = 0
    postponed = waiting.for_a_limit(now=now)
    refs = postponed.order_by().values_list("limit_ref", flat=True).distinct()
    for limit_id, room in limits.rooms({ref for ref in refs if ref is not None}).items():
        mine = postponed.filter(limit_ref=limit_id)
        if room is not None:
            queued = waiting.oldest_of_each(waiting.payable(mine, room), at_most=RESUME_MAX)
            ids = [row.scan_id for row in waiting.in_turn(queued, room)]
        else:
            ids = list(mine.order_by("pk").values_list("pk", flat=True)[:RESUME_MAX])
        resumed += waiting.for_a_limit(now=now).filter(pk__in=ids).update(due_at=now)
    return resumed


def wake_due(*, now: datetime) -> int:
    """Send a wake for work that is due and that no worker is on."""
    due = Scan.objects.filter(state=ScanState.PENDING, due_at__lte=now).filter(
        Q(backfill=None) | Q(backfill__state=BackfillState.RUNNING)
    )
    idle, under_way = (
        set(scans.values_list("version", "backfill").distinct())
        for scans in (due, Scan.objects.filter(state=ScanState.RUNNING))
    )
    woken = list(idle - under_way)[:WAKES_MAX]
    faults.reach(faults.Point.SWEPT)
    for version_id, backfill_id in woken:
        wakes.scan(version_id=version_id, backfill_id=backfill_id)
    for backfill_id in _finished_backfills():
        backfills.finish_if_done(backfill_id=backfill_id, now=now)
    return len(woken)


def _unwanted(state: ScanState) -> QuerySet[Scan]:
    # One state at a time: each has a partial index, and nothing serves both.
    is_in_force = Q(
        tracker__state=TrackerState.PUBLISHED,
        tracker__current_version=F("version"),
        company__closed_at=None,
    )
    return Scan.objects.filter(state=state).filter(
        Q(backfill__state__in=[BackfillState.STOPPED, BackfillState.DONE]) | ~is_in_force
    )


def _finished_backfills() -> list[UUID]:
    """Return running backfills with nothing left to do, whose last worker died before saying so."""
    unfinished = Scan.objects.filter(
        backfill=OuterRef("pk"),
        state__in=[ScanState.PENDING, ScanState.WAITING, ScanState.RUNNING],
    )
    running = Backfill.objects.filter(state=BackfillState.RUNNING).exclude(Exists(unfinished))
    return list(running.values_list("pk", flat=True)[:WAKES_MAX])


def _held_off() -> Iterator[Step]:
    """Yield a step for each company in which something may have met others' holds.

    These may be used up by what does not look after it: a brief, an expiry, a worker that died.
    """
    for company in waiting.companies_held_off():
        yield partial(waiting.give_up_on_holds, company=company)


def _resuming() -> Iterator[Step]:
    """Yield a step for each company in which something waits whose tracker catches up by itself."""
    catching_up = Scan.objects.filter(
        company=OuterRef("pk"), state=ScanState.WAITING, tracker__catch_up=True
    )
    for company in Company.objects.filter(Exists(catching_up)).order_by("pk"):
        yield partial(_resume, company.pk)


def _resume(company_id: int, *, now: datetime) -> int:
    """Queue again what waits and can be paid now: trackers in turn, the oldest first of each."""
    company = Company.objects.get(pk=company_id)
    available = balances.now(company=company).available
    catching_up = Scan.objects.filter(
        company=company, state=ScanState.WAITING, tracker__catch_up=True
    )
    queued = waiting.oldest_of_each(waiting.payable(catching_up, available), at_most=RESUME_MAX)
    with transaction.atomic():
        return waiting.queue_again(waiting.in_turn(queued, available), now=now)


def _tried(step: Step, now: datetime, failures: list[Exception]) -> int:
    try:
        return step(now=now)
    except Exception as error:
        # The boundary of one step, and of one company within it; the sweep fails in the end.
        logger.exception("A step of the sweep failed: %s", step)
        failures.append(error)
        return 0


def _free(scans: QuerySet[Scan], at_most: int) -> list[Scan]:
    """Lock those of the scans that nobody else has locked; the rest is left to the next sweep."""
    locked = scans.select_for_update(of=("self",), no_key=True, skip_locked=True)
    return list(locked.order_by("pk")[:at_most])


def _release(reservation_id: UUID) -> None:
    reservation = Reservation.objects.filter(pk=reservation_id).first()
    if reservation is None:
        # Its worker stopped after it had named the reservation and before it made it.
        return
    try:
        charging.release(reservation=reservation)
    except (charging.AlreadyCaptured, charging.AlreadyReleased, charging.ReservationLapsed):
        # Whatever it held is free already.
        return
