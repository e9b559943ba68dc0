"""Answer a question from several conversations: what is read of them, what is shown of the answer.

What does not fit one request is chosen by the built-in search: the passages that resemble the
question most. A paragraph is shown as an answer only with a quote that somebody did say.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trackers.analyzers.base import (
    Answer,
    Citation,
    ConversationText,
    Kind,
    Side,
    UtteranceText,
)
from trackers.analyzers.llm import quoted, reading, transcripts
from trackers.analyzers.llm.prompts import CITATIONS_MAX, PARAGRAPHS_MAX
from trackers.analyzers.llm.transcripts import Line
from trackers.analyzers.offline import asking, embedding

WINDOWS_MAX = 80
NO_CONVERSATION = "There is no call or e-mail to read in this period."
NOTHING = "The language model found no answer in these calls and e-mails that it can quote."
UNBACKED = "Not backed by a quote, so do not rely on it: "
LEFT_OUT = "Left out: {} that quoted words nobody said."
_PARAGRAPH_LENGTH_MAX = 1_000
_KINDS = {Kind.CALL: "Call", Kind.EMAIL: "E-mail"}


@dataclass(frozen=True, slots=True)
class Passages:
    """What one request carries: lines, where each conversation begins, and whose line is whose."""

    lines: tuple[Line, ...]
    headings: Mapping[str, str]
    conversations: Mapping[str, str]


def choose(
    question: str, conversations: Sequence[ConversationText], *, tokens_max: int
) -> list[tuple[int, tuple[UtteranceText, ...]]]:
    """Return what is read of the conversations, by their places, the most telling first.

    Everything where it fits, in the order given.
    """
    said = [(place, one.utterances) for place, one in enumerate(conversations) if one.utterances]
    total = sum(_tokens(turns) for _, turns in said)
    if total <= tokens_max:
        return said
    try:
        embedder = embedding.load()
    except embedding.VectorsUnavailable:
        embedder = None
    found: list[tuple[int, tuple[UtteranceText, ...]]] = []
    left = tokens_max
    for place, ids in asking.best_windows(question, conversations, embedder, count=WINDOWS_MAX):
        wanted = set(ids)
        turns = tuple(one for one in conversations[place].utterances if one.id in wanted)
        left -= _tokens(turns)
        if left < 0 and found:
            break
        found.append((place, turns))
    return found


def passages(
    conversations: Sequence[ConversationText],
    chosen: Sequence[tuple[int, tuple[UtteranceText, ...]]],
    *,
    tokens_max: int,
) -> Passages:
    """Write down what was chosen, each conversation once, in the order in which it was said."""
    turns: dict[int, dict[str, UtteranceText]] = {}
    for place, utterances in chosen:
        turns.setdefault(place, {}).update({one.id: one for one in utterances})
    lines: list[Line] = []
    headings: dict[str, str] = {}
    owners: dict[str, str] = {}
    for number, place in enumerate(sorted(turns), start=1):
        conversation = conversations[place]
        ordered = [one for one in conversation.utterances if one.id in turns[place]]
        own = transcripts.lines_of(ordered, tokens_max=tokens_max, first=len(owners) + 1)
        if not own:
            continue
        headings[own[0].name] = f"{_KINDS[conversation.kind]} {number}:"
        owners |= {line.name: conversation.id for line in own}
        lines += own
    return Passages(tuple(lines), headings, owners)


def is_answer(answer: dict[str, Any]) -> bool:
    """Tell whether an answer has the form that was asked for."""
    given = answer.get("paragraphs")
    return isinstance(given, list) and all(
        isinstance(one, dict) and isinstance(one.get("text"), str) for one in given
    )


def shown(answer: dict[str, Any], read: Passages) -> Answer:
    """Return the answer with the quotes it stands on; what has none is labelled, or left out."""
    cited: dict[tuple[str, int, int], Citation] = {}
    backed, unbacked, left_out = [], [], 0
    for one in answer["paragraphs"][:PARAGRAPHS_MAX]:
        text = " ".join(reading.plain(one["text"]).split())[:_PARAGRAPH_LENGTH_MAX]
        if not text:
            continue
        if not quoted.is_said(text, transcripts.said(read.lines)):
            left_out += 1
            continue
        proof = reading.verified(
            one.get("citations"), read.lines, Side.ANY, count_max=CITATIONS_MAX
        )
        if not proof:
            unbacked.append(f"{UNBACKED}{text}")
            continue
        marks = []
        for line, evidence in proof:
            place = (evidence.utterance_id, evidence.start, evidence.end)
            owner = read.conversations[line.name]
            cited.setdefault(place, Citation(owner, (evidence.utterance_id,), evidence))
            marks.append(f"[{list(cited).index(place) + 1}]")
        backed.append(f"{text} {''.join(marks)}")
    notes = [LEFT_OUT.format("a paragraph" if left_out == 1 else f"{left_out} paragraphs")]
    said = [*(backed or [NOTHING]), *unbacked, *(notes if left_out else [])]
    return Answer("\n".join(said), tuple(cited.values()))


def _tokens(turns: Sequence[UtteranceText]) -> int:
    # With the line's name and speaker.
    return sum(transcripts.estimated_tokens(one.text) + 8 for one in turns)
