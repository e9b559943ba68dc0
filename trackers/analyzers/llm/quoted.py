"""What a model puts in quotation marks in a text of its own: words that somebody must have said.

Here nothing is forgiven but case, spaces and punctuation at the ends: what is shown is as the model
wrote it, and a letter or a “not” more or less is another saying.
"""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Iterator

from trackers.analyzers.llm import quotes

# Of any language and either side of a quote: what opens in one closes in another.
_MARKS = '“”„‟"＂«»〝〞〟「」『』《》‹›'
_BY_HAND = re.compile(r"``|''|‘‘|’’|,,")
_INCHES = re.compile(r"(?<=\d)[\"”]")
# Single ones are apostrophes, too: these stand before and behind a word.
_SINGLE = re.compile(r"(?<!\w)(?:'(.+?)'|[‘‚‛’](.+?)[’‘])(?!\w)", re.S)
_LEFT_OUT = re.compile(r"…|\.\.\.|\[[^\]]*\]|\([^)]*\)")
_ENDS = " \"'.,!?;:-"


def is_said(text: str, said: Iterable[str]) -> bool:
    """Tell whether all that stands in quotation marks in a text was said, each in one of ``said``.

    A quote with something left out is as many quotes.
    """
    pieces = [
        piece
        for stretch in _stretches(html.unescape(text))
        for piece in _LEFT_OUT.split(stretch)
        if any(letter.isalnum() for letter in piece)
    ]
    if not pieces:
        return True
    folded = [quotes.folded(one) for one in said]
    return all(any(_contains(one, piece) for one in folded) for piece in pieces)


def _stretches(text: str) -> Iterator[str]:
    """Return what stands in quotation marks; what is opened and not closed, to the end."""
    text = _INCHES.sub("", _BY_HAND.sub('"', text))
    parts = re.split(f"([{_MARKS}])", text)
    words = parts[::2]
    for place, part in enumerate(words):
        # Marks come in pairs; those inside others do not, and stand close to their words.
        is_close = 0 < place < len(words) - 1 and bool(part) and part == part.strip()
        if place % 2 or is_close:
            yield part
    for found in _SINGLE.finditer(text):
        yield found.group(1) or found.group(2)


def _contains(said: str, words: str) -> bool:
    """Tell whether a folded text has these words, whole."""
    wanted = quotes.folded(words).strip(_ENDS)
    place = said.find(wanted)
    while place >= 0:
        if not (_joins(said, place) or _joins(said, place + len(wanted))):
            return True
        place = said.find(wanted, place + 1)
    return False


def _joins(text: str, place: int) -> bool:
    """Tell whether a word goes on over a place, in a script that puts spaces between words."""
    around = text[max(place - 1, 0) : place + 1]
    return 0 < place < len(text) and around.isalnum() and around.isascii()
