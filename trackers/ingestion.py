"""Take conversations in: new ones, changed texts, changed metadata (SPEC §5).

Idempotent by external id and content. A chunk is one transaction: its conversations, their text,
and a scan for each published tracker for which they are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import transaction
from django.db.models import QuerySet

from credits import faults
from credits.amounts import ZERO
from credits.models import Company, UsageAction
from credits.rating import Rates
from trackers import bulk, erased_ids, filters, locks, requeuing, storing, wakes
from trackers.batches import weighed_batches
from trackers.bulk import Piece
from trackers.importers.records import ConversationRecord
from trackers.models import (
    Conversation,
    Participant,
    Scan,
    Tracker,
    TrackerState,
    Utterance,
)
from trackers.people import Directory
from trackers.reading_ahead import ReadAhead

CHUNK_SIZE = 500
CHUNK_BYTES = 32 * 1024 * 1024  # Of records in memory; one record may have more.
NEW_FOR = timedelta(days=7)  # Older than this when it arrives, a conversation is history.

_FILLED = (Conversation, Participant, Utterance)


@dataclass(slots=True)
class Report:
    """What an import did, in conversations; ``scans`` were queued for published trackers."""

    created: int = 0
    revised: int = 0
    updated: int = 0
    unchanged: int = 0
    erased: int = 0  # Erased earlier: not taken in again.
    scans: int = 0

    @property
    def seen(self) -> int:
        return self.created + self.revised + self.updated + self.unchanged + self.erased


@dataclass(slots=True)
class Preview:
    """What of an import is new for published trackers, and what scanning it will use."""

    conversations: int = 0
    scans: int = 0
    credits: Decimal = ZERO


def ingest(
    *, company: Company, records: Iterable[ConversationRecord], now: datetime
) -> Iterator[Report]:
    """Take records in, chunk by chunk; yield the running totals after each commit.

    While the database writes a chunk, records of the next are read; reading them must not ask it.

    :raises CompanyClosed: nothing more is taken in from here on.
    """
    report = Report()
    directory = Directory(company)
    ahead = ReadAhead(records, most=CHUNK_SIZE, weigh=_weight_of, heavy=CHUNK_BYTES)
    with ExitStack() as while_many:
        is_first = True
        for chunk in chunks(ahead):
            with transaction.atomic():
                take_turns(company)
                locks.keep_open(company.pk)
                written = _write(company, directory, chunk, now, report, ahead.read_one)
                report.scans += _fan_out(company, written, now)
                faults.reach(faults.Point.INGESTED)
            faults.reach(faults.Point.TAKEN_IN)
            if is_first and _is_full(chunk):
                bulk.count_rows(_FILLED, least=CHUNK_SIZE)
                while_many.enter_context(bulk.older_objects_aside())
            is_first = False
            yield report


def preview(
    *, company: Company, records: Iterable[ConversationRecord], now: datetime, rates: Rates
) -> Preview:
    """Say what an import would queue and cost, having read every record; nothing is kept.

    The conversations are written and matched by the code that imports, without their text, and
    rolled back; what is too old to be new for any tracker is not even written.
    """
    found = Preview()
    since = _new_since(company, now)
    recent = (record for record in records if since is not None and record.started_at >= since)
    for chunk in chunks(recent):
        with transaction.atomic():
            take_turns(company)
            _count_new(company, chunk, now, rates, found)
            transaction.set_rollback(True)
    return found


def take_turns(company: Company) -> None:
    """Let nobody else take a chunk of the company's in until the transaction ends.

    Of two that bring the same new conversation the second finds what the first has made.
    """
    locks.queue_for(f"ingestion of company {company.pk}")


def chunks(records: Iterable[ConversationRecord]) -> Iterator[dict[str, ConversationRecord]]:
    """Yield as many records as are taken in at once, by their ids; of two with one id the last."""
    for batch in weighed_batches(records, CHUNK_SIZE, weigh=_weight_of, heavy=CHUNK_BYTES):
        yield {record.id: record for record in batch}


def _weight_of(record: ConversationRecord) -> int:
    return record.weight


def _is_full(chunk: dict[str, ConversationRecord]) -> bool:
    return len(chunk) == CHUNK_SIZE or sum(map(_weight_of, chunk.values())) >= CHUNK_BYTES


def _write(
    company: Company,
    directory: Directory,
    records: dict[str, ConversationRecord],
    now: datetime,
    report: Report,
    meanwhile: Piece,
) -> list[UUID]:
    """Write one chunk and return the conversations that were not there before."""
    digests = erased_ids.digests(company, records)
    known = {
        conversation.external_id: conversation
        for conversation in Conversation.objects.filter(
            company=company, external_id__in=[*records, *digests]
        ).select_for_update(no_key=True)
    }
    # After the lock: whoever erases one of them just now gives it its digest for an id.
    erased = {digests[digest] for digest in digests.keys() & known.keys()}
    report.erased += len(erased)
    records = {key: record for key, record in records.items() if key not in erased}
    directory.learn(records.values())
    new: list[ConversationRecord] = []
    revised, updated, read_anew = [], [], []
    for external_id, record in records.items():
        conversation = known.get(external_id)
        if conversation is None:
            new.append(record)
        elif bytes(conversation.text_digest) != record.text_digest:
            conversation.text_revision += 1
            revised.append(storing.change(conversation, directory, record))
            read_anew.append(conversation)
        elif bytes(conversation.metadata_digest) != record.metadata_digest:
            updated.append(storing.change(conversation, directory, record))
        else:
            report.unchanged += 1
    created = storing.create(company, directory, new, now, meanwhile=meanwhile)
    speakers = storing.add_participants(directory, created, meanwhile=meanwhile)
    speakers |= storing.change_participants(directory, [*revised, *updated])
    storing.add_text([*created, *revised], speakers, meanwhile=meanwhile)
    requeuing.read_new_texts(read_anew, now=now)
    report.created += len(created)
    report.revised += len(revised)
    report.updated += len(updated)
    return [one.pk for one in created]


def _published(company: Company) -> list[Tracker]:
    """Return the published trackers, kept from being unpublished until the chunk is in."""
    ids = list(
        Tracker.objects.filter(company=company, state=TrackerState.PUBLISHED).values_list(
            "pk", flat=True
        )
    )
    locks.share(Tracker, ids)
    return list(
        Tracker.objects.filter(pk__in=ids, state=TrackerState.PUBLISHED)
        .select_related("current_version")
        .prefetch_related("filters")
        .order_by("pk")
    )


def _new_for(tracker: Tracker, conversations: list[UUID], now: datetime) -> QuerySet[Conversation]:
    """Return which of them are new for a tracker: since its publication, and not late."""
    since = max(tracker.new_since, now - NEW_FOR)
    return filters.matching(tracker).filter(pk__in=conversations, started_at__gte=since)


def _new_since(company: Company, now: datetime) -> datetime | None:
    published = [
        tracker.new_since
        for tracker in Tracker.objects.filter(company=company, state=TrackerState.PUBLISHED)
    ]
    return max(min(published), now - NEW_FOR) if published else None


def _fan_out(company: Company, created: list[UUID], now: datetime) -> int:
    if not created:
        return 0
    count = 0
    for tracker in _published(company):
        scans = [
            Scan(
                company=company,
                tracker=tracker,
                version=tracker.version_in_force,
                conversation_id=conversation.pk,
                revision=conversation.text_revision,
                action=UsageAction.CONTINUOUS,
                team_id=conversation.team_id,
                conversation_started_at=conversation.started_at,
                due_at=now,
                created_at=now,
            )
            for conversation in _new_for(tracker, created, now)
        ]
        Scan.objects.bulk_create(scans)
        if scans:
            wakes.scan(version_id=tracker.version_in_force.pk)
        count += len(scans)
    return count


def _count_new(
    company: Company,
    records: dict[str, ConversationRecord],
    now: datetime,
    rates: Rates,
    found: Preview,
) -> None:
    digests = erased_ids.digests(company, records)
    rows = Conversation.objects.filter(company=company, external_id__in=[*records, *digests])
    known = set(rows.values_list("external_id", flat=True))
    fresh = records.keys() - known - {digests[digest] for digest in digests.keys() & known}
    directory = Directory(company)
    chosen = [records[external_id] for external_id in fresh]
    directory.learn(chosen)
    created = storing.create(company, directory, chosen, now)
    storing.add_participants(directory, created)
    ids = [one.pk for one in created]
    new: set[UUID] = set()
    for tracker in _published(company):
        matched = filters.with_item(
            _new_for(tracker, ids, now), tracker.version_in_force
        ).values_list("pk", "item")
        for pk, item in matched:
            new.add(pk)
            found.scans += 1
            found.credits += rates.of(item)
    found.conversations += len(new)
