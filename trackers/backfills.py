"""Scan history: a priced list of conversations, fixed at launch, for one version (SPEC §5)."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q, Sum

from credits import balances, charging
from credits.amounts import ZERO, exact, grouped
from credits.audit import Action, Actor
from credits.models import Reservation, UsageAction, User
from credits.rating import Rates
from trackers import backfill_progress, bulk, estimates, locks, trail, wakes
from trackers.batches import batches
from trackers.estimates import ScanEstimate
from trackers.models import (
    Backfill,
    BackfillState,
    Scan,
    ScanState,
    Tracker,
    TrackerState,
    TrackerVersion,
)
from trackers.models.trackers import LIVE_BACKFILL_STATES

INSERT_BATCH_SIZE = 1000
GROWS_BY = 10  # A table that grows by a tenth is another to the planner, as to autovacuum.
CHAINS_MAX = 2  # Tasks that work on one backfill at once; each asks for the next batch itself.
LIVE_STATES = LIVE_BACKFILL_STATES  # Those that go on, or would if somebody let them.
RESUMABLE_STATES = [BackfillState.PAUSED, BackfillState.WAITING]


class BackfillRefused(Exception):
    """A backfill that was not started; the message says why and what to do."""


class EstimateGrew(BackfillRefused):
    """It would cost more than was shown when the person confirmed; look at the figures again."""


class NothingToScan(BackfillRefused):
    """No conversation in the dates is left to scan."""


class NotRunning(Exception):
    """This backfill has ended already."""


class NotAffordable(BackfillRefused):
    """It needs more credits than are available; shorten it or set a ceiling."""

    def __init__(self, *, required: Decimal, available: Decimal) -> None:
        self.required, self.available = required, available
        super().__init__(
            f"Not started: this backfill needs {grouped(required)} credits and "
            f"{grouped(available)} are available. Shorten it or set a ceiling."
        )


@dataclass(frozen=True, slots=True)
class Plan:
    """A backfill as a person asked for it: conversations that start in ``from_at <= t < to_at``.

    ``ceiling`` is the most it may cost, None for its estimate; ``shown`` is the estimate that was
    confirmed, None where nobody was shown one.
    """

    from_at: datetime
    to_at: datetime
    ceiling: Decimal | None
    rates: Rates
    shown: Decimal | None = None


def launch(
    *,
    tracker_id: UUID,
    from_at: datetime,
    to_at: datetime,
    ceiling: Decimal | None,
    rates: Rates,
    by: User,
    now: datetime,
    shown: Decimal | None = None,
    edit_number: int | None = None,
    available: Decimal | None = None,
    through: Actor | None = None,
) -> Backfill:
    """Fix the list of conversations that start in ``from_at <= t < to_at`` and begin.

    The ceiling is the estimate unless a lower one is given; nothing is charged above it. Scans
    that wait, failed or were skipped are taken over; those done or under way are left alone. With
    an ``edit_number``, only if the tracker, filters included, is still what it was then. Whoever
    is in a transaction already says what is ``available``, read before it. ``through`` is who acts
    in the name of ``by``.

    :raises BackfillRefused: nothing was started.
    :raises CompanyClosed: nothing is read in a closed company.
    """
    plan = Plan(from_at=from_at, to_at=to_at, ceiling=ceiling, rates=rates, shown=shown)
    # Read before the transaction: settling holds the pool, and the list may be long.
    company = Tracker.objects.select_related("company").get(pk=tracker_id).company
    if available is None:
        available = balances.now(company=company).available
    with transaction.atomic():
        locks.keep_open(company.pk)
        lock_of_tracker(tracker_id)
        tracker = (
            Tracker.objects.select_for_update(of=("self",))
            .select_related("current_version", "company")
            .get(pk=tracker_id)
        )
        if edit_number not in (None, tracker.edit_number):
            raise BackfillRefused(
                "Not started: the tracker was changed after you opened this page. "
                "Look at the new figures."
            )
        return start(
            tracker=tracker, plan=plan, available=available, by=by, now=now, through=through
        )


def start(
    *,
    tracker: Tracker,
    plan: Plan,
    available: Decimal,
    by: User,
    now: datetime,
    through: Actor | None = None,
) -> Backfill:
    """Begin a backfill of a tracker that the caller's transaction has locked.

    :raises BackfillRefused: nothing was started; the caller's transaction has to be rolled back.
    """
    version = tracker.current_version
    if tracker.state != TrackerState.PUBLISHED or version is None:
        raise BackfillRefused("Not started: publish the tracker first.")
    if Backfill.objects.filter(tracker=tracker, state__in=LIVE_STATES).exists():
        raise BackfillRefused("Not started: another backfill of this tracker is under way.")
    estimate, ceiling = _agreed(tracker, version, plan, available)
    backfill = Backfill.objects.create(
        company=tracker.company,
        tracker=tracker,
        version=version,
        from_at=plan.from_at,
        to_at=plan.to_at,
        conversation_count=estimate.conversations,
        estimate=estimate.credits,
        ceiling=ceiling,
        started_at=now,
        started_by=by,
    )
    trail.backfill(Action.STARTED, backfill, by=through or by)
    # The analyzer learns the corpus anew: there may be much more of it than at publication.
    TrackerVersion.objects.filter(pk=version.pk).update(calibration=None)
    _fix_list(backfill, tracker, version, now)
    wakes.scan(version_id=version.pk, backfill_id=backfill.pk, times=CHAINS_MAX)
    return backfill


def stop(*, backfill_id: UUID, by: User, now: datetime, through: Actor | None = None) -> Backfill:
    """End a backfill: nothing is charged after this commits.

    A batch under way finds it stopped when it wants to write and throws its results away; the
    credits it holds are free at once. Scans not done are skipped and can be taken over by another
    backfill.

    :raises NotRunning: it has ended already.
    """
    with transaction.atomic():
        backfill = _locked(backfill_id)
        if backfill.state not in LIVE_STATES:
            raise NotRunning(NotRunning.__doc__)
        _stop(backfill, by=by, now=now, reason="Stopped by a person.")
        trail.backfill(Action.STOPPED, backfill, by=through or by)
    _free_holds(backfill)
    return backfill


def pause(*, backfill_id: UUID, by: User, now: datetime, through: Actor | None = None) -> Backfill:
    """Halt a backfill until a person resumes it: nothing of it is charged meanwhile.

    A batch under way finds it paused when it wants to write; its conversations are queued again,
    unread, and the credits it holds are free at once.

    :raises NotRunning: it has ended, is paused already or waits for credits.
    """
    with transaction.atomic():
        backfill = _locked(backfill_id)
        if backfill.state != BackfillState.RUNNING:
            raise NotRunning("This backfill does not run, so there is nothing to pause.")
        backfill.state = BackfillState.PAUSED
        backfill.paused_at, backfill.paused_by = now, by
        backfill.save(update_fields=["state", "paused_at", "paused_by"])
        trail.backfill(Action.PAUSED, backfill, by=through or by)
    _free_holds(backfill)
    return backfill


def resume(*, backfill_id: UUID, by: User, now: datetime, through: Actor | None = None) -> Backfill:
    """Go on with a backfill that a person paused or that met zero; only a person does this.

    :raises NotRunning: it is neither paused nor waiting for credits.
    :raises CompanyClosed: nothing is read in a closed company.
    """
    with transaction.atomic():
        locks.keep_open(Backfill.objects.values_list("company_id", flat=True).get(pk=backfill_id))
        backfill = _locked(backfill_id)
        if backfill.state not in RESUMABLE_STATES:
            raise NotRunning("This backfill is not paused.")
        backfill.state = BackfillState.RUNNING
        backfill.paused_at = backfill.paused_by = None
        backfill.save(update_fields=["state", "paused_at", "paused_by"])
        trail.backfill(Action.RESUMED, backfill, by=through or by)
        wakes.scan(version_id=backfill.version_id, backfill_id=backfill.pk, times=CHAINS_MAX)
    # One that was paused during its last batch may have nothing left to wake anybody for.
    finish_if_done(backfill_id=backfill_id, now=now)
    return backfill


def wait_at_zero(*, backfill_id: UUID) -> None:
    """Wait for credits; the scans stay queued until a person resumes or stops the backfill."""
    Backfill.objects.filter(pk=backfill_id, state=BackfillState.RUNNING).update(
        state=BackfillState.WAITING
    )


def end_at_ceiling(*, backfill_id: UUID, needed: Decimal, now: datetime) -> None:
    """Stop a backfill whose next conversation, of price ``needed``, would go above its ceiling.

    Inside the caller's transaction, which holds the backfill, so that nothing of it is claimed
    meanwhile. While another worker still reads a batch of it, nothing happens: that batch was
    within the ceiling and may write, and its worker comes here itself when it claims again. What
    it could not read gives its room back.
    """
    backfill = Backfill.objects.get(pk=backfill_id)
    if backfill.state != BackfillState.RUNNING:
        return
    # One statement, so of one instant: a batch may fail, and give its room back, at any moment.
    found = Scan.objects.filter(backfill=backfill).aggregate(
        running=Count("pk", filter=Q(state=ScanState.RUNNING)),
        charged=Sum("price", filter=Q(state=ScanState.DONE), default=ZERO),
    )
    if not found["running"] and found["charged"] + needed > backfill.ceiling:
        _stop(backfill, by=None, now=now, reason="The ceiling was reached.")


def finish_if_done(*, backfill_id: UUID, now: datetime) -> None:
    """Mark a backfill done when none of its scans is queued or under way any more."""
    # First without the lock, which the next claim waits for: of several that end their batches
    # at once, whoever commits last finds nothing open.
    if backfill_progress.open_scans(Backfill(pk=backfill_id)).exists():
        return
    with transaction.atomic():
        backfill = _locked(backfill_id)
        is_over = not backfill_progress.open_scans(backfill).exists()
        if backfill.state == BackfillState.RUNNING and is_over:
            backfill.state = BackfillState.DONE
            backfill.ended_at = now
            backfill.save(update_fields=["state", "ended_at"])


def stop_of_tracker(*, tracker: Tracker, by: User | None, now: datetime, reason: str) -> None:
    """Stop what the tracker has under way, inside the caller's transaction."""
    for backfill in Backfill.objects.filter(tracker=tracker, state__in=LIVE_STATES):
        _stop(backfill, by=by, now=now, reason=reason)


def lock_of_tracker(tracker_id: UUID) -> None:
    """Lock a tracker's live backfills before the tracker itself: one lock order everywhere."""
    list(
        Backfill.objects.select_for_update()
        .filter(tracker_id=tracker_id, state__in=LIVE_STATES)
        .order_by("pk")
        .values_list("pk")
    )


def _locked(backfill_id: UUID) -> Backfill:
    return Backfill.objects.select_for_update(of=("self",)).get(pk=backfill_id)


def _stop(backfill: Backfill, *, by: User | None, now: datetime, reason: str) -> None:
    backfill.state = BackfillState.STOPPED
    backfill.ended_at = now
    backfill.ended_by = by
    backfill.end_reason = reason
    backfill.paused_at = backfill.paused_by = None
    backfill.save(
        update_fields=["state", "ended_at", "ended_by", "end_reason", "paused_at", "paused_by"]
    )
    Scan.objects.filter(backfill=backfill, state__in=[ScanState.PENDING, ScanState.WAITING]).update(
        state=ScanState.SKIPPED, finished_at=now, reason=reason
    )


def _free_holds(backfill: Backfill) -> None:
    """Release what batches under way hold: they find out by themselves that nobody waits for them.

    After the commit: a ledger call never comes between locks of work rows. A batch that has not
    noted its reservation yet releases it itself, when it wants to write.
    """
    held = Scan.objects.filter(
        backfill=backfill, state=ScanState.RUNNING, reservation_ref__isnull=False
    )
    for reservation in Reservation.objects.filter(pk__in=held.values("reservation_ref")):
        with suppress(
            charging.AlreadyCaptured, charging.AlreadyReleased, charging.ReservationLapsed
        ):
            charging.release(reservation=reservation)


def _agreed(
    tracker: Tracker, version: TrackerVersion, plan: Plan, available: Decimal
) -> tuple[ScanEstimate, Decimal]:
    """Return what a plan costs and its ceiling, if both may be."""
    if plan.from_at >= plan.to_at:
        raise BackfillRefused("Not started: the first day is after the last day.")
    if plan.ceiling is not None and plan.ceiling < ZERO:
        raise BackfillRefused(
            "Not started: a ceiling cannot be below 0. Leave it empty or raise it."
        )
    estimate = estimates.backfill(
        tracker=tracker,
        version=version,
        from_at=plan.from_at,
        to_at=plan.to_at,
        rates=plan.rates,
    )
    if not estimate.conversations:
        raise NothingToScan(
            "Not started: no conversation in these dates is left to scan. Choose other dates."
        )
    if plan.shown is not None and estimate.credits > plan.shown:
        raise EstimateGrew(
            f"Not started: this backfill needs {grouped(estimate.credits)} credits by now, more "
            f"than the {grouped(plan.shown)} shown before. Look at the new figures."
        )
    ceiling = estimate.credits
    if plan.ceiling is not None:
        ceiling = min(exact(plan.ceiling), ceiling)
    if ceiling > available:
        raise NotAffordable(required=ceiling, available=available)
    return estimate, ceiling


def _fix_list(backfill: Backfill, tracker: Tracker, version: TrackerVersion, now: datetime) -> None:
    conversations = estimates.unscanned(tracker, version).filter(
        started_at__gte=backfill.from_at, started_at__lt=backfill.to_at
    )
    adopted = Scan.objects.filter(
        version=version,
        state__in=estimates.ADOPTABLE,
        conversation__in=conversations,
        revision=F("conversation__text_revision"),
    )
    adopted.update(
        state=ScanState.PENDING,
        action=UsageAction.BACKFILL,
        backfill=backfill,
        due_at=now,
        attempts=0,
        reason="",
        skipped_by=None,
        price=None,
        finished_at=None,
    )
    # What was just taken over is queued now, so it is not among the unscanned any more.
    rows = conversations.values_list("pk", "text_revision", "team_id", "started_at")
    for batch in batches(rows.iterator(chunk_size=INSERT_BATCH_SIZE), INSERT_BATCH_SIZE):
        Scan.objects.bulk_create(
            Scan(
                company_id=backfill.company_id,
                tracker=tracker,
                version=version,
                conversation_id=conversation_id,
                revision=revision,
                action=UsageAction.BACKFILL,
                backfill=backfill,
                team_id=team_id,
                conversation_started_at=started_at,
                due_at=now,
                created_at=now,
            )
            for conversation_id, revision, team_id, started_at in batch
        )
    # Or workers look for a new call among all that is queued here, until autovacuum comes by.
    bulk.count_rows((Scan,), least=backfill.conversation_count * GROWS_BY)
