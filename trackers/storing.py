"""Write conversations as they came: their fields, who took part, and what was said."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credits.identifiers import new_id
from credits.models import Company
from trackers import bulk, parts
from trackers.bulk import Piece
from trackers.importers.records import ConversationRecord, ParticipantRecord
from trackers.models import Affiliation, Conversation, ConversationKind, Participant, Utterance
from trackers.parts import SideText
from trackers.people import Directory

FIRST_REVISION = 1

_COLUMNS = ("id", "company_id", "external_id", "arrived_at", "text_revision")
_PARTICIPANT_COLUMNS = (
    *("id", "company_id", "conversation_id", "external_id", "party_id", "name", "email"),
    *("affiliation", "team_member_id", "contact_id"),
)
_UTTERANCE_COLUMNS = (
    *("company_id", "conversation_id", "revision", "position", "external_id", "speaker_id"),
    *("affiliation", "start_seconds", "text"),
)
_AFFILIATIONS = {"internal": Affiliation.COMPANY, "external": Affiliation.NON_COMPANY}

# The row and the side of each speaker, by conversation and by the id that the record gives them.
Speakers = dict[tuple[UUID, str], tuple[int, Affiliation]]


@dataclass(frozen=True, slots=True)
class Stored:
    """A conversation that is in the database, at the revision its record belongs to."""

    pk: UUID
    company_id: int
    revision: int
    record: ConversationRecord


def create(
    company: Company,
    directory: Directory,
    records: Iterable[ConversationRecord],
    now: datetime,
    *,
    meanwhile: Piece = bulk.nothing,
) -> list[Stored]:
    """Write conversations that are not there yet, without who took part and what was said.

    ``meanwhile``, here and below, is work for while the server is busy, as ``bulk.copy`` has it.
    """
    stored = [Stored(new_id(), company.pk, FIRST_REVISION, record) for record in records]
    if not stored:
        return []
    fields = [_fields(directory, one.record) for one in stored]
    bulk.copy(
        Conversation,
        (*_COLUMNS, *fields[0]),
        (
            (one.pk, one.company_id, one.record.id, now, one.revision, *values.values())
            for one, values in zip(stored, fields, strict=True)
        ),
        meanwhile=meanwhile,
    )
    return stored


def change(conversation: Conversation, directory: Directory, record: ConversationRecord) -> Stored:
    """Write over a conversation's fields, its revision too where the caller has counted it up."""
    for name, value in _fields(directory, record).items():
        setattr(conversation, name, value)
    conversation.save()
    return Stored(conversation.pk, conversation.company_id, conversation.text_revision, record)


def add_participants(
    directory: Directory, stored: Iterable[Stored], *, meanwhile: Piece = bulk.nothing
) -> Speakers:
    """Write who took part in conversations that nobody knew of before."""
    people = [(one, person) for one in stored for person in one.record.participants]
    ids = bulk.take_ids(Participant, len(people))
    bulk.copy(
        Participant,
        _PARTICIPANT_COLUMNS,
        (
            (
                *(pk, one.company_id, one.pk, person.id, person.party_id, person.name),
                person.email or "",
                _AFFILIATIONS[person.role].value,
                *_known(directory, person),
            )
            for pk, (one, person) in zip(ids, people, strict=True)
        ),
        meanwhile=meanwhile,
    )
    return {
        (one.pk, person.id): (pk, _AFFILIATIONS[person.role])
        for pk, (one, person) in zip(ids, people, strict=True)
    }


def change_participants(directory: Directory, stored: Iterable[Stored]) -> Speakers:
    """Write who took part in conversations that were there before; nobody is taken out."""
    written = Participant.objects.bulk_create(
        [
            Participant(
                company_id=one.company_id,
                conversation_id=one.pk,
                external_id=person.id,
                party_id=person.party_id,
                name=person.name,
                email=person.email or "",
                affiliation=_AFFILIATIONS[person.role],
                team_member_id=member,
                contact_id=contact,
            )
            for one in stored
            for person in one.record.participants
            for member, contact in [_known(directory, person)]
        ],
        update_conflicts=True,
        unique_fields=["conversation", "external_id"],
        update_fields=["party_id", "name", "email", "affiliation", "team_member", "contact"],
    )
    return {
        (person.conversation_id, person.external_id): (person.pk, Affiliation(person.affiliation))
        for person in written
    }


def _known(directory: Directory, person: ParticipantRecord) -> tuple[UUID | None, UUID | None]:
    """Return who this is: one of the company's people, or one of the customer's."""
    if person.role == "internal":
        return directory.known_member_id(person.email), None
    return None, directory.contact_id(person.email)


def add_text(
    stored: Iterable[Stored], speakers: Speakers, *, meanwhile: Piece = bulk.nothing
) -> None:
    """Write what was said, as the text of each conversation's revision."""
    rows = _utterances(stored, speakers)
    bulk.copy(Utterance, _UTTERANCE_COLUMNS, rows, meanwhile=meanwhile)


def _utterances(stored: Iterable[Stored], speakers: Speakers) -> Iterator[tuple[object, ...]]:
    for one in stored:
        company, revision, conversation = one.company_id, one.revision, one.pk.hex
        people = {
            person.id: (speakers[one.pk, person.id][0], speakers[one.pk, person.id][1].value)
            for person in one.record.participants
        }
        for position, turn in enumerate(one.record.utterances):
            speaker, side = people[turn.speaker]
            yield (
                *(company, conversation, revision, position, turn.id, speaker, side),
                *(None if turn.start is None else parts.as_stored(turn.start), turn.text),
            )


def _fields(directory: Directory, record: ConversationRecord) -> dict[str, object]:
    """Return what a record says of its conversation, by column, in one order for all records."""
    spoken = _spoken(record)
    ours, theirs = spoken[Affiliation.COMPANY], spoken[Affiliation.NON_COMPANY]
    return {
        "source": record.source,
        "kind": ConversationKind(record.kind.upper()).value,
        "title": record.title,
        "started_at": record.started_at,
        "duration_seconds": record.duration_seconds,
        "team_id": directory.team_id(record.team),
        "owner_id": directory.member_id(record.owner),
        "account_id": directory.account_id(record.account),
        "deal_id": directory.deal_id(record.account, record.deal),
        "account_type": record.account.type if record.account else "",
        "deal_stage": record.deal.stage if record.deal else "",
        "text_digest": record.text_digest,
        "metadata_digest": record.metadata_digest,
        "language": record.language,
        "company_text_count": ours.count,
        "company_first_seconds": ours.first_seconds,
        "company_last_seconds": ours.last_seconds,
        "non_company_text_count": theirs.count,
        "non_company_first_seconds": theirs.first_seconds,
        "non_company_last_seconds": theirs.last_seconds,
    }


def _spoken(record: ConversationRecord) -> dict[Affiliation, SideText]:
    """Sum up what each side said that can be analyzed; an e-mail's paragraphs have no times."""
    sides = {person.id: _AFFILIATIONS[person.role] for person in record.participants}
    is_call = record.kind == "call"
    given = [turn.start if is_call else None for turn in record.utterances]
    starts: dict[Affiliation, list[float | None]] = {side: [] for side in Affiliation}
    for turn, start in zip(record.utterances, parts.begins(given, zero=0.0), strict=True):
        if parts.is_analyzable(turn.text):
            starts[sides[turn.speaker]].append(start)
    return {side: parts.summed(times) for side, times in starts.items()}
