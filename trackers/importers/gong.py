"""Read calls in the shape of Gong's API: ``/v2/calls/extensive`` and ``/v2/calls/transcript``.

The first names calls and who took part, the second what was said; a call needs both halves, in
whichever files they are. A file is one answer of the API, a list of answers, or one a line.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from pydantic_core import from_json

from trackers.importers import reading, records
from trackers.importers.reading import BadLine
from trackers.importers.records import BadRecord, ConversationRecord

FILE_BYTES_MAX = 256 * 1024 * 1024
# Sentences of one monologue are one turn, up to this long: a quote is found by its turn's start.
TURN_SECONDS_MAX = 30
MILLISECONDS = 1000
# A time in seconds lies within the call; recordings and their stated duration differ a little.
LATE_FACTOR, LATE_SECONDS = 1.5, 60
EARLY_FACTOR = 0.2
EPOCH_MAX = 10**10
TIME_MAX = 7 * 24 * 3600 * MILLISECONDS  # A week; whatever is later is no time.
# Nobody speaks that fast, or, from the beginning of a sentence to its end, that slowly.
WORDS_PER_SECOND_MIN, WORDS_PER_SECOND_MAX = 0.2, 20

_SIDES = {"Internal": "internal", "External": "external"}
_PEOPLE = ("Contact", "Lead")


@dataclass(frozen=True, slots=True)
class Part:
    """One half of a call, and where it was found."""

    file: str
    number: int
    data: dict[str, Any]


class Reader(reading.Reader):
    """Reads the calls of which both halves are there; ``notes`` say how times were read."""

    def _read(self) -> Iterator[ConversationRecord]:
        calls, transcripts = self._parts()
        usual = self._usual_unit(calls, transcripts)
        counts = {"milliseconds": 0, "seconds": 0}
        unknown = 0
        for call_id, part in calls.items():
            try:
                transcript = transcripts.pop(call_id, None)
                if transcript is None:
                    raise BadRecord(
                        f"call {call_id} has no transcript; add the file of /v2/calls/transcript"
                    )
                sentences = _sentences(transcript.data)
                unit = _unit(part.data, sentences) or usual
                content, strangers = _content(part.data, sentences, unit)
                record = self._once(records.parse(json.dumps(content)))
                if record is not None:
                    counts[unit] += 1
                    unknown += strangers
                    yield record
            except BadRecord as error:
                self.bad_lines.append(BadLine(part.file, part.number, str(error)))
        for call_id, part in transcripts.items():
            reason = f"call {call_id} has only its transcript; add the file of /v2/calls/extensive"
            self.bad_lines.append(BadLine(part.file, part.number, reason))
        self._note(counts, unknown)

    def _note(self, counts: dict[str, int], unknown: int) -> None:
        read = [f"{unit} in {count:,}" for unit, count in counts.items() if count]
        if read:
            self.notes.append(f"Transcript times were read as {' and '.join(read)} calls.")
        if unknown:
            self.notes.append(
                f"Speakers that no list of parties names: {unknown:,}. They count as customers."
            )

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

    def _usual_unit(self, calls: dict[str, Part], transcripts: dict[str, Part]) -> str:
        """Return what most calls are in that leave no doubt; where none does, what seems likely.

        The API says milliseconds.
        """
        sure = {"milliseconds": 0, "seconds": 0}
        near_the_end = 0
        for call_id, part in calls.items():
            try:
                sentences = _sentences(transcripts[call_id].data) if call_id in transcripts else []
            except BadRecord:
                continue
            if unit := _unit(part.data, sentences):
                sure[unit] += 1
            elif _largest(sentences) > _duration(part.data) * EARLY_FACTOR > 0:
                near_the_end += 1
        if not any(sure.values()):
            return "seconds" if near_the_end else "milliseconds"
        return "seconds" if sure["seconds"] > sure["milliseconds"] else "milliseconds"


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
        for item in _list(answer.get(name)):
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


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with its speaker and times, in a unit still to be told."""

    monologue: int
    speaker: str
    start: float | None
    end: float | None
    text: str


def _sentences(transcript: dict[str, Any]) -> list[Sentence]:
    """Return what was said.

    :raises BadRecord: a part is not what the API answers.
    """
    call_id = transcript.get("callId")
    found = []
    for number, monologue in enumerate(_list(transcript.get("transcript"))):
        speaker = monologue.get("speakerId") if isinstance(monologue, dict) else None
        if not isinstance(speaker, (str, int)) or not str(speaker):
            raise BadRecord(f"call {call_id}: monologue {number + 1} has no speakerId")
        for sentence in _list(monologue.get("sentences")):
            text = sentence.get("text") if isinstance(sentence, dict) else None
            if not isinstance(text, str):
                raise BadRecord(f"call {call_id}: a sentence of monologue {number + 1} has no text")
            start, end = _time(sentence, "start"), _time(sentence, "end")
            found.append(Sentence(number, str(speaker), start, end, text))
    if not found:
        raise BadRecord(f"call {call_id} has a transcript without a sentence")
    return found


def _time(sentence: dict[str, Any], name: str) -> float | None:
    value = sentence.get(name)
    if isinstance(value, (int, float)) and 0 <= value <= TIME_MAX:
        return float(value)
    return None


def _unit(call: dict[str, Any], sentences: list[Sentence]) -> str | None:
    """Tell the unit of a transcript's times by the call's duration; None when there is a doubt.

    Seconds that are taken for milliseconds leave less time than anybody needs to speak, and
    milliseconds that are taken for seconds more; and they are far beyond the call's end, unless
    hardly anything was said.
    """
    duration, largest = _duration(call), _largest(sentences)
    words = sum(len(one.text.split()) for one in sentences)
    if not largest:
        return None
    spoken = sum(one.end - one.start for one in sentences if one.start is not None and one.end)
    if words > WORDS_PER_SECOND_MAX * (spoken if spoken > 0 else largest) / MILLISECONDS:
        return "seconds"
    if words < WORDS_PER_SECOND_MIN * spoken:
        return "milliseconds"
    is_late = duration and largest > duration * LATE_FACTOR + LATE_SECONDS
    return "milliseconds" if is_late else None


def _largest(sentences: list[Sentence]) -> float:
    times = [time for one in sentences for time in (one.start, one.end) if time is not None]
    return max(times, default=0)


def _duration(call: dict[str, Any]) -> int:
    value = _dict(call.get("metaData")).get("duration")
    is_length = isinstance(value, (int, float)) and value >= 0
    return round(min(value, TIME_MAX)) if is_length and value is not None else 0


def _content(
    call: dict[str, Any], sentences: list[Sentence], unit: str
) -> tuple[dict[str, Any], int]:
    """Return a call as our own format has it, and how many speakers no list of parties names."""
    meta = _dict(call.get("metaData"))
    call_id = _id(meta, "id")
    parties = [one for one in _list(call.get("parties")) if isinstance(one, dict)]
    if not parties:
        raise BadRecord(f"call {call_id} has no parties; ask the API to expose them")
    people: dict[str, dict[str, Any]] = {}
    for number, party in enumerate(parties):
        key = str(party.get("speakerId") or party.get("id") or f"party-{number + 1}")
        people.setdefault(key, _participant(key, party))
    strangers = sorted({one.speaker for one in sentences} - people.keys())
    for key in strangers:
        people[key] = {"id": key, "name": "", "email": None, "role": "external"}
    account, deal = _customer(call)
    content = {
        "id": call_id,
        "source": "gong",
        "kind": "call",
        "title": meta.get("title") or "",
        "started_at": _instant(meta.get("started") or meta.get("scheduled")),
        "duration_seconds": _duration(call),
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
    for system in _list(of.get("context")):
        for thing in _list(_dict(system).get("objects")):
            fields = {
                str(field.get("name")).casefold(): str(field["value"])
                for field in _list(_dict(thing).get("fields"))
                if isinstance(field, dict) and field.get("value") not in (None, "")
            }
            key = _dict(thing).get("objectId")
            is_id = isinstance(key, (str, int)) and not isinstance(key, bool)
            yield str(_dict(thing).get("objectType")), str(key) if is_id else "", fields


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


def _list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def _dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def looks_like(start: bytes) -> bool:
    """Tell from a file's first bytes whether it is an answer of the API, not JSON Lines of ours."""
    return b'"callTranscripts"' in start or (b'"calls"' in start and b'"utterances"' not in start)
