"""Hold a quote against what was said: only words that are stored are ever shown.

A model may change case, spaces and punctuation, or a letter here and there. So a quote is looked
for folded, and else for what resembles it most. What comes back is the place in the stored text,
and what is shown is the stored text.
"""

from __future__ import annotations

import html
import unicodedata
from difflib import SequenceMatcher

RATIO_MIN = 0.9
QUOTE_LENGTH_MAX = 300
# Shorter ones are found anywhere, unless they are all that was said. A wide letter, as Chinese has,
# says as much as several.
QUOTE_LENGTH_MIN = 8
_WIDE_LETTER = 3
# How far around the longest match the rest of a quote is looked for, as a share of its length.
_SLACK = 0.1
_TYPED = str.maketrans(
    {
        "‘": "'",
        "’": "'",
        "‚": "'",
        "“": '"',
        "”": '"',
        "„": '"',
        "–": "-",
        "—": "-",
        "…": ".",
        "＜": "<",
        "＞": ">",
        "［": "[",
        "］": "]",
    }
)


def find(quote: str, text: str) -> tuple[int, int] | None:
    """Return where a quote begins and ends in a text; None where it was not said.

    The place has whole words and at most ``QUOTE_LENGTH_MAX`` characters, or few more.
    """
    wanted, _ = _folded(html.unescape(quote)[:QUOTE_LENGTH_MAX])
    wanted = wanted.strip(" \"'.")
    said, places = _folded(text)
    if not any(letter.isalnum() for letter in wanted):
        return None
    if _length(wanted) < QUOTE_LENGTH_MIN and wanted != said.strip(" \"'.,!?"):
        return None
    first = said.find(wanted)
    found = (first, first + len(wanted)) if first >= 0 else _nearest(wanted, said)
    if found is None:
        return None
    return _whole_words(text, places[found[0]], places[found[1] - 1] + 1)


def folded(text: str) -> str:
    """Return a text without differences of case, width, space and of how letters are composed."""
    return _folded(text)[0]


def _length(text: str) -> int:
    return sum(_WIDE_LETTER if unicodedata.east_asian_width(one) == "W" else 1 for one in text)


def _folded(text: str) -> tuple[str, list[int]]:
    """Return a text folded, and where each of its letters was."""
    letters: list[str] = []
    places: list[int] = []
    for place, letter in enumerate(text):
        if letter.isspace():
            if letters and letters[-1] != " ":
                letters.append(" ")
                places.append(place)
            continue
        if unicodedata.category(letter) == "Cf":
            continue  # Not seen: soft hyphens, joiners, marks of direction.
        # Decomposed, letter by letter: an é of one sign or of two is the same.
        for one in unicodedata.normalize("NFKD", letter.translate(_TYPED)).casefold():
            letters.append(one)
            places.append(place)
    return "".join(letters), places


def _nearest(wanted: str, said: str) -> tuple[int, int] | None:
    """Return the stretch that resembles the quote most, if it does enough."""
    matcher = SequenceMatcher(None, said, wanted, autojunk=False)
    longest = matcher.find_longest_match(0, len(said), 0, len(wanted))
    if longest.size < 4:
        return None
    start = longest.a - longest.b
    slack = max(2, int(len(wanted) * _SLACK))
    # Letters that were left out or put in move the beginning, then the end.
    begins = [(first, first + len(wanted)) for first in _around(start, slack)]
    _, (first, end) = _best(wanted, said, begins)
    ratio, place = _best(wanted, said, [(first, last) for last in _around(end, slack)])
    return place if ratio >= RATIO_MIN else None


def _around(place: int, slack: int) -> list[int]:
    """Return the places around one, the nearest first."""
    return sorted(range(place - slack, place + slack + 1), key=lambda one: abs(one - place))


def _best(wanted: str, said: str, spans: list[tuple[int, int]]) -> tuple[float, tuple[int, int]]:
    """Return how much the best of the spans resembles the quote, and which it is."""
    best, place = 0.0, (max(spans[0][0], 0), min(spans[0][1], len(said)))
    for first, last in spans:
        low, high = max(first, 0), min(last, len(said))
        part = SequenceMatcher(None, said[low:high], wanted, autojunk=False)
        if high <= low or part.quick_ratio() <= best:
            continue
        if (ratio := part.ratio()) > best:
            best, place = ratio, (low, high)
    return best, place


def _whole_words(text: str, start: int, end: int) -> tuple[int, int]:
    while start > 0 and text[start - 1].isalnum() and text[start].isalnum():
        start -= 1
    while end < len(text) and text[end].isalnum() and text[end - 1].isalnum():
        end += 1
    return start, end
