"""What was said in a call and when: seconds or milliseconds, and how long the call was.

The API documents milliseconds for sentences and whole seconds for a call. What clients have stored
of it differs, so that the unit is told from the text, and a call that does not say how long it was
is as long as its transcript.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from trackers.importers.records import DURATION_SECONDS_MAX, BadRecord

MILLISECONDS = 1000
# A time in seconds lies within the call; recordings and their stated duration differ a little.
LATE_FACTOR, LATE_SECONDS = 1.5, 60
LATEST_SECONDS = 24 * 3600  # Where the call does not say how long it was.
EARLY_FACTOR = 0.2
TIME_MAX = DURATION_SECONDS_MAX * MILLISECONDS  # Whatever is later is no time.
# Nobody speaks that fast, or, from the beginning of a sentence to its end, that slowly.
WORDS_PER_SECOND_MIN, WORDS_PER_SECOND_MAX = 0.2, 20

_NUMBER = re.compile(r"[0-9]{1,15}(\.[0-9]{1,15})?")


@dataclass(frozen=True, slots=True)
class Sentence:
    """One sentence with its speaker and times, in a unit still to be told.

    ``dropped`` of its times were given and are none.
    """

    monologue: int
    speaker: str
    start: float | None
    end: float | None
    text: str
    dropped: int


def sentences_of(transcript: dict[str, Any]) -> list[Sentence]:
    """Return what was said.

    :raises BadRecord: a part is not what the API answers.
    """
    call_id = transcript.get("callId")
    found = []
    for number, monologue in enumerate(as_list(transcript.get("transcript"))):
        speaker = monologue.get("speakerId") if isinstance(monologue, dict) else None
        if not isinstance(speaker, (str, int)) or not str(speaker):
            raise BadRecord(f"call {call_id}: monologue {number + 1} has no speakerId")
        for sentence in as_list(monologue.get("sentences")):
            text = sentence.get("text") if isinstance(sentence, dict) else None
            if not isinstance(text, str):
                raise BadRecord(f"call {call_id}: a sentence of monologue {number + 1} has no text")
            given = (sentence.get("start"), sentence.get("end"))
            start, end = read = [_up_to(TIME_MAX, value) for value in given]
            dropped = read.count(None) - given.count(None)
            found.append(Sentence(number, str(speaker), start, end, text, dropped))
    if not found:
        raise BadRecord(f"call {call_id} has a transcript without a sentence")
    return found


def stated_seconds(call: dict[str, Any]) -> int | None:
    """Return how long a call says it was; None where it does not, or cannot have been."""
    seconds = _up_to(DURATION_SECONDS_MAX, as_dict(call.get("metaData")).get("duration"))
    # A call in which somebody spoke was not of no length.
    return round(seconds) or None if seconds is not None else None


def spoken_seconds(sentences: Iterable[Sentence], unit: str) -> int | None:
    """Return when the last sentence of a transcript ends; None where no time says so."""
    divisor = MILLISECONDS if unit == "milliseconds" else 1
    return round(_largest(sentences) / divisor) or None


def unit_of(call: dict[str, Any], sentences: list[Sentence]) -> str | None:
    """Tell the unit of a transcript's times by the call's duration; None when there is a doubt.

    Seconds that are taken for milliseconds leave less time than anybody needs to speak, and
    milliseconds that are taken for seconds more; and they are far beyond the call's end, unless
    hardly anything was said.
    """
    duration, largest = stated_seconds(call), _largest(sentences)
    words = sum(len(one.text.split()) for one in sentences)
    if not largest:
        return None
    spoken = sum(one.end - one.start for one in sentences if one.start is not None and one.end)
    if words > WORDS_PER_SECOND_MAX * (spoken if spoken > 0 else largest) / MILLISECONDS:
        return "seconds"
    if words < WORDS_PER_SECOND_MIN * spoken:
        return "milliseconds"
    latest = LATEST_SECONDS if duration is None else duration * LATE_FACTOR + LATE_SECONDS
    return "milliseconds" if largest > latest else None


def usual_unit(pairs: Iterable[tuple[dict[str, Any], dict[str, Any]]]) -> str:
    """Return what most calls with their transcripts are in that leave no doubt.

    Where none does, what seems likely. The API says milliseconds.
    """
    sure = {"milliseconds": 0, "seconds": 0}
    near_the_end = 0
    for call, transcript in pairs:
        try:
            sentences = sentences_of(transcript)
        except BadRecord:
            continue
        if unit := unit_of(call, sentences):
            sure[unit] += 1
        elif (seconds := stated_seconds(call)) and _largest(sentences) > seconds * EARLY_FACTOR:
            near_the_end += 1
    if not any(sure.values()):
        return "seconds" if near_the_end else "milliseconds"
    return "seconds" if sure["seconds"] > sure["milliseconds"] else "milliseconds"


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else []


def as_dict(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _largest(sentences: Iterable[Sentence]) -> float:
    times = [time for one in sentences for time in (one.start, one.end) if time is not None]
    return max(times, default=0)


def _up_to(most: int, value: Any) -> float | None:
    """Return a number from 0 to ``most``, also one that is written as a text; else None."""
    if isinstance(value, str) and _NUMBER.fullmatch(value.strip()):
        value = float(value)
    is_number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return float(value) if is_number and 0 <= value <= most else None
