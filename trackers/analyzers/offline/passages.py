"""Cutting a conversation into the passages that are scored and quoted."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

from trackers.analyzers.base import Affiliation, ConversationText, Evidence, Side, UtteranceText

PASSAGE_CHARACTERS_MAX = 240
# About 18 hours of speech. A longer text is read up to here, so that one hostile item cannot
# hold a worker past its lease.
CONVERSATION_CHARACTERS_MAX = 1_000_000

_ANALYZABLE = re.compile(r"[^\W_]")
_SENTENCE_END = re.compile(r"[.!?]+[\"')\]]*\s+|\n+")
_SPACE = re.compile(r"\s")
AFFILIATIONS = {
    Side.REP: frozenset({Affiliation.COMPANY}),
    Side.CUSTOMER: frozenset({Affiliation.NON_COMPANY}),
    Side.ANY: frozenset(Affiliation),
}


@dataclass(frozen=True, slots=True)
class Passage:
    """A run of at most ``PASSAGE_CHARACTERS_MAX`` characters of one utterance."""

    utterance_id: str
    start: int
    end: int
    text: str

    def evidence(self) -> Evidence:
        return Evidence(self.utterance_id, self.start, self.end, self.text)


def on_side(conversation: ConversationText, side: Side) -> tuple[Passage, ...]:
    """Cut the utterances of one side into passages, in the order they were said.

    Empty when that side said nothing with a letter or a digit in it.
    """
    affiliations = AFFILIATIONS[side]
    passages: list[Passage] = []
    characters_left = CONVERSATION_CHARACTERS_MAX
    for utterance in conversation.utterances:
        if utterance.affiliation not in affiliations:
            continue
        text = utterance.text[:characters_left]
        characters_left -= len(text)
        passages.extend(_passages(utterance.id, text))
    return tuple(passages)


def of_utterance(utterance: UtteranceText) -> tuple[Passage, ...]:
    """Cut the whole of one utterance into passages."""
    return tuple(_passages(utterance.id, utterance.text))


def _passages(utterance_id: str, text: str) -> Iterator[Passage]:
    for start, end in _spans(text):
        if _ANALYZABLE.search(text, start, end):
            yield Passage(utterance_id, start, end, text[start:end])


def _spans(text: str) -> Iterator[tuple[int, int]]:
    """Yield half-open spans without surrounding space: the whole text when short enough, else
    as many whole sentences as fit, else a sentence cut at a space.
    """
    start = 0
    while start < len(text):
        end = len(text) if len(text) - start <= PASSAGE_CHARACTERS_MAX else _cut(text, start)
        stripped = text[start:end].strip()
        if stripped:
            first = start + text[start:end].index(stripped[0])
            yield first, first + len(stripped)
        start = end


def _cut(text: str, start: int) -> int:
    limit = start + PASSAGE_CHARACTERS_MAX
    cut = 0
    for match in _SENTENCE_END.finditer(text, start, limit + 1):
        cut = min(match.end(), limit)
    if cut > start:
        return cut
    spaces = [match.end() for match in _SPACE.finditer(text, start, limit)]
    return spaces[-1] if spaces else limit
