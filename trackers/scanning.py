"""Read conversations and write what was found: the second half of a scan (DESIGN §4).

The analyzer runs with no transaction open. Then one transaction writes results and states and,
as its last statement, captures the price of what it wrote, so that a scan is done and charged,
or neither (I9).
"""

from __future__ import annotations

import logging
from datetime import datetime, timedelta
from decimal import Decimal
from enum import Enum, auto
from uuid import UUID

from django.db import connection, transaction
from django.db.models import F

from credits import charging, faults, rating
from credits.identifiers import new_id
from credits.rating import Rates
from trackers import (
    backfills,
    batch_reading,
    bulk,
    calibrating,
    claiming,
    locks,
    requeuing,
    waiting,
)
from trackers.analyzers.base import Finding
from trackers.batch_reading import Clock, Failure, Findings
from trackers.claiming import Batch
from trackers.models import (
    BackfillState,
    Quote,
    Scan,
    ScanState,
    Tracker,
    TrackerState,
)
from trackers.shelf import Shelf

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
TURN = timedelta(seconds=1)  # How long a worker goes on before others get their turn.
RETRY_DELAY = timedelta(seconds=30)  # Times the number of attempts so far.
SCORE_PLACES = Decimal("0.000001")

_SHARE_BACKFILL = "SELECT state FROM trackers_backfill WHERE id = %s FOR SHARE"
_SHARE_TRACKER = "SELECT state, current_version_id FROM trackers_tracker WHERE id = %s FOR SHARE"
_OPEN = "SELECT closed_at IS NULL FROM credits_company WHERE id = %s"


class Standing(Enum):
    """What becomes of a batch that was read."""

    WANTED = auto()
    PAUSED = auto()
    UNWANTED = auto()


def run_batch(*, version_id: UUID, backfill_id: UUID | None, clock: Clock) -> int:
    """Claim, pay for, read and write one batch; return how many scans were claimed.

    Then what other trackers have queued of the same conversations: see Note [Read beside]. Safe to
    run in any number of workers at once, and again after any of them died.
    """
    began = clock()
    if not claiming.has_work(version_id=version_id, backfill_id=backfill_id, now=began):
        return 0
    shelf, rates = Shelf(), rating.rates_at(began)
    claimed, beside = _run(version_id, backfill_id, rates, clock, shelf)
    for others_version_id, others_backfill_id in beside:
        if not shelf.conversation_ids or clock() - began > TURN:
            break
        try:
            _run(others_version_id, others_backfill_id, rates, clock, shelf)
        except Exception:
            # The boundary to other trackers: what one of them meets must not end this one's turn.
            # What it has queued stays queued, what it leased comes back, and its own turn comes.
            logger.exception("Version %s could not be read beside another", others_version_id)
    return claimed


def _run(
    version_id: UUID, backfill_id: UUID | None, rates: Rates, clock: Clock, shelf: Shelf
) -> tuple[int, list[tuple[UUID, UUID | None]]]:
    """Work off one batch: of what is on the shelf where something is.

    Return how many scans were claimed, and which versions have the same conversations queued.
    """
    calibration = calibrating.of_version(version_id)
    now = clock()  # Learning may have taken long, or waited for another worker that learns it.
    batch = claiming.claim(
        version_id=version_id,
        backfill_id=backfill_id,
        rates=rates,
        now=now,
        size_max=batch_reading.size_max(calibration),
        conversation_ids=shelf.conversation_ids or None,
    )
    if batch is None:
        return 0, []
    claimed = len(batch.items)
    faults.reach(faults.Point.CLAIMED)
    claiming.hold_credits(batch, now=now)
    faults.reach(faults.Point.RESERVED)
    beside = []
    if batch.items:
        if not shelf.is_open:
            beside = batch_reading.queued_beside(batch, calibration, now=now)
            shelf.is_open = bool(beside)
        batches = [batch, *batch_reading.claim_beside(batch, calibration, now=now)]
        found = batch_reading.read(batches, calibration, clock, shelf)
        faults.reach(faults.Point.READ)
        for one, findings in zip(batches, found, strict=True):
            _write(one, findings, now=clock())
        faults.reach(faults.Point.WRITTEN)
    if backfill_id is not None:
        backfills.finish_if_done(backfill_id=backfill_id, now=clock())
    return claimed, beside


def _write(batch: Batch, findings: Findings, *, now: datetime) -> None:
    """Write and charge in one transaction, unless the batch is no longer wanted."""
    usage_id = new_id()
    available: Decimal | None = None
    try:
        with transaction.atomic():
            written: set[UUID] = set()
            match _standing(batch):
                case Standing.WANTED:
                    written = _write_findings(batch, findings.found, usage_id, now)
                    _write_failures(batch, findings.failed, now)
                    available = _charge(batch, written, usage_id)
                    faults.reach(faults.Point.CAPTURED)
                case Standing.PAUSED:
                    ids = [item.scan_id for item in batch.items]
                    claiming.hand_back(batch, ids, counts_as_attempt=False)
                case Standing.UNWANTED:
                    _discard(batch, now)
    except (charging.ReservationLapsed, charging.AlreadyReleased) as error:
        # The worker slept longer than its hold lasted, or the backfill was paused and resumed
        # meanwhile, which is no fault of what it read: nothing was written, nothing charged.
        logger.warning(
            "The credits held for batch %s were free before it was written.", batch.token
        )
        ids = [item.scan_id for item in batch.items]
        has_slept = isinstance(error, charging.ReservationLapsed)
        claiming.hand_back(batch, ids, counts_as_attempt=has_slept)
        return
    if not written:
        _release(batch)
    begun = findings.found.keys() | findings.failed.keys()
    rest = [item.scan_id for item in batch.items if item.scan_id not in begun]
    if rest:
        claiming.hand_back(batch, rest, counts_as_attempt=False)
    if available is not None and available < batch.rates.dearest:
        # What met this batch's hold was told to look again later, and may find nothing left.
        waiting.give_up_on_holds(company=batch.company, now=now)


def _standing(batch: Batch) -> Standing:
    """Tell whether the version is still in force and the backfill goes on, and keep it so.

    What a backfill that met zero was reading is paid for already, and wanted.
    """
    state = BackfillState.RUNNING
    with connection.cursor() as cursor:
        if batch.backfill_id is not None:
            # Of the row as it is once we have it, however long we waited.
            cursor.execute(_SHARE_BACKFILL, [batch.backfill_id])
            (state,) = cursor.fetchone()
            if state not in backfills.LIVE_STATES:
                return Standing.UNWANTED
        cursor.execute(_SHARE_TRACKER, [batch.tracker.pk])
        tracker = cursor.fetchone()
        # Apart, so that it is read after whatever we waited for.
        cursor.execute(_OPEN, [batch.company.pk])
        is_open = cursor.fetchone() == (True,)
    if not is_open or tracker != (TrackerState.PUBLISHED, batch.version.pk):
        return Standing.UNWANTED
    return Standing.PAUSED if state == BackfillState.PAUSED else Standing.WANTED


def _write_findings(
    batch: Batch, found: dict[UUID, Finding], usage_id: UUID, now: datetime
) -> set[UUID]:
    """Write the results of the scans still leased to us; return which those were."""
    if not found:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE trackers_scan AS scan"
            " SET state = %s, verdict = f.verdict, confidence = f.confidence, score = f.score,"
            "     answer = f.answer, usage_event_id = %s, finished_at = %s, reason = '',"
            "     lease_token = NULL, leased_until = NULL"
            " FROM unnest(%s::uuid[], %s::text[], %s::text[], %s::numeric[], %s::text[])"
            "   AS f (id, verdict, confidence, score, answer)"
            " WHERE scan.id = f.id AND scan.lease_token = %s AND scan.state = %s"
            " RETURNING scan.id",
            [
                ScanState.DONE,
                usage_id,
                now,
                list(found),
                [str(finding.verdict) for finding in found.values()],
                [str(finding.confidence) for finding in found.values()],
                [Decimal(finding.score).quantize(SCORE_PLACES) for finding in found.values()],
                [finding.answer for finding in found.values()],
                batch.token,
                ScanState.RUNNING,
            ],
        )
        written = {row[0] for row in cursor.fetchall()}
    bulk.copy(
        Quote,
        ("company_id", "scan_id", "rank", "utterance_id", "start", "end"),
        (
            (
                *(batch.company.pk, scan_id, rank),
                *(int(evidence.utterance_id), evidence.start, evidence.end),
            )
            for scan_id in written
            for rank, evidence in enumerate(found[scan_id].evidence, start=1)
        ),
    )
    return written


def _write_failures(batch: Batch, failed: dict[UUID, Failure], now: datetime) -> None:
    """Try again later, a little later each time; park at the fifth attempt, uncharged.

    What nobody can read is parked at once; waiting for a busy analyzer is no attempt.
    """
    for scan_id, failure in failed.items():
        leased = Scan.objects.filter(pk=scan_id, lease_token=batch.token, state=ScanState.RUNNING)
        attempts = leased.values_list("attempts", flat=True).first()
        if attempts is None:
            continue
        changes: dict[str, object] = {"state": ScanState.PENDING}
        if failure.wait is not None:
            changes |= {"due_at": now + failure.wait, "attempts": F("attempts") - 1}
        elif failure.is_final or attempts >= ATTEMPTS_MAX:
            changes = {"state": ScanState.FAILED, "finished_at": now}
        else:
            changes["due_at"] = now + max(RETRY_DELAY * attempts, failure.retry_after)
        leased.update(reason=failure.reason, lease_token=None, leased_until=None, **changes)


def _charge(batch: Batch, written: set[UUID], usage_id: UUID) -> Decimal | None:
    """Charge what was written: the last statement before the commit.

    Returns what is available then; None where no credits were used.
    """
    if not written:
        return None
    work = batch.work(written)
    if batch.reservation is not None:
        return charging.capture(
            reservation=batch.reservation, work=work, rates=batch.rates, usage_id=usage_id
        ).available
    # Nothing in the batch has a price; the use is metered all the same.
    charging.charge(
        company=batch.company, use=batch.use, work=work, rates=batch.rates, usage_id=usage_id
    )
    return None


def _discard(batch: Batch, now: datetime) -> None:
    """Throw the results away: meanwhile the backfill was stopped, the tracker unpublished, or a
    new version published, which then reads the conversations instead.

    In the transaction that found it so: a tracker published a moment later must not lose them.
    """
    locks.share(Tracker, [batch.tracker.pk])
    requeuing.retire(
        tracker=Tracker.objects.select_related("current_version").get(pk=batch.tracker.pk),
        scans=list(claiming.still_leased(batch).select_for_update(no_key=True).order_by("pk")),
        now=now,
        reason="Stopped while it ran; nothing was charged.",
    )


def _release(batch: Batch) -> None:
    if batch.reservation is None:
        return
    try:
        charging.release(reservation=batch.reservation)
    except (charging.AlreadyReleased, charging.ReservationLapsed):
        # The sweep was faster, or the lease was over: the credits are free either way.
        return
