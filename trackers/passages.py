"""Where people wrote into trackers what was said: found by five words in a row, and cut out.

Names, descriptions, questions, details, choices and keywords, of trackers, all versions and
history, are compared with turns and titles, however either is punctuated; the items of a list as
one text. What the audit trail says of trackers is compared, too, so that it is found there.

A passage that a conversation that stays says as well is nobody's, and stays. So does one of at
most ten words that a tracker asked, or was called, before the conversation came: it is the same by
chance.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from itertools import chain, groupby
from typing import Any

from credits.models import Company
from trackers import copies, keywords, rewording
from trackers.copies import EXAMPLE_WORDS_MIN as WORDS_MIN
from trackers.copies import LETTERS_MIN
from trackers.mentions import Person
from trackers.models import Conversation, Tracker, TrackerVersion, Utterance
from trackers.rewording import ERASED, EXAMPLE_FIELDS

# More are the same in two texts by copying only.
CHANCE_WORDS_MAX = 10
# A longer passage is not looked for in conversations that stay: it goes.
SOUGHT_WORDS_MAX = 50
# What may stand within a word: “well-known” is also compared as “wellknown”.
WITHIN = frozenset("-'\u2010\u2011\u2019")
FIELDS = (*rewording.WORDS_OF_TRACKERS, *rewording.WORDS_OF_VERSIONS, *EXAMPLE_FIELDS)
_WITHIN_WORD = re.compile(rf"(?<=[^\W_])(?:{'|'.join(WITHIN)})(?=[^\W_])")
_PLAIN_WORD = re.compile(r"[^\W_]+")
# Fractions, combining marks, and writings that have them or no spaces.
_NEEDS_CARE = re.compile(
    "[\u00bc-\u00be\u0130\u0300-\u036f\u0483-\u0489\u0530-\u1dff\u2044-\u218f\u2c00-\U0010ffff]"
)
_NESTED = re.compile(r"\[*\[erased\]+")

# One text, or the items of a list.
Texts = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of some texts: of which, where it stands, and in what form it is compared."""

    text: int
    start: int
    end: int
    form: str


@dataclass(frozen=True)
class Passages:
    """What to cut: words in a row, the texts they are in trackers, and examples that say some."""

    words: frozenset[tuple[str, ...]] = frozenset()
    texts: frozenset[str] = frozenset()
    examples: frozenset[str] = frozenset()

    def __or__(self, other: Passages) -> Passages:
        return Passages(
            self.words | other.words, self.texts | other.texts, self.examples | other.examples
        )

    def without_among(self, texts: Sequence[str]) -> list[str]:
        """Return texts that belong together without the passages."""
        spans: dict[int, list[tuple[int, int]]] = {}
        for words in _readings(texts):
            for run in self._runs(words):
                for place, part in groupby(run, key=lambda word: word.text):
                    found = list(part)
                    spans.setdefault(place, []).append((found[0].start, found[-1].end))
        return [_cut(text, spans.get(place, [])) for place, text in enumerate(texts)]

    def _runs(self, words: list[_Word]) -> Iterator[list[_Word]]:
        forms = _forms(words)
        for place, said in enumerate(_grams(forms)):
            for passage in self._by_gram.get(said, ()):
                if forms[place : place + len(passage)] == passage:
                    yield words[place : place + len(passage)]

    @cached_property
    def _by_gram(self) -> dict[str, list[tuple[str, ...]]]:
        found: dict[str, list[tuple[str, ...]]] = {}
        for passage in self.words:
            found.setdefault(" ".join(passage[:WORDS_MIN]), []).append(passage)
        return found


@dataclass(slots=True)
class _Found:
    """When a passage was first said and written, as it stands in texts, and the whole of them."""

    said_at: datetime
    written_at: datetime | None = None
    texts: set[str] = field(default_factory=set)
    wholes: set[str] = field(default_factory=set)

    def is_by_chance(self, words: tuple[str, ...]) -> bool:
        if sum(map(len, words)) < LETTERS_MIN:
            return True
        is_older = self.written_at is not None and self.written_at < self.said_at
        return is_older and len(words) <= CHANCE_WORDS_MAX


def find(
    *,
    company: Company,
    conversations: Iterable[Any],
    gone: Iterable[Any] = (),
    person: Person | None = None,
) -> Passages:
    """Return what the company's trackers quote of conversations.

    Conversations in ``gone`` do not stay either. Of ``person`` turns are also compared as trackers
    are once the person is taken out of them. One pass over the turns, whatever trackers there are.
    """
    ids = list(conversations)
    written = _written(company) if ids else {}
    sought = {
        gram for texts in written for words in _readings(texts) for gram in _grams(_forms(words))
    }
    said = _said(ids, sought, person) if sought else {}
    found: dict[tuple[str, ...], _Found] = {}
    for texts, written_at in written.items() if said else ():
        for words in _readings(texts):
            for run in _said_in(words, said):
                said_at = min(said[gram] for gram in _grams(_forms(run)))
                _note(found, run, texts, said_at, written_at)
    away = {*ids, *gone}
    kept = {
        forms: one
        for forms, one in found.items()
        if not (one.is_by_chance(forms) or _stays(company, forms, away))
    }
    if not kept:
        return Passages()
    whole = {text for one in kept.values() for text in one.wholes}
    return Passages(
        frozenset(kept),
        frozenset(text for one in kept.values() for text in one.texts),
        frozenset(whole.intersection(copies.examples(company))),
    )


def trackers_that_quote(*, company: Company, passages: Passages) -> list[Tracker]:
    """Return the trackers that say one of the passages, today or before, by name."""
    if not passages.words:
        return []
    return rewording.touched(company=company, rewrite=lambda row: _without(row, passages))


def erase(*, company: Company, passages: Passages) -> list[Tracker]:
    """Cut passages out of the company's trackers; return those that said one, by name.

    Inside the caller's transaction. Examples that say one are the caller's to remove.
    """
    if not passages.words:
        return []
    return rewording.apply(company=company, rewrite=lambda row: _without(row, passages))


def _without(row: Any, passages: Passages) -> dict[str, Any]:
    if _is_shipped(row):
        return {}
    return {
        name: rewording.fitted(row, name, passages.without_among(rewording.texts_of(row, name)))
        for name in rewording.fields_of(row)
    }


def _is_shipped(row: Any) -> bool:
    """Tell whether nobody wrote what a row asks: a pretrained tracker's comes with the product."""
    return isinstance(row, TrackerVersion) and bool(row.pretrained)


def _written(company: Company) -> dict[Texts, datetime | None]:
    """Return what people wrote into trackers, and since when a tracker was called so or asked it.

    None is not known, and of what is neither.
    """
    found: dict[Texts, datetime | None] = {}
    for texts, at in chain(_in_trackers(company), _in_examples_and_trail(company)):
        known = found.setdefault(texts, at)
        if at is not None and (known is None or at < known):
            found[texts] = at
    return found


def _in_trackers(company: Company) -> Iterator[tuple[Texts, datetime | None]]:
    rows: Iterable[Any] = chain(
        rewording.trackers(company), rewording.history(company), rewording.versions(company)
    )
    for row in rows:
        if _is_shipped(row):
            continue
        for name in rewording.fields_of(row):
            yield tuple(rewording.texts_of(row, name)), _since(row, name)


def _since(row: Any, name: str) -> datetime | None:
    if isinstance(row, TrackerVersion):
        # A draft may have been changed at any time.
        return row.published_at
    return getattr(row, "history_date", None) if name == "name" else None


def _in_examples_and_trail(company: Company) -> Iterator[tuple[Texts, None]]:
    for example in copies.examples(company):
        yield (example,), None
    lines = copies.trail_of_trackers(company).values_list("changes", flat=True)
    for changes in lines.iterator():
        for name, text in copies.texts_in(changes):
            if name in FIELDS:
                yield (text,), None


def _said(conversations: list[Any], sought: set[str], person: Person | None) -> dict[str, datetime]:
    """Return the five words in a row that conversations say of those sought.

    With when the first conversation that says them came.
    """
    came = dict(Conversation.objects.filter(pk__in=conversations).values_list("pk", "arrived_at"))
    titles = Conversation.objects.filter(pk__in=conversations).values_list("pk", "title")
    turns = Utterance.objects.filter(conversation__in=conversations)
    found: dict[str, datetime] = {}
    for pk, text in chain(titles, turns.values_list("conversation", "text").iterator()):
        for form in {text, text if person is None else person.blanked(text)}:
            for words in _said_words(form):
                for gram in sought.intersection(_grams(words)):
                    found[gram] = min(found.get(gram, came[pk]), came[pk])
    return found


def _said_in(words: list[_Word], said: Collection[str]) -> Iterator[list[_Word]]:
    """Yield the longest passages of which each five words in a row were said."""
    begin = None
    for place, gram in enumerate(_grams(_forms(words))):
        if gram in said:
            begin = place if begin is None else begin
        elif begin is not None:
            yield words[begin : place - 1 + WORDS_MIN]
            begin = None
    if begin is not None:
        yield words[begin:]


def _note(
    found: dict[tuple[str, ...], _Found],
    run: list[_Word],
    texts: Texts,
    said_at: datetime,
    written_at: datetime | None,
) -> None:
    one = found.setdefault(_forms(run), _Found(said_at))
    one.said_at = min(one.said_at, said_at)
    if written_at is not None:
        one.written_at = min(one.written_at or written_at, written_at)
    first, last = run[0], run[-1]
    if first.text == last.text:
        one.texts.add(texts[first.text][first.start : last.end])
    if len(texts) == 1:
        one.wholes.add(texts[0])


def _stays(company: Company, words: tuple[str, ...], away: Collection[Any]) -> bool:
    if len(words) > SOUGHT_WORDS_MAX:
        return False
    titles = Conversation.objects.filter(company=company, title__iregex=copies.in_a_row(words))
    return copies.is_said_elsewhere(company, words, away) or titles.exclude(pk__in=away).exists()


def _readings(texts: Sequence[str]) -> list[list[_Word]]:
    """Cut texts into words: as they are, and with what a hyphen divides as one word."""
    plain = [
        _Word(place, word.start, word.end, word.form)
        for place, text in enumerate(texts)
        for word in keywords.words_of(text)
        if word is not None and any(letter.isalnum() for letter in word.form)
    ]
    joined: list[_Word] = []
    for word in plain:
        last = joined[-1] if joined else None
        if (
            last is not None
            and last.text == word.text
            and last.end + 1 == word.start
            and texts[word.text][last.end] in WITHIN
        ):
            joined[-1] = _Word(last.text, last.start, word.end, last.form + word.form)
        else:
            joined.append(word)
    return [plain] if len(joined) == len(plain) else [plain, joined]


def _said_words(text: str) -> list[list[str]]:
    """Return the forms of the words that ``_readings`` cuts one text into, in a tenth of the time.

    Turns are many, and where their words stand does not matter.
    """
    if _NEEDS_CARE.search(text):
        return [[word.form for word in words] for words in _readings([text])]
    shown = text if text.isascii() else unicodedata.normalize("NFKC", text.replace("\u00ad", ""))
    shown = shown.casefold()
    joined = _WITHIN_WORD.sub("", shown)
    plain = _PLAIN_WORD.findall(shown)
    return [plain] if joined == shown else [plain, _PLAIN_WORD.findall(joined)]


def _grams(forms: Sequence[str]) -> Iterator[str]:
    """Yield each five words in a row, by the place of the first."""
    return map(" ".join, zip(*(forms[place:] for place in range(WORDS_MIN)), strict=False))


def _forms(words: Iterable[_Word]) -> tuple[str, ...]:
    return tuple(word.form for word in words)


def _cut(text: str, spans: list[tuple[int, int]]) -> str:
    """Return a text with ``ERASED`` in the place of spans, which may overlap."""
    if not spans:
        return text
    merged: list[tuple[int, int]] = []
    for start, end in sorted(spans):
        if merged and start <= merged[-1][1]:
            merged[-1] = (merged[-1][0], max(end, merged[-1][1]))
        else:
            merged.append((start, end))
    for start, end in reversed(merged):
        text = f"{text[:start]}{ERASED}{text[end:]}"
    return _NESTED.sub(ERASED, text)
