"""Scan history: a priced list of conversations, fixed at launch, for one version (SPEC §5)."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import Count, F, Q, QuerySet, Sum

from credits import balances
from credits.amounts import ZERO, grouped
from credits.models import UsageAction, User
from credits.rating import Rates
from trackers import estimates, wakes
from trackers.batches import batches
from trackers.models import (
    Backfill,
    BackfillState,
    Scan,
    ScanState,
    Tracker,
    TrackerState,
    TrackerVersion,
)

INSERT_BATCH_SIZE = 1000
CHAINS_MAX = 2  # Tasks that work on one backfill at once; each asks for the next batch itself.
LIVE_STATES = [BackfillState.RUNNING, BackfillState.PAUSED]


class BackfillRefused(Exception):
    """A backfill that was not started; the message says why and what to do."""


class NothingToScan(BackfillRefused):
    """No conversation in the dates is left to scan."""


class NotRunning(Exception):
    """This backfill has ended already."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is: conversations by state, and credits charged so far."""

    total: int
    done: int
    failed: int
    skipped: int
    waiting: int
    charged: Decimal

    @property
    def finished(self) -> int:
        return self.done + self.failed + self.skipped

    @property
    def percent(self) -> int:
        return 100 if not self.total else self.finished * 100 // self.total


def launch(
    *,
    tracker_id: UUID,
    from_at: datetime,
    to_at: datetime,
    ceiling: Decimal | None,
    rates: Rates,
    by: User,
    now: datetime,
) -> Backfill:
    """Fix the list of conversations that start in ``from_at <= t < to_at`` and begin.

    The ceiling is the estimate unless a lower one is given; nothing is charged above it. Scans
    that wait, failed or were skipped are taken over; those done or under way are left alone.

    :raises BackfillRefused: nothing was started.
    """
    if from_at >= to_at:
        raise BackfillRefused("Not started: the first day is after the last day.")
    # Read before the transaction: settling holds the pool, and the list may be long.
    company = Tracker.objects.select_related("company").get(pk=tracker_id).company
    available = balances.now(company=company).available
    with transaction.atomic():
        lock_of_tracker(tracker_id)
        tracker = (
            Tracker.objects.select_for_update(of=("self",))
            .select_related("current_version", "company")
            .get(pk=tracker_id)
        )
        version = tracker.current_version
        if tracker.state != TrackerState.PUBLISHED or version is None:
            raise BackfillRefused("Not started: publish the tracker first.")
        if Backfill.objects.filter(tracker=tracker, state__in=LIVE_STATES).exists():
            raise BackfillRefused("Not started: another backfill of this tracker is under way.")
        estimate = estimates.backfill(
            tracker=tracker, version=version, from_at=from_at, to_at=to_at, rates=rates
        )
        if not estimate.conversations:
            raise NothingToScan(
                "Not started: no conversation in these dates is left to scan. Choose other dates."
            )
        ceiling = estimate.credits if ceiling is None else min(ceiling, estimate.credits)
        if ceiling > available:
            raise BackfillRefused(
                f"Not started: this backfill needs {grouped(ceiling)} credits and "
                f"{grouped(available)} are available. Shorten it or set a ceiling."
            )
        backfill = Backfill.objects.create(
            company=tracker.company,
            tracker=tracker,
            version=version,
            from_at=from_at,
            to_at=to_at,
            conversation_count=estimate.conversations,
            estimate=estimate.credits,
            ceiling=ceiling,
            started_at=now,
            started_by=by,
        )
        # The analyzer learns the corpus anew: there may be much more of it than at publication.
        TrackerVersion.objects.filter(pk=version.pk).update(calibration=None)
        _fix_list(backfill, tracker, version, now)
        wakes.scan(version_id=version.pk, backfill_id=backfill.pk, times=CHAINS_MAX)
    return backfill


def stop(*, backfill_id: UUID, by: User, now: datetime) -> Backfill:
    """End a backfill: nothing is charged after this commits.

    A batch under way finds it stopped when it wants to write, releases what it holds and throws
    its results away. Scans not done are skipped and can be taken over by another backfill.

    :raises NotRunning: it has ended already.
    """
    with transaction.atomic():
        backfill = _locked(backfill_id)
        if backfill.state not in LIVE_STATES:
            raise NotRunning(NotRunning.__doc__)
        _stop(backfill, by=by, now=now, reason="Stopped by a person.")
    return backfill


def resume(*, backfill_id: UUID) -> Backfill:
    """Go on with a backfill that met zero; only a person does this.

    :raises NotRunning: it is not paused.
    """
    with transaction.atomic():
        backfill = _locked(backfill_id)
        if backfill.state != BackfillState.PAUSED:
            raise NotRunning("This backfill is not paused.")
        backfill.state = BackfillState.RUNNING
        backfill.save(update_fields=["state"])
        wakes.scan(version_id=backfill.version_id, backfill_id=backfill.pk, times=CHAINS_MAX)
    return backfill


def pause_at_zero(*, backfill_id: UUID) -> None:
    """Wait for credits; the scans stay queued until a person resumes or stops the backfill."""
    Backfill.objects.filter(pk=backfill_id, state=BackfillState.RUNNING).update(
        state=BackfillState.PAUSED
    )


def end_at_ceiling(*, backfill_id: UUID, now: datetime) -> None:
    """Stop a backfill whose next conversation would go above its ceiling."""
    with transaction.atomic():
        backfill = _locked(backfill_id)
        if backfill.state == BackfillState.RUNNING:
            _stop(backfill, by=None, now=now, reason="The ceiling was reached.")


def finish_if_done(*, backfill_id: UUID, now: datetime) -> None:
    """Mark a backfill done when none of its scans is queued or under way any more."""
    with transaction.atomic():
        backfill = _locked(backfill_id)
        if backfill.state == BackfillState.RUNNING and not _open_scans(backfill).exists():
            backfill.state = BackfillState.DONE
            backfill.ended_at = now
            backfill.save(update_fields=["state", "ended_at"])


def progress(backfill: Backfill) -> Progress:
    """Count a backfill's scans; the figures are those of its rows, not of a counter."""
    rows = Scan.objects.filter(backfill=backfill).aggregate(
        total=Count("pk"),
        done=Count("pk", filter=Q(state=ScanState.DONE)),
        failed=Count("pk", filter=Q(state=ScanState.FAILED)),
        skipped=Count("pk", filter=Q(state=ScanState.SKIPPED)),
        waiting=Count("pk", filter=Q(state__in=[ScanState.PENDING, ScanState.WAITING])),
        charged=Sum("price", filter=Q(state=ScanState.DONE), default=ZERO),
    )
    return Progress(**rows)


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
    backfill.save(update_fields=["state", "ended_at", "ended_by", "end_reason"])
    Scan.objects.filter(backfill=backfill, state__in=[ScanState.PENDING, ScanState.WAITING]).update(
        state=ScanState.SKIPPED, finished_at=now, reason=reason
    )


def _open_scans(backfill: Backfill) -> QuerySet[Scan]:
    return Scan.objects.filter(
        backfill=backfill, state__in=[ScanState.PENDING, ScanState.WAITING, ScanState.RUNNING]
    )


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
