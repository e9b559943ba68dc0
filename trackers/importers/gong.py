"""Read calls in the shape of Gong's API: ``/v2/calls/extensive`` and ``/v2/calls/transcript``.

The first names calls and who took part, the second what was said; a call needs both halves, in
whichever files they are. A file is one answer of the API, a list of answers, or one a line.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from trackers.importers import gong_times, reading, records
from trackers.importers.gong_times import MILLISECONDS, Sentence, as_dict, as_list
from trackers.importers.reading import BadLine
from trackers.importers.records import BadRecord, ConversationRecord

FILE_BYTES_MAX = 256 * 1024 * 1024
# Sentences of one monologue are one turn, up to this long: a quote is found by its turn's start.
TURN_SECONDS_MAX = 30
EPOCH_MAX = 10**10

_SIDES = {"Internal": "internal", "External": "external"}
_PEOPLE = ("Contact", "Lead")


@dataclass(frozen=True, slots=True)
class Part:
    """One half of a call, and where it was found."""

    file: str
    number: int
    data: dict[str, Any]


class Reader(reading.Reader):
    """Reads the calls of which both halves are there.

    ``notes`` say how times were read, and what was not as the API documents it.
    """

    def _read(self) -> Iterator[ConversationRecord]:
        calls, transcripts = self._parts()
        usual = gong_times.usual_unit(
            (part.data, transcripts[call_id].data)
            for call_id, part in calls.items()
            if call_id in transcripts
        )
        told = Counter[str]()
        for call_id, part in calls.items():
            try:
                transcript = transcripts.pop(call_id, None)
                if transcript is None:
                    raise BadRecord(
                        f"call {call_id} has no transcript; add the file of /v2/calls/transcript"
                    )
                sentences = gong_times.sentences_of(transcript.data)
                unit = gong_times.unit_of(part.data, sentences) or usual
                content, strangers = _content(part.data, sentences, unit)
                record = self._once(records.parse(json.dumps(content)))
                if record is not None:
                    told[unit] += 1
                    told["strangers"] += strangers
                    told["times"] += sum(one.dropped for one in sentences)
                    told["durations"] += gong_times.stated_seconds(part.data) is None
                    yield record
            except BadRecord as error:
                self.bad_lines.append(BadLine(part.file, part.number, str(error)))
        for call_id, part in transcripts.items():
            reason = f"call {call_id} has only its transcript; add the file of /v2/calls/extensive"
            self.bad_lines.append(BadLine(part.file, part.number, reason))
        self._note(told)

    def _note(self, told: Counter[str]) -> None:
        read = [f"{one} in {told[one]:,}" for one in ("milliseconds", "seconds") if told[one]]
        if read:
            self.notes.append(f"Transcript times were read as {' and '.join(read)} calls.")
        for what, sentence in (
            (
                "durations",
                "Calls without a usable duration: {:,}. It was taken from their transcript.",
            ),
            ("times", "Transcript times that cannot be read: {:,}. They were left out."),
            (
                "strangers",
                "Speakers that no list of parties names: {:,}. They count as customers.",
            ),
        ):
            if told[what]:
                self.notes.append(sentence.format(told[what]))

    def _parts(self) -> tuple[dict[str, Part], dict[str, Part]]:
        """Return the halves by call id; the same half twice is kept once if it is the same."""
        calls: dict[str, Part] = {}
        transcripts: dict[str, Part] = {}
        row_count = 0
        for file in self.files:
            name = str(file)
            number = 0
            for answer in self._answers(file):
                for kind, found in _items(answer):
                    number += 1
                    row_count += kind == "call"
                    self._limit(row_count)
                    part = Part(name, number, found)
                    try:
                        if kind == "call":
                            _add(calls, _id(found.get("metaData"), "id"), part)
                        else:
                            _add(transcripts, _id(found, "callId"), part)
                    except BadRecord as error:
                        self.bad_lines.append(BadLine(name, number, str(error)))
        return calls, transcripts

    def _answers(self, file: reading.SourceFile) -> Iterator[dict[str, Any]]:
        """Yield the API's answers in one file; what is none is left out with its reason."""
        with reading.opened(file) as content:
            data = content.read(FILE_BYTES_MAX + 1)
        self.on_bytes(len(data))
        try:
            if len(data) > FILE_BYTES_MAX:
                size = FILE_BYTES_MAX // (1024 * 1024)
                raise BadRecord(f"the file is larger than {size} MB; split it")
            data = reading.without_mark(data)
            documents = _documents(data)
        except BadRecord as error:
            self.bad_lines.append(BadLine(str(file), 1, str(error)))
            return
        for number, document in enumerate(documents, start=1):
            for answer in document if isinstance(document, list) else [document]:
                if isinstance(answer, dict) and any(
                    isinstance(answer.get(name), list) for name in ("calls", "callTranscripts")
                ):
                    yield answer
                else:
                    reason = "it is no answer with a list of “calls” or “callTranscripts”"
                    self.bad_lines.append(BadLine(str(file), number, reason))


def _documents(data: bytes) -> list[Any]:
    """Parse one JSON document, or one a line.

    :raises BadRecord: it is neither.
    """
    try:
        return [_parsed(data)]
    except ValueError as error:
        lines = [line for line in data.splitlines() if line.strip()]
        try:
            if len(lines) > 1:
                return [_parsed(line) for line in lines]
        except ValueError:
            pass
        raise BadRecord(f"not JSON: {error}") from error


def _parsed(data: bytes) -> Any:
    # Not Python's own: this one limits the depth, and refuses what is no Unicode.
    return from_json(data, allow_inf_nan=False)


def _items(answer: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for kind, name in (("call", "calls"), ("transcript", "callTranscripts")):
        for item in as_list(answer.get(name)):
            yield kind, item if isinstance(item, dict) else {}


def _id(data: Any, name: str) -> str:
    value = data.get(name) if isinstance(data, dict) else None
    # An id of 20 digits in a file that was rewritten may have become a number.
    if isinstance(value, int) and not isinstance(value, bool):
        value = str(value)
    if not isinstance(value, str) or not value:
        raise BadRecord("it has no call id")
    return value


def _add(parts: dict[str, Part], call_id: str, part: Part) -> None:
    before = parts.setdefault(call_id, part)
    if before is not part and before.data != part.data:
        raise BadRecord(f"call {call_id} came before with different content")


def _content(
    call: dict[str, Any], sentences: list[Sentence], unit: str
) -> tuple[dict[str, Any], int]:
    """Return a call as our own format has it, and how many speakers no list of parties names."""
    meta = as_dict(call.get("metaData"))
    call_id = _id(meta, "id")
    parties = [one for one in as_list(call.get("parties")) if isinstance(one, dict)]
    if not parties:
        raise BadRecord(f"call {call_id} has no parties; ask the API to expose them")
    people: dict[str, dict[str, Any]] = {}
    for number, party in enumerate(parties):
        key = str(party.get("speakerId") or party.get("id") or f"party-{number + 1}")
        people.setdefault(key, _participant(key, party))
    strangers = sorted({one.speaker for one in sentences} - people.keys())
    for key in strangers:
        people[key] = {"id": key, "name": "", "email": None, "role": "external"}
    seconds = gong_times.stated_seconds(call) or gong_times.spoken_seconds(sentences, unit)
    if seconds is None:
        raise BadRecord(f"call {call_id} has no usable duration, nor times in its transcript")
    account, deal = _customer(call)
    content = {
        "id": call_id,
        "source": "gong",
        "kind": "call",
        "title": meta.get("title") or "",
        "started_at": _instant(meta.get("started") or meta.get("scheduled")),
        "duration_seconds": seconds,
        "owner": _owner(meta, parties),
        "account": account,
        "deal": deal if account else None,
        "participants": list(people.values()),
        "utterances": _utterances(sentences, unit),
    }
    return content, len(strangers)


def _instant(value: Any) -> Any:
    """Return a time as it was written; seconds since 1970, as some clients keep it, as a time."""
    if isinstance(value, (int, float)) and 0 < value < EPOCH_MAX:
        return datetime.fromtimestamp(value, UTC).isoformat()
    return value


def _participant(key: str, party: dict[str, Any]) -> dict[str, Any]:
    side = _SIDES.get(str(party.get("affiliation")))
    if side is None:
        # Unknown to Gong; whoever has a user there is of the company.
        side = "internal" if party.get("userId") else "external"
    email = party.get("emailAddress")
    party_id = str(party.get("id") or "")
    return {
        "id": key,
        # Those who speak are called otherwise in the transcript.
        "party_id": "" if party_id == key else party_id,
        "name": party.get("name") or "",
        "email": email.strip() if isinstance(email, str) and email.strip() else None,
        "crm_id": next((key for kind, key, _ in _objects(party) if kind in _PEOPLE and key), ""),
        "role": side,
    }


def _owner(meta: dict[str, Any], parties: list[dict[str, Any]]) -> str | None:
    owner = meta.get("primaryUserId")
    emails = [party.get("emailAddress") for party in parties if party.get("userId") == owner]
    return next((email.strip() for email in emails if owner and email), None)


def _customer(call: dict[str, Any]) -> tuple[dict[str, Any] | None, dict[str, Any] | None]:
    """Return the first account and the first deal that the call's context names."""
    found: dict[str, dict[str, str]] = {}
    for kind, key, fields in _objects(call):
        if fields.get("name"):
            found.setdefault(kind, fields | {"crm id": key})
    account, deal = found.get("Account"), found.get("Opportunity")
    return (
        account
        and {
            "name": account["name"],
            "type": account.get("type", ""),
            "crm_id": account["crm id"],
        },
        deal
        and {"name": deal["name"], "stage": deal.get("stagename", ""), "crm_id": deal["crm id"]},
    )


def _objects(of: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, str]]]:
    """Yield what a call's or a party's context names: kind, the CRM's id, fields by name."""
    for system in as_list(of.get("context")):
        for thing in as_list(as_dict(system).get("objects")):
            fields = {
                str(field.get("name")).casefold(): str(field["value"])
                for field in as_list(as_dict(thing).get("fields"))
                if isinstance(field, dict) and field.get("value") not in (None, "")
            }
            key = as_dict(thing).get("objectId")
            is_id = isinstance(key, (str, int)) and not isinstance(key, bool)
            yield (
                str(as_dict(thing).get("objectType")),
                str(key) if is_id else "",
                fields,
            )


def _utterances(sentences: list[Sentence], unit: str) -> list[dict[str, Any]]:
    """Join the sentences of a monologue to turns, cut where they get long."""
    divisor = MILLISECONDS if unit == "milliseconds" else 1
    turns: list[dict[str, Any]] = []
    monologue: int | None = None
    for one in sentences:
        start = None if one.start is None else one.start / divisor
        if one.monologue == monologue and not _is_long(turns[-1]["start"], start):
            turns[-1]["text"] += f" {one.text}"
            continue
        monologue = one.monologue
        turns.append(
            {"id": f"u{len(turns)}", "speaker": one.speaker, "start": start, "text": one.text}
        )
    return turns


def _is_long(began: float | None, start: float | None) -> bool:
    return began is not None and start is not None and start - began > TURN_SECONDS_MAX


def looks_like(start: bytes) -> bool:
    """Tell from a file's first bytes whether it is an answer of the API, not JSON Lines of ours."""
    return b'"callTranscripts"' in start or (b'"calls"' in start and b'"utterances"' not in start)
