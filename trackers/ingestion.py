"""Take conversations in: new ones, changed texts, changed metadata (SPEC §5).

Idempotent by external id and content. A chunk is one transaction: its conversations, their text,
and a scan for each published tracker for which they are new.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from uuid import UUID

from django.db import connection, transaction
from django.db.models import QuerySet
from psycopg import sql

from credits.amounts import ZERO
from credits.models import Company, UsageAction
from credits.rating import Rates
from trackers import erased_ids, filters, locks, parts, requeuing, wakes
from trackers.batches import batches
from trackers.importers.records import ConversationRecord
from trackers.models import (
    Affiliation,
    Conversation,
    ConversationKind,
    Participant,
    Scan,
    Tracker,
    TrackerState,
    Utterance,
)
from trackers.parts import SideText
from trackers.people import Directory

CHUNK_SIZE = 500
NEW_FOR = timedelta(days=7)  # Older than this when it arrives, a conversation is history.

_UTTERANCE_COLUMNS = (
    *("company_id", "conversation_id", "revision", "position", "external_id", "speaker_id"),
    *("affiliation", "start_seconds", "text"),
)
_AFFILIATIONS = {"internal": Affiliation.COMPANY, "external": Affiliation.NON_COMPANY}


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

    :raises CompanyClosed: nothing more is taken in from here on.
    """
    report = Report()
    directory = Directory(company)
    for chunk in _chunks(records):
        with transaction.atomic():
            locks.keep_open(company.pk)
            written = _write(company, directory, chunk, now, report)
            report.scans += _fan_out(company, written, now)
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
    for chunk in _chunks(recent):
        with transaction.atomic():
            _count_new(company, chunk, now, rates, found)
            transaction.set_rollback(True)
    return found


def _chunks(records: Iterable[ConversationRecord]) -> Iterator[dict[str, ConversationRecord]]:
    for batch in batches(records, CHUNK_SIZE):
        yield {record.id: record for record in batch}


def _write(
    company: Company,
    directory: Directory,
    records: dict[str, ConversationRecord],
    now: datetime,
    report: Report,
) -> list[Conversation]:
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
    created, revised = [], []
    for external_id, record in records.items():
        conversation = known.get(external_id)
        if conversation is None:
            created.append(_conversation(company, directory, record, now))
        elif bytes(conversation.text_digest) != record.text_digest:
            _set_fields(conversation, directory, record)
            conversation.text_revision += 1
            revised.append(conversation)
        elif bytes(conversation.metadata_digest) != record.metadata_digest:
            _set_fields(conversation, directory, record)
            conversation.save()
            _write_participants(directory, [(conversation, record)])
            report.updated += 1
        else:
            report.unchanged += 1
    Conversation.objects.bulk_create(created)
    for conversation in revised:
        conversation.save()
    _write_text(directory, [(item, records[item.external_id]) for item in (*created, *revised)])
    requeuing.read_new_texts(revised, now=now)
    report.created += len(created)
    report.revised += len(revised)
    return created


def _conversation(
    company: Company, directory: Directory, record: ConversationRecord, now: datetime
) -> Conversation:
    conversation = Conversation(company=company, external_id=record.id, arrived_at=now)
    _set_fields(conversation, directory, record)
    return conversation


def _set_fields(
    conversation: Conversation, directory: Directory, record: ConversationRecord
) -> None:
    spoken = _spoken(record)
    ours, theirs = spoken[Affiliation.COMPANY], spoken[Affiliation.NON_COMPANY]
    conversation.source = record.source
    conversation.kind = ConversationKind(record.kind.upper())
    conversation.title = record.title
    conversation.started_at = record.started_at
    conversation.duration_seconds = record.duration_seconds
    conversation.team = directory.team(record.team)
    conversation.owner = directory.member(record.owner)
    conversation.account = directory.account(record.account)
    conversation.deal = directory.deal(record.account, record.deal)
    conversation.account_type = record.account.type if record.account else ""
    conversation.deal_stage = record.deal.stage if record.deal else ""
    conversation.text_digest = record.text_digest
    conversation.metadata_digest = record.metadata_digest
    conversation.language = record.language
    conversation.company_text_count = ours.count
    conversation.company_first_seconds = ours.first_seconds
    conversation.company_last_seconds = ours.last_seconds
    conversation.non_company_text_count = theirs.count
    conversation.non_company_first_seconds = theirs.first_seconds
    conversation.non_company_last_seconds = theirs.last_seconds


def _spoken(record: ConversationRecord) -> dict[Affiliation, SideText]:
    """Sum up what each side said that can be analyzed; an e-mail's paragraphs have no times."""
    sides = {person.id: _AFFILIATIONS[person.role] for person in record.participants}
    is_call = record.kind == "call"
    given = [parts.seconds(turn.start) if is_call else None for turn in record.utterances]
    starts: dict[Affiliation, list[Decimal | None]] = {side: [] for side in Affiliation}
    for turn, start in zip(record.utterances, parts.begins(given), strict=True):
        if parts.is_analyzable(turn.text):
            starts[sides[turn.speaker]].append(start)
    return {side: parts.summed(times) for side, times in starts.items()}


def _write_text(directory: Directory, items: list[tuple[Conversation, ConversationRecord]]) -> None:
    """Write participants and the utterances of the current revision.

    Utterances are most of what is written: as a stream of rows they take a fifth of what they
    take as objects.
    """
    speakers = {
        key: (speaker.pk, str(speaker.affiliation))
        for key, speaker in _write_participants(directory, items).items()
    }
    table = sql.Identifier(Utterance._meta.db_table)
    statement = sql.SQL("COPY {} ({}) FROM STDIN").format(
        table, sql.SQL(", ").join(map(sql.Identifier, _UTTERANCE_COLUMNS))
    )
    with (
        connection.wrap_database_errors,
        connection.cursor() as cursor,
        cursor.copy(statement) as stream,
    ):
        for conversation, record in items:
            company, pk = conversation.company_id, conversation.pk
            revision = conversation.text_revision
            for position, turn in enumerate(record.utterances):
                speaker, side = speakers[pk, turn.speaker]
                start = parts.seconds(turn.start)
                stream.write_row(
                    (company, pk, revision, position, turn.id, speaker, side, start, turn.text)
                )


def _write_participants(
    directory: Directory, items: list[tuple[Conversation, ConversationRecord]]
) -> dict[tuple[UUID, str], Participant]:
    participants = [
        Participant(
            company_id=conversation.company_id,
            conversation=conversation,
            external_id=person.id,
            name=person.name,
            email=person.email or "",
            affiliation=_AFFILIATIONS[person.role],
            team_member=directory.known_member(person.email) if person.role == "internal" else None,
            contact=directory.contact(person.email) if person.role == "external" else None,
        )
        for conversation, record in items
        for person in record.participants
    ]
    written = Participant.objects.bulk_create(
        participants,
        update_conflicts=True,
        unique_fields=["conversation", "external_id"],
        update_fields=["name", "email", "affiliation", "team_member", "contact"],
    )
    return {(person.conversation_id, person.external_id): person for person in written}


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


def _new_for(
    tracker: Tracker, conversations: list[Conversation], now: datetime
) -> QuerySet[Conversation]:
    """Return which of them are new for a tracker: since its publication, and not late."""
    since = max(tracker.new_since, now - NEW_FOR)
    return filters.matching(tracker).filter(
        pk__in=[conversation.pk for conversation in conversations], started_at__gte=since
    )


def _new_since(company: Company, now: datetime) -> datetime | None:
    published = [
        tracker.new_since
        for tracker in Tracker.objects.filter(company=company, state=TrackerState.PUBLISHED)
    ]
    return max(min(published), now - NEW_FOR) if published else None


def _fan_out(company: Company, created: list[Conversation], now: datetime) -> int:
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
    created = [_conversation(company, directory, record, now) for record in chosen]
    Conversation.objects.bulk_create(created)
    _write_participants(directory, [(item, records[item.external_id]) for item in created])
    new: set[UUID] = set()
    for tracker in _published(company):
        matched = filters.with_item(
            _new_for(tracker, created, now), tracker.version_in_force
        ).values_list("pk", "item")
        for pk, item in matched:
            new.add(pk)
            found.scans += 1
            found.credits += rates.of(item)
    found.conversations += len(new)
