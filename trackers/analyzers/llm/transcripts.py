"""Write a conversation down for a model: one line an utterance, in pieces that fit.

Note [A transcript is data]
    Whatever people said or wrote is untrusted. It stands between two marks that it cannot write
    itself: its angle brackets and square brackets are replaced by wide ones, and an utterance is
    one line, so that nobody can close the transcript, or put words on another's line.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from trackers.analyzers.base import Affiliation, Side, UtteranceText

BEGIN, END = "<transcript>", "</transcript>"
BYTES_PER_TOKEN = 3.5  # Less than English has, so that an estimate is rather too high.
OVERLAP_LINES = 3
# More names than this in one list are refused by some servers.
LINES_MAX = 250
PIECE_OVERLAP_CHARACTERS = 200
_SPEAKERS = {Affiliation.COMPANY: "Rep", Affiliation.NON_COMPANY: "Customer"}
_SIDES = {
    Side.REP: (Affiliation.COMPANY,),
    Side.CUSTOMER: (Affiliation.NON_COMPANY,),
    Side.ANY: tuple(Affiliation),
}
_WIDE = str.maketrans({"<": "＜", ">": "＞", "[": "［", "]": "］"})


@dataclass(frozen=True, slots=True)
class Line:
    """One utterance, or a piece of a long one; ``name`` is what the model calls it."""

    name: str
    utterance: UtteranceText
    text: str

    @property
    def written(self) -> str:
        return f"[{self.name}] {_SPEAKERS[self.utterance.affiliation]}: {self.text}"


def estimated_tokens(text: str) -> int:
    """Return about how many tokens a text is, rather too many."""
    return math.ceil(len(text.encode(errors="replace")) / BYTES_PER_TOKEN)


def may_quote(line: Line, side: Side) -> bool:
    """Tell whether a line is of the side whose words count, and says anything."""
    return line.utterance.affiliation in _SIDES[side] and any(
        letter.isalnum() for letter in line.text
    )


def lines_of(utterances: Sequence[UtteranceText], *, tokens_max: int, first: int = 1) -> list[Line]:
    """Return the lines of a conversation; one longer than a piece is cut, with some overlap.

    Names count from ``first``; an utterance without words has none.
    """
    found: list[Line] = []
    number = first - 1
    for utterance in utterances:
        text = " ".join(utterance.text.translate(_WIDE).split())
        if text:
            number += 1
            parts = list(_cut(text, tokens_max))
            found += [Line(f"u{number}", utterance, part) for part in parts]
    return found


def said(lines: Iterable[Line]) -> list[str]:
    """Return what was said in lines, as it is stored, each utterance once."""
    return list({line.utterance.id: line.utterance.text for line in lines}.values())


def written(lines: Sequence[Line]) -> str:
    """Return lines between the marks."""
    return "\n".join((BEGIN, *(line.written for line in lines), END))


def pieces(lines: Sequence[Line], *, tokens_max: int) -> list[tuple[Line, ...]]:
    """Cut a conversation into pieces of at most so many tokens, each with the end of the last."""
    sizes = [estimated_tokens(line.written) + 1 for line in lines]
    found, first = [], 0
    while first < len(lines):
        last, total = first, 0
        while last < len(lines) and last - first < LINES_MAX:
            if last > first and total + sizes[last] > tokens_max:
                break
            total += sizes[last]
            last += 1
        found.append(tuple(lines[first:last]))
        if last == len(lines):
            break
        # The overlap is never so much that a piece brings nothing new.
        first = max(first + 1, last - min(OVERLAP_LINES, (last - first) // 4))
    return found


def halves(lines: Sequence[Line]) -> list[tuple[Line, ...]]:
    """Return a piece as two; as itself when it cannot be cut."""
    if len(lines) < 2:
        return [tuple(lines)]
    middle = len(lines) // 2
    return [tuple(lines[:middle]), tuple(lines[middle:])]


def _cut(text: str, tokens_max: int) -> Iterator[str]:
    size = max(int(tokens_max * BYTES_PER_TOKEN) // 2, 2 * PIECE_OVERLAP_CHARACTERS)
    step = size - PIECE_OVERLAP_CHARACTERS
    for first in range(0, max(len(text) - PIECE_OVERLAP_CHARACTERS, 1), step):
        yield text[first : first + size]
