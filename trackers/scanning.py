"""Read conversations and write what was found: the second half of a scan (DESIGN §4).

The analyzer runs with no transaction open. Then one transaction writes results and states and,
as its last statement, captures the price of what it wrote, so that a scan is done and charged,
or neither (I9).
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.db.models.functions import MD5

from credits import charging, rating
from credits.identifiers import new_id
from trackers import analyzers, backfills, claiming, filters, locks
from trackers.analyzers.base import Affiliation as TextAffiliation
from trackers.analyzers.base import AnswerType as QuestionAnswerType
from trackers.analyzers.base import (
    Calibration,
    ConversationText,
    Finding,
    TrackerQuestion,
    UtteranceText,
)
from trackers.analyzers.base import Kind as TextKind
from trackers.analyzers.base import Side as QuestionSide
from trackers.claiming import Batch
from trackers.models import (
    Backfill,
    Conversation,
    Quote,
    Scan,
    ScanState,
    Tracker,
    TrackerState,
    TrackerVersion,
    Utterance,
)

logger = logging.getLogger(__name__)

ATTEMPTS_MAX = 5
RETRY_DELAY = timedelta(seconds=30)  # Times the number of attempts so far.
HEARTBEAT = claiming.LEASE / 3
ANALYSIS_MAX = timedelta(minutes=10)  # Below Celery's time limit; the rest is queued again.
SAMPLE_SIZE = 400
SCORE_PLACES = Decimal("0.000001")

Clock = Callable[[], datetime]


@dataclass(slots=True)
class Findings:
    """What reading a batch gave: findings and failures by scan; the rest was not begun."""

    found: dict[UUID, Finding] = field(default_factory=dict)
    failed: dict[UUID, str] = field(default_factory=dict)


def run_batch(*, version_id: UUID, backfill_id: UUID | None, clock: Clock) -> int:
    """Claim, pay for, read and write one batch; return how many scans were claimed.

    Safe to run in any number of workers at once, and again after any of them died.
    """
    now = clock()
    if not claiming.has_work(version_id=version_id, backfill_id=backfill_id, now=now):
        return 0
    calibration = _calibration(version_id)
    batch = claiming.claim(
        version_id=version_id, backfill_id=backfill_id, rates=rating.rates_at(now), now=now
    )
    if batch is None:
        return 0
    claimed = len(batch.items)
    claiming.hold_credits(batch)
    if batch.items:
        findings = _read(batch, calibration, clock)
        _write(batch, findings, now=clock())
    if backfill_id is not None:
        backfills.finish_if_done(backfill_id=backfill_id, now=clock())
    return claimed


def question_of(tracker: Tracker, version: TrackerVersion) -> TrackerQuestion:
    """Put a version and the settings of today as a question to an analyzer."""
    return TrackerQuestion(
        id=str(version.pk),
        text=version.question,
        details=version.details,
        answer_type=QuestionAnswerType(version.answer_type),
        choices=tuple(version.choices),
        side=QuestionSide(version.side),
        examples=tuple(tracker.examples),
        counter_examples=tuple(tracker.counter_examples),
        threshold=None if tracker.threshold is None else float(tracker.threshold),
    )


def texts_of(revisions: dict[UUID, int]) -> dict[UUID, ConversationText]:
    """Load the text of conversations at the revisions named.

    An analyzer knows a conversation by its external id, which is the same wherever it was
    imported, so that whatever it derives from the id is the same too.
    """
    found = Conversation.objects.filter(pk__in=revisions).values_list("pk", "external_id", "kind")
    turns: dict[UUID, list[UtteranceText]] = {pk: [] for pk in revisions}
    rows = (
        Utterance.objects.filter(conversation__in=revisions, revision__in=set(revisions.values()))
        .order_by("conversation", "revision", "position")
        .values_list("conversation_id", "revision", "pk", "affiliation", "text")
    )
    for conversation_id, revision, pk, affiliation, text in rows:
        if revisions[conversation_id] == revision:
            turn = UtteranceText(str(pk), TextAffiliation(affiliation), text)
            turns[conversation_id].append(turn)
    return {
        pk: ConversationText(external_id, TextKind(kind), tuple(turns[pk]))
        for pk, external_id, kind in found
    }


def _calibration(version_id: UUID) -> Calibration:
    """Return the version's corpus statistics, computed by whoever needs them first."""
    version = TrackerVersion.objects.select_related("tracker").get(pk=version_id)
    if version.calibration is None:
        analyzer = analyzers.in_use()
        sample = _sample(version.tracker)
        learned = analyzer.calibrate([question_of(version.tracker, version)], sample)
        unset = TrackerVersion.objects.filter(pk=version_id, calibration__isnull=True)
        unset.update(calibration=asdict(learned))
        version.refresh_from_db(fields=["calibration"])
    assert version.calibration is not None
    return Calibration(**version.calibration)


def _sample(tracker: Tracker) -> list[ConversationText]:
    """Choose conversations the tracker reads, the same ones whoever asks."""
    chosen = (
        filters.matching(tracker)
        .order_by(MD5("external_id"))
        .values_list("pk", "text_revision")[:SAMPLE_SIZE]
    )
    revisions = dict(chosen)
    texts = texts_of(revisions)
    return [texts[pk] for pk in revisions]


def _read(batch: Batch, calibration: Calibration, clock: Clock) -> Findings:
    analyzer = analyzers.in_use()
    question = question_of(batch.tracker, batch.version)
    texts = texts_of({item.conversation_id: item.revision for item in batch.items})
    began = beat = clock()
    findings = Findings()
    for item in batch.items:
        now = clock()
        if now - began > ANALYSIS_MAX:
            break
        if now - beat > HEARTBEAT:
            claiming.heartbeat(batch, now=now)
            beat = now
        scan_id, text = item.scan_id, texts[item.conversation_id]
        try:
            findings.found[scan_id] = analyzer.evaluate(text, [question], calibration)[0]
        except Exception as error:
            # The boundary to the analyzer: one conversation it cannot read must not take the
            # batch with it. The scan is tried again, and parked with the reason at the fifth.
            logger.exception("Scan %s failed in analyzer %s", scan_id, analyzer.name)
            findings.failed[scan_id] = f"The analyzer failed: {type(error).__name__}."
    return findings


def _write(batch: Batch, findings: Findings, *, now: datetime) -> None:
    """Write and charge in one transaction, unless the batch is no longer wanted."""
    usage_id = new_id()
    try:
        with transaction.atomic():
            wanted = _is_wanted(batch)
            if wanted:
                written = _write_findings(batch, findings.found, usage_id, now)
                _write_failures(batch, findings.failed, now)
                _charge(batch, written, usage_id)
    except (charging.ReservationLapsed, charging.AlreadyReleased):
        # The worker slept longer than its hold lasted: nothing was written, nothing charged.
        logger.warning("The credits held for batch %s lapsed before it was written.", batch.token)
        ids = [item.scan_id for item in batch.items]
        claiming.hand_back(batch, ids, counts_as_attempt=True)
        return
    if not wanted:
        _discard(batch, now)
    elif not written:
        _release(batch)
    begun = findings.found.keys() | findings.failed.keys()
    rest = [item.scan_id for item in batch.items if item.scan_id not in begun]
    claiming.hand_back(batch, rest, counts_as_attempt=False)


def _is_wanted(batch: Batch) -> bool:
    """Tell whether the tracker is still published and the backfill not stopped, and keep it so."""
    if batch.backfill_id is not None:
        locks.share(Backfill, [batch.backfill_id])
        state = Backfill.objects.values_list("state", flat=True).get(pk=batch.backfill_id)
        if state not in backfills.LIVE_STATES:
            return False
    locks.share(Tracker, [batch.tracker.pk])
    state = Tracker.objects.values_list("state", flat=True).get(pk=batch.tracker.pk)
    return state == TrackerState.PUBLISHED


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
    Quote.objects.bulk_create(
        Quote(
            company_id=batch.company.pk,
            scan_id=scan_id,
            rank=rank,
            utterance_id=int(evidence.utterance_id),
            start=evidence.start,
            end=evidence.end,
        )
        for scan_id in written
        for rank, evidence in enumerate(found[scan_id].evidence, start=1)
    )
    return written


def _write_failures(batch: Batch, failed: dict[UUID, str], now: datetime) -> None:
    """Try again later, a little later each time; park at the fifth attempt, uncharged."""
    for scan_id, reason in failed.items():
        leased = Scan.objects.filter(pk=scan_id, lease_token=batch.token, state=ScanState.RUNNING)
        attempts = leased.values_list("attempts", flat=True).first()
        if attempts is None:
            continue
        retry = {"state": ScanState.PENDING, "due_at": now + RETRY_DELAY * attempts}
        park = {"state": ScanState.FAILED, "finished_at": now}
        leased.update(
            reason=reason,
            lease_token=None,
            leased_until=None,
            **(retry if attempts < ATTEMPTS_MAX else park),
        )


def _charge(batch: Batch, written: set[UUID], usage_id: UUID) -> None:
    """Charge what was written: the last statement before the commit."""
    if not written:
        return
    work = batch.work(written)
    if batch.reservation is not None:
        charging.capture(
            reservation=batch.reservation, work=work, rates=batch.rates, usage_id=usage_id
        )
    else:
        # Nothing in the batch has a price; the use is metered all the same.
        charging.charge(
            company=batch.company, use=batch.use, work=work, rates=batch.rates, usage_id=usage_id
        )


def _discard(batch: Batch, now: datetime) -> None:
    """Throw the results away: the backfill was stopped or the tracker unpublished meanwhile."""
    Scan.objects.filter(
        pk__in=[item.scan_id for item in batch.items],
        lease_token=batch.token,
        state=ScanState.RUNNING,
    ).update(
        state=ScanState.SKIPPED,
        reason="Stopped while it ran; nothing was charged.",
        finished_at=now,
        lease_token=None,
        leased_until=None,
    )
    _release(batch)


def _release(batch: Batch) -> None:
    if batch.reservation is None:
        return
    try:
        charging.release(reservation=batch.reservation)
    except (charging.AlreadyReleased, charging.ReservationLapsed):
        # The sweep was faster, or the lease was over: the credits are free either way.
        return
