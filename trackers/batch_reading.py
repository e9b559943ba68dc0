"""Read a batch with no transaction open: each conversation once, for all it is asked for.

Note [Read together]
    An analyzer that is slow to read and quick to answer is asked for several trackers at once:
    those that have the same conversation queued and read the same part of it, for the same side.
    Each keeps its own lease, hold and charge, and is written by itself. Where the conversation
    cannot be read for all of them, the first is read alone and the others are queued again, so
    that none fails for another's question.
"""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Q, QuerySet

from trackers import claiming, readers
from trackers.analyzers.base import (
    Analyzer,
    AnalyzerBusy,
    AnalyzerFailed,
    AnalyzerRefused,
    Calibration,
    ConversationText,
    Finding,
)
from trackers.analyzers.llm import analyzer as llm
from trackers.claiming import Batch
from trackers.models import BackfillState, Scan, ScanState, TrackerKind
from trackers.readers import Asked
from trackers.shelf import Shelf

logger = logging.getLogger(__name__)

HEARTBEAT = claiming.LEASE / 3
# A batch is read for at most this long, then what was read is written and the rest queued again:
# so a slow analyzer's progress is seen, a stop obeyed and live work let in within seconds.
READING_MAX = timedelta(seconds=3)
# Of a slow analyzer: more would be leased for one worker, and handed back by it unread.
SLOW_BATCH_SIZE_MAX = 4
BUSY_DELAY = timedelta(seconds=30)  # Where the analyzer does not say how long.
REASON_LENGTH_MAX = 300

Clock = Callable[[], datetime]


@dataclass(frozen=True, slots=True)
class Failure:
    """Why there is no finding; ``wait`` where it was not begun and is to be tried after that."""

    reason: str
    wait: timedelta | None = None
    is_final: bool = False
    retry_after: timedelta = timedelta(0)


@dataclass(slots=True)
class Findings:
    """What reading a batch gave: findings and failures by scan; the rest was not begun."""

    found: dict[UUID, Finding] = field(default_factory=dict)
    failed: dict[UUID, Failure] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Place:
    """One scan of one of the batches that are read together."""

    batch: Batch
    scan_id: UUID
    findings: Findings


def size_max(calibration: Calibration | None) -> int:
    """Return how many conversations a batch may have."""
    return SLOW_BATCH_SIZE_MAX if _is_slow(calibration) else claiming.BATCH_SIZE_MAX


def claim_beside(batch: Batch, calibration: Calibration | None, *, now: datetime) -> list[Batch]:
    """Lease what other trackers have queued of the batch's conversations, and hold its price.

    Only for an analyzer that is asked for several at once. See Note [Read together].
    """
    if not _is_slow(calibration):
        return []
    found = []
    queued = _queued(batch, [TrackerKind.QUESTION], now=now)[: llm.QUESTIONS_MAX - 1]
    for version_id, backfill_id in queued:
        beside = claiming.claim(
            version_id=version_id,
            backfill_id=backfill_id,
            rates=batch.rates,
            now=now,
            size_max=SLOW_BATCH_SIZE_MAX,
            conversation_ids=[item.conversation_id for item in batch.items],
        )
        if beside is not None:
            claiming.hold_credits(beside, now=now)
            if beside.items:
                found.append(beside)
    return found


def queued_beside(
    batch: Batch, calibration: Calibration | None, *, now: datetime
) -> list[tuple[UUID, UUID | None]]:
    """Return the versions, with their backfills, that can read the batch's texts after it.

    Only where an analyzer reads one tracker after the other. See Note [Read beside].
    """
    if calibration is None or _is_slow(calibration):
        return []
    return list(_queued(batch, [TrackerKind.QUESTION, TrackerKind.PRETRAINED], now=now))


def _queued(
    batch: Batch, kinds: Sequence[TrackerKind], *, now: datetime
) -> QuerySet[Scan, tuple[UUID, UUID | None]]:
    """Find what other trackers have queued of the batch's conversations that is read in the same
    scope: the same side and part, live or by a backfill that runs, as the batch itself.
    """
    version, is_live = batch.version, batch.backfill_id is None
    return (
        Scan.objects.filter(
            company=batch.company,
            conversation__in=[item.conversation_id for item in batch.items],
            state=ScanState.PENDING,
            due_at__lte=now,
            version__kind__in=kinds,
            version__side=version.side,
            version__part=version.part,
            version__part_minutes=version.part_minutes,
        )
        .filter(Q(backfill=None) if is_live else Q(backfill__state=BackfillState.RUNNING))
        .exclude(version=version)
        .order_by("version", "backfill")
        .values_list("version", "backfill")
        .distinct()
    )


def read(
    batches: Sequence[Batch], calibration: Calibration | None, clock: Clock, shelf: Shelf
) -> list[Findings]:
    """Read the first batch's conversations, for those beside it; return each one's findings."""
    first = batches[0]
    analyzer = readers.analyzer_for(
        first.version,
        run_ref=first.backfill_id or first.token,
        beat=_heart(batches, clock),
    )
    alone = readers.reader(
        analyzer, tracker=first.tracker, version=first.version, calibration=calibration
    )
    revisions = {item.conversation_id: item.revision for item in first.items}
    texts = shelf.texts_of(revisions, version=first.version)
    all_findings = [Findings() for _ in batches]
    places = _places(batches, all_findings)
    beat, began = _heart(batches, clock), clock()
    for item in first.items:
        if clock() - began > READING_MAX:
            break
        beat()
        queued = places[item.conversation_id, item.revision]
        try:
            _read_one(analyzer, alone, texts[item.conversation_id], queued, calibration)
        except AnalyzerBusy as error:
            _wait(batches, all_findings, error)
            break
    return all_findings


def _read_one(
    analyzer: Analyzer | None,
    alone: readers.Reader,
    text: ConversationText,
    places: Sequence[_Place],
    calibration: Calibration | None,
) -> None:
    """Read a conversation and note what was found, or why not.

    :raises AnalyzerBusy: nothing was read; wait.
    """
    mine = places[0]
    try:
        if analyzer is not None and calibration is not None and len(places) > 1:
            asked = [Asked(one.batch.tracker, one.batch.version) for one in places]
            try:
                found = readers.read_together(analyzer, text, asked, calibration)
            except AnalyzerRefused:
                found = [alone(text)]
        else:
            found = [alone(text)]
    except AnalyzerBusy:
        raise
    except AnalyzerFailed as error:
        logger.warning("Scan %s failed: %s", mine.scan_id, error)
        is_final = isinstance(error, AnalyzerRefused)
        reason = str(error)[:REASON_LENGTH_MAX]
        after = error.retry_after or timedelta(0)
        # What was asked for all of them failed for all of them.
        for one in places[:1] if is_final else places:
            one.findings.failed[one.scan_id] = Failure(reason, is_final=is_final, retry_after=after)
    except Exception as error:
        # The boundary to the analyzer: one conversation it cannot read must not take the batch
        # with it. The scan is tried again, and parked with the reason at the fifth.
        logger.exception("Scan %s failed", mine.scan_id)
        reason = f"The analyser failed: {type(error).__name__}."
        mine.findings.failed[mine.scan_id] = Failure(reason)
    else:
        for one, finding in zip(places, found, strict=False):
            one.findings.found[one.scan_id] = finding


def _places(
    batches: Sequence[Batch], all_findings: Sequence[Findings]
) -> dict[tuple[UUID, int], list[_Place]]:
    """Return where each text is queued: in the first batch, and then in those beside it."""
    found = defaultdict(list)
    for batch, findings in zip(batches, all_findings, strict=True):
        for item in batch.items:
            place = _Place(batch, item.scan_id, findings)
            found[item.conversation_id, item.revision].append(place)
    return found


def _wait(batches: Sequence[Batch], all_findings: Sequence[Findings], error: AnalyzerBusy) -> None:
    """Let everything that was not read wait as long as the analyzer asked for."""
    failure = Failure(str(error)[:REASON_LENGTH_MAX], wait=error.retry_after or BUSY_DELAY)
    for batch, findings in zip(batches, all_findings, strict=True):
        begun = findings.found.keys() | findings.failed.keys()
        findings.failed |= {
            item.scan_id: failure for item in batch.items if item.scan_id not in begun
        }


def _heart(batches: Sequence[Batch], clock: Clock) -> Callable[[], None]:
    """Return what keeps the leases of the batches, called as often as one likes."""
    last = clock()

    def beat() -> None:
        nonlocal last
        now = clock()
        if now - last > HEARTBEAT:
            for batch in batches:
                claiming.heartbeat(batch, now=now)
            last = now

    return beat


def _is_slow(calibration: Calibration | None) -> bool:
    return calibration is not None and calibration.analyzer == llm.NAME
