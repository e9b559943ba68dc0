"""One conversation as it comes in, checked: the record of a JSON Lines import."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    ConfigDict,
    Field,
    StringConstraints,
    ValidationError,
    model_validator,
)

from trackers import languages
from trackers.models.conversations import ERASED_ID_PREFIX

YEAR_MIN, YEAR_MAX = 1970, 2100
EMAIL_LENGTH_MAX = 254
ID_LENGTH_MAX = 200
DURATION_SECONDS_MAX = 7 * 24 * 3600
UTTERANCES_MAX = 50_000
BYTES_OF_A_LINE = 600  # Of an utterance or participant in memory, beside its text.
CLOCK_SKEW_MAX = timedelta(days=1)  # How far the clock that dated a conversation may be ahead.


class BadRecord(Exception):
    """A record that cannot be read; the message says what is wrong in one sentence."""


def _without_nul(text: str) -> str:
    if "\x00" in text:
        raise ValueError("holds a NUL character")
    return text


def _not_reserved(text: str) -> str:
    if text.startswith(ERASED_ID_PREFIX):
        raise ValueError(f"begins with “{ERASED_ID_PREFIX}”, which stands for what was erased")
    return text


def _email(text: str) -> str:
    local, at, domain = text.partition("@")
    if not (local and at and domain) or text.split() != [text]:
        raise ValueError("is not an e-mail address")
    return text.lower()


def _fits_an_address(text: str) -> str:
    if len(text) > EMAIL_LENGTH_MAX:
        raise ValueError(f"should have at most {EMAIL_LENGTH_MAX} characters")
    return text


def _of_this_age(instant: datetime) -> datetime:
    """Return the instant in UTC: of a zone PostgreSQL takes 16 hours at most, ISO 8601 nearly 24.

    Years that a shift to another zone would carry out of the calendar are refused.
    """
    if not YEAR_MIN <= instant.year <= YEAR_MAX:
        raise ValueError(f"should be a time between {YEAR_MIN} and {YEAR_MAX}")
    return instant.astimezone(UTC)


Text = Annotated[str, AfterValidator(_without_nul)]
Identifier = Annotated[
    str, StringConstraints(min_length=1, max_length=ID_LENGTH_MAX), AfterValidator(_without_nul)
]
Name = Annotated[str, StringConstraints(max_length=200), AfterValidator(_without_nul)]
# What another system calls an account, a deal or a person; empty where the record does not say.
OtherId = Annotated[
    str,
    StringConstraints(max_length=ID_LENGTH_MAX, strip_whitespace=True),
    AfterValidator(_without_nul),
]
Label = Annotated[str, StringConstraints(max_length=100), AfterValidator(_without_nul)]
Email = Annotated[
    str,
    AfterValidator(_without_nul),
    AfterValidator(_email),
    # After the validators: small letters can be longer than the capitals they were.
    AfterValidator(_fits_an_address),
]
Instant = Annotated[AwareDatetime, AfterValidator(_of_this_age)]


def _language(tag: str) -> str:
    """Keep the language of a tag such as “en” or “pt-BR”; empty where the record does not say."""
    code = languages.of_tag(tag) if tag else ""
    if code is None:
        raise ValueError("is not a language; write a tag such as “en” or “pt-BR”")
    return code


class Record(BaseModel):
    """Strict types, frozen; keys we do not know are ignored."""

    model_config = ConfigDict(strict=True, extra="ignore", frozen=True)


class ParticipantRecord(Record):
    id: Identifier
    name: Name = ""
    email: Email | None = None
    crm_id: OtherId = ""
    party_id: OtherId = ""
    role: Literal["internal", "external"]


class UtteranceRecord(Record):
    id: Identifier
    speaker: Identifier
    start: Annotated[float, Field(ge=0, lt=DURATION_SECONDS_MAX, allow_inf_nan=False)] | None = None
    text: Text


class AccountRecord(Record):
    name: Annotated[Name, StringConstraints(min_length=1)]
    type: Label = ""
    crm_id: OtherId = ""


class DealRecord(Record):
    name: Annotated[Name, StringConstraints(min_length=1)]
    stage: Label = ""
    crm_id: OtherId = ""


class ConversationRecord(Record):
    """A call or e-mail as the import format has it."""

    id: Annotated[Identifier, AfterValidator(_not_reserved)]
    source: Annotated[str, StringConstraints(max_length=60), AfterValidator(_without_nul)] = ""
    kind: Literal["call", "email"]
    title: Annotated[str, StringConstraints(max_length=500), AfterValidator(_without_nul)] = ""
    started_at: Instant
    duration_seconds: Annotated[int, Field(ge=0, le=DURATION_SECONDS_MAX)] = 0
    team: Name | None = None
    owner: Email | None = None
    account: AccountRecord | None = None
    deal: DealRecord | None = None
    language: Annotated[str, AfterValidator(_without_nul), AfterValidator(_language)] = ""
    participants: tuple[ParticipantRecord, ...]
    utterances: Annotated[tuple[UtteranceRecord, ...], Field(max_length=UTTERANCES_MAX)]

    @model_validator(mode="after")
    def _names_agree(self) -> ConversationRecord:
        people = {participant.id for participant in self.participants}
        if len(people) != len(self.participants):
            raise ValueError("two participants have the same id")
        if len({utterance.id for utterance in self.utterances}) != len(self.utterances):
            raise ValueError("two utterances have the same id")
        for utterance in self.utterances:
            if utterance.speaker not in people:
                raise ValueError(
                    f"utterance {utterance.id} is spoken by {utterance.speaker}, "
                    "who is not a participant"
                )
        if self.deal is not None and self.account is None:
            raise ValueError("a deal needs the account it belongs to")
        return self

    @cached_property
    def text_digest(self) -> bytes:
        """Name the text revision: kind, duration, participants' sides, utterances."""
        return _digest(
            self.kind,
            self.duration_seconds,
            sorted((person.id, person.role) for person in self.participants),
            [(turn.id, turn.speaker, turn.start, turn.text) for turn in self.utterances],
        )

    @cached_property
    def metadata_digest(self) -> bytes:
        """Name everything else, which never triggers a scan."""
        return _digest(
            self.source,
            self.title,
            self.started_at.timestamp(),
            self.team,
            self.owner,
            self.account and (self.account.name, self.account.type),
            self.deal and (self.deal.name, self.deal.stage),
            sorted((person.id, person.name, person.email) for person in self.participants),
            # Only where there is one: what came before languages did is the same as it was.
            *([self.language] if self.language else []),
            *([self._crm_ids] if any(self._crm_ids) else []),
            *([self._party_ids] if self._party_ids else []),
        )

    @cached_property
    def weight(self) -> int:
        """Return about how many bytes of memory the record takes."""
        letters = sum(len(turn.text) for turn in self.utterances)
        return letters + BYTES_OF_A_LINE * (len(self.utterances) + len(self.participants))

    @property
    def _crm_ids(self) -> list[object]:
        """Return the ids of the CRM: none, or of the account, the deal and people."""
        return [
            self.account.crm_id if self.account else "",
            self.deal.crm_id if self.deal else "",
            sorted((person.id, person.crm_id) for person in self.participants if person.crm_id),
        ]

    @property
    def _party_ids(self) -> list[tuple[str, str]]:
        """Return the other ids of people, by the id that the text calls them by."""
        named = (person for person in self.participants if person.party_id)
        return sorted((person.id, person.party_id) for person in named)


def refuse_future(record: ConversationRecord, *, arrived_at: datetime) -> None:
    """Refuse what starts after it arrives: it would be new, and charged, for a wrong date.

    :raises BadRecord: it is later by more than clocks differ.
    """
    if record.started_at > arrived_at + CLOCK_SKEW_MAX:
        day = record.started_at.astimezone(UTC).date()
        raise BadRecord(f"it starts on {day}, more than a day after it arrives; correct its date")


def parse(line: bytes | str) -> ConversationRecord:
    """Read one line.

    :raises BadRecord: with the first thing that is wrong.
    """
    try:
        return ConversationRecord.model_validate_json(line)
    except ValidationError as error:
        raise BadRecord(_in_one_sentence(error)) from error


def _in_one_sentence(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    match first["type"]:
        case "json_invalid":
            return "not JSON: " + message.removeprefix("Invalid JSON: ")
        case "missing":
            return f"{place} is missing"
        case "timezone_aware":
            return f"{place} has no time zone; write one, such as 2026-01-16T02:26:00Z"
        case "value_error":
            return f"{place} {message}".strip()
    return f"{place}: {message[:1].lower()}{message[1:]}" if place else message


def _digest(*parts: object) -> bytes:
    return hashlib.sha256(json.dumps(parts, ensure_ascii=False).encode()).digest()
