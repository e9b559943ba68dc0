"""Find terms in what was said: whole words and phrases, in any writing, without an analyzer.

Text and terms are cut into the same words: letters, digits and their marks, compared without
regard to case and to how a character was composed; hyphens and apostrophes separate. In writing
without spaces, such as Chinese or Thai, each character is a word. Signs that a term may be about,
as in “C++” or “50 %”, are words of their own. A phrase never runs over the end of a sentence. What
is written with a hyphen is the same joined, and in a term the same with a space
(``trackers.keyword_steps``).

Linear in the text, whatever it or the terms are: the words are walked once along a tree of the
terms, which is at most ``TERM_WORDS_MAX`` deep. No pattern comes from a person.
"""

from __future__ import annotations

import re
import sys
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from trackers import keyword_steps, languages
from trackers.analyzers.base import (
    Affiliation,
    Confidence,
    ConversationText,
    Evidence,
    Finding,
    Side,
    Verdict,
)
from trackers.keyword_steps import Stems, Steps, Word

TERMS_MAX = 50
TERM_LENGTH_MAX = 100
TERM_WORDS_MAX = 10
QUOTES_MAX = 3
QUOTE_LENGTH_MAX = 300
NAMED_MAX = 10  # Terms that an answer names.

# Writings without spaces between words: Thai, Lao, Burmese, Khmer; kana, ideographs.
_SPACELESS = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3040-\u30ff\u31f0-\u31ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uf900-\ufaff\uff66-\uff9f\U00020000-\U0003ffff"
)
# Characters that are there to shape a word, and are no part of it.
_INVISIBLE = "\u00ad\u200c\u200d\u2060\ufeff"
_WITHOUT_INVISIBLE = dict.fromkeys(map(ord, _INVISIBLE))
_DOTTED = "i\u0307"  # Without case of the Turkish capital in “İstanbul”, which is a plain i.
_SIGNS = "#%&@+$€£¥§°©®™"
_SIDES = {Side.REP: Affiliation.COMPANY, Side.CUSTOMER: Affiliation.NON_COMPANY}

Tree = dict[str, Any]
END = ""  # In a tree: the term that ends here; no word is empty.


class NoWords(Exception):
    """A term without a letter, digit or sign that could be found; write it in words."""


class TooManyWords(Exception):
    """A term is longer than a phrase; write the few words of it that matter."""


@dataclass(frozen=True, slots=True)
class Hit:
    """A term found: ``text[start:end]``."""

    term: str
    start: int
    end: int


@cache
def _pattern() -> re.Pattern[str]:
    marks = _ranges_of_marks()
    return re.compile(
        # A sentence ends; a sign; a character of a writing without spaces; a word. Each begins
        # with another character, and none can fail once it began, so that nothing is read twice.
        rf"(?P<end>[.!?;:…](?=\s|\Z)|[。！？\r\n])|[{_SIGNS}]|[{_SPACELESS}][{marks}]*"
        rf"|(?![{_SPACELESS}_])\w(?:(?![{_SPACELESS}_])[\w{marks}{_INVISIBLE}])*"
    )


def _ranges_of_marks() -> str:
    """Return all combining marks as the inside of a character class."""
    found: list[list[int]] = []
    for code in range(sys.maxunicode + 1):
        if unicodedata.category(chr(code)).startswith("M"):
            if found and found[-1][1] == code - 1:
                found[-1][1] = code
            else:
                found.append([code, code])
    return "".join(f"{chr(first)}-{chr(last)}" for first, last in found)


def words_of(text: str) -> list[Word | None]:
    """Cut a text into words as they are compared; None where a sentence ends."""
    found: list[Word | None] = []
    for match in _pattern().finditer(text):
        if match.group("end"):
            found.append(None)
            continue
        written = match.group()
        form = written.lower() if written.isascii() else _form(written)
        if form:
            found.append(Word(match.start(), match.end(), form))
    return found


def refuse_unfindable(term: str) -> None:
    """Check that a term can be found at all.

    :raises NoWords: nothing in it is a word.
    :raises TooManyWords: it has more than ``TERM_WORDS_MAX``.
    """
    count = len([word for word in words_of(term) if word is not None])
    if not count:
        raise NoWords(NoWords.__doc__)
    if count > TERM_WORDS_MAX:
        raise TooManyWords(TooManyWords.__doc__)


@dataclass(slots=True)
class Matcher:
    """Finds terms in conversations; with ``related_forms`` also their words' other endings.

    Not to be shared between threads. Word forms are those of the conversation's language where
    its record named one, else of English.
    """

    terms: Sequence[str]
    related_forms: bool = False
    side: Side = Side.ANY
    _trees: dict[str, Tree] = field(default_factory=dict)
    _stems: dict[str, Stems] = field(default_factory=dict)

    def read(self, question_id: str, conversation: ConversationText) -> Finding:
        """Say whether any of the terms was said, quoting the first utterances that say one."""
        code = conversation.language or languages.DEFAULT
        counts: Counter[str] = Counter()
        evidence: list[Evidence] = []
        for turn in conversation.utterances:
            if self.side != Side.ANY and turn.affiliation != _SIDES[self.side]:
                continue
            hits = self.hits(turn.text, code)
            counts.update(hit.term for hit in hits)
            if hits and len(evidence) < QUOTES_MAX:
                start, end = _passage(turn.text, hits[0])
                evidence.append(Evidence(turn.id, start, end, turn.text[start:end]))
        return Finding(
            question_id=question_id,
            verdict=Verdict.YES if counts else Verdict.NO,
            score=1.0 if counts else 0.0,
            confidence=Confidence.HIGH,
            answer=_in_words(counts),
            evidence=tuple(evidence),
        )

    def hits(self, text: str, language: str = languages.DEFAULT) -> list[Hit]:
        """Return the terms found, in order; of several that begin at one place, the longest."""
        tree, stems = self._tree(language), self._stems_of(language)
        text = stems.small(text)
        words = words_of(text)
        forms = [None if word is None else stems.of(word.form) for word in words]
        others = keyword_steps.beside(text, words, stems)
        found: list[Hit] = []
        place = 0
        while place < len(words):
            first = words[place]
            if first is None or (forms[place] not in tree and place not in others):
                place += 1
                continue
            longest = _longest(tree, forms, others, place)
            if longest is None:
                place += 1
                continue
            term, place = longest
            last = words[place - 1]
            assert last is not None
            found.append(Hit(term, first.start, last.end))
        return found

    def _tree(self, language: str) -> Tree:
        if language not in self._trees:
            tree: Tree = {}
            stems = self._stems_of(language)
            for term in self.terms:
                small = stems.small(term)
                for path in keyword_steps.ways_to_say(small, words_of(small), stems):
                    branch = tree
                    for form in path:
                        branch = branch.setdefault(form, {})
                    # The first of two terms that come to the same words names both.
                    branch.setdefault(END, term)
            self._trees[language] = tree
        return self._trees[language]

    def _stems_of(self, language: str) -> Stems:
        if language not in self._stems:
            self._stems[language] = Stems(language, related_forms=self.related_forms)
        return self._stems[language]


def _form(word: str) -> str:
    """Return the form in which a word is compared: composed, without case."""
    shown = unicodedata.normalize("NFKC", word.translate(_WITHOUT_INVISIBLE)).casefold()
    return unicodedata.normalize("NFKC", shown).replace(_DOTTED, "i")


def _longest(
    tree: Tree, forms: Sequence[str | None], others: Steps, place: int
) -> tuple[str, int] | None:
    """Return the longest term that begins at a word, and the place after it; None if none does."""
    found = None
    walks = [(tree, place)]
    for branch, at in walks:
        if at >= len(forms) or (form := forms[at]) is None:
            continue
        for said, after in ((form, at + 1), *others.get(at, ())):
            further = branch.get(said)
            if further is None:
                continue
            if END in further and (found is None or after > found[1]):
                found = (further[END], after)
            walks.append((further, after))
    return found


def _passage(text: str, hit: Hit) -> tuple[int, int]:
    """Return the sentence around a hit, cut to what fits a quote."""
    room = max(QUOTE_LENGTH_MAX - (hit.end - hit.start), 0)
    earliest, latest = max(hit.start - room // 2, 0), min(hit.end + room // 2, len(text))
    before = [end.end() for end in _ENDS.finditer(text, earliest, hit.start)]
    after = _ENDS.search(text, hit.end, latest)
    start = before[-1] if before else earliest
    end = after.start() + 1 if after else latest
    while start < hit.start and text[start].isspace():
        start += 1
    while end > hit.end and text[end - 1].isspace():
        end -= 1
    return start, end


_ENDS = re.compile(r"[.!?…](?=\s)|[。！？\r\n]")


def _in_words(counts: Counter[str]) -> str:
    """Say which terms were found, the most frequent first."""
    if not counts:
        return "No"
    named = [
        f"“{term}”" if count == 1 else f"“{term}” ({count} times)"
        for term, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))
    ]
    rest = len(named) - NAMED_MAX
    return ", ".join(named[:NAMED_MAX]) + (f" and {rest} more" if rest > 0 else "")
