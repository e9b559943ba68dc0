"""In what ways a word or a phrase is written and said: joined or with hyphens, in other endings.

A text is walked word by word. Beside a word there are other steps from its place: over what hyphens
join, as one word; over a possessive’s “s”; by the plural of a word like “analysis”. Terms have one
path for each way of writing them. Both are bounded, whatever people write.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import islice, pairwise, product
from typing import Any

from trackers import languages

STEMMED_LENGTH_MAX = 64  # Characters; a longer word has no other forms.
STEMS_KEPT_MAX = 50_000
JOINED_MAX = 3  # Words that hyphens join and that people also write as one.
WAYS_MAX = 64  # Of writing one term.

_HYPHEN = re.compile(r"[-\u2010\u2011](?=\w)")
_POSSESSIVE = re.compile(r"['\u2019](?=[sS]\b)")
# Here “s” is a verb: “it’s” is not of it.
_VERBS = frozenset(
    {"he", "she", "it", "that", "this", "what", "who", "where", "when", "how", "why", "there"}
    | {"here", "let", "everybody", "nobody"}
)
_TURKISH = str.maketrans("Iİ", "ıi")
# Before what “analysis” and “analyses” have in common; no word begins with it.
_PLURAL = "\0"
_PLURALS = ("sis", "ses")

# From a place in a text: a form, and the place after it.
Steps = dict[int, list[tuple[str, int]]]


@dataclass(frozen=True, slots=True)
class Word:
    """One word of a text: where it stands, and in what form it is compared."""

    start: int
    end: int
    form: str


class Stems:
    """What the forms of a word have in common; the word itself without a language we can stem."""

    def __init__(self, language: str, *, related_forms: bool) -> None:
        self._kept: dict[str, str] = {}
        self._stemmer: Any = None
        self._is_turkish = language == "tr"
        if related_forms and language in languages.STEMMERS:
            # Only here: most processes never match a keyword tracker.
            import snowballstemmer

            self._stemmer = snowballstemmer.stemmer(languages.STEMMERS[language])
        self.has_forms = self._stemmer is not None
        self.is_english = self.has_forms and language == "en"

    def small(self, text: str) -> str:
        """Return a text of the same length in whose words “I” is small as its language has it."""
        return text.translate(_TURKISH) if self._is_turkish else text

    def of(self, form: str) -> str:
        """Return the stem; the dotless ı is an i, because in capitals nobody can tell."""
        if self._stemmer is None or len(form) > STEMMED_LENGTH_MAX:
            return form.replace("ı", "i")
        stem = self._kept.get(form)
        if stem is None:
            if len(self._kept) >= STEMS_KEPT_MAX:
                self._kept.clear()
            stem = (self._stemmer.stemWord(form) or form).replace("ı", "i")
            self._kept[form] = stem
        return stem


def beside(text: str, words: Sequence[Word | None], stems: Stems) -> Steps:
    """Return the steps over a text that are not from one word to the next."""
    steps: Steps = {}
    possessives = _possessives(text, words) if stems.has_forms else set()
    for place in possessives:
        word = words[place - 1]
        assert word is not None
        steps[place - 1] = [(stems.of(word.form), place + 1)]
    joined = _joined(text, words)
    for place in joined:
        for after, form in _joins(words, joined, place):
            ends = (after, after + 1) if after in possessives else (after,)
            steps.setdefault(place, []).extend((stems.of(form), end) for end in ends)
    if stems.is_english:
        for place, word in enumerate(words):
            if word is not None and (shared := _shared(word.form)):
                steps.setdefault(place, []).append((shared, place + 1))
    return steps


def ways_to_say(term: str, words: Sequence[Word | None], stems: Stems) -> Iterator[tuple[str, ...]]:
    """Yield the forms that a term is found by, first as it is written, ``WAYS_MAX`` at most."""
    joined = _joined(term, words)
    dropped = _possessives(term, words) if stems.has_forms else set()
    parts: list[list[tuple[str, ...]]] = []
    place = 0
    while place < len(words):
        end = place + 1
        while end - 1 in joined:
            end += 1
        group = [
            word for at, word in enumerate(words[place:end], place) if word and at not in dropped
        ]
        place = end
        ways = [tuple(stems.of(word.form) for word in group)]
        if 1 < len(group) <= JOINED_MAX:
            ways.append((stems.of("".join(word.form for word in group)),))
        elif len(group) == 1 and stems.is_english and (shared := _shared(group[0].form)):
            ways.append((shared,))
        parts.append(ways)
    for way in islice(product(*parts), WAYS_MAX):
        yield tuple(form for part in way for form in part)


def _joined(text: str, words: Sequence[Word | None]) -> set[int]:
    """Return the places of words that a hyphen joins to the next; “3-5” is no 35."""
    hyphens = {match.start() for match in _HYPHEN.finditer(text)}
    return hyphens and {
        place
        for place, (word, following) in enumerate(pairwise(words))
        if word is not None
        and word.end in hyphens
        and following is not None
        and following.start == word.end + 1
        and not (word.form[-1].isdigit() and following.form[0].isdigit())
    }


def _joins(words: Sequence[Word | None], joined: set[int], place: int) -> Iterator[tuple[int, str]]:
    """Yield the words from a place that hyphens join, as one, with the place after them."""
    first = words[place]
    assert first is not None
    form = first.form
    for at in range(place, place + JOINED_MAX - 1):
        following = words[at + 1] if at in joined else None
        if following is None:
            return
        form += following.form
        yield at + 2, form


def _possessives(text: str, words: Sequence[Word | None]) -> set[int]:
    """Return the places of an “s” that says whose something is."""
    marks = {match.end() for match in _POSSESSIVE.finditer(text)}
    return marks and {
        place + 1
        for place, (word, following) in enumerate(pairwise(words))
        if following is not None
        and following.start in marks
        and word is not None
        and following.start == word.end + 1
        and word.form not in _VERBS
    }


def _shared(form: str) -> str:
    """Return what a word like “analysis” shares with its plural; empty for other words."""
    return _PLURAL + form[:-3] if len(form) > 4 and form.endswith(_PLURALS) else ""
