"""Where people wrote of a person into trackers: names, descriptions, questions, examples.

An address, or a name with a surname, is replaced by ``ERASED``, in trackers of today, all their
versions and their history; example phrases that say one are removed. In a text that says one, the
person's first name and the parts of the address go, too; so do they from a list that says a first
and a last name in two places. A first name alone is many people's.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from credits.models import Company
from trackers import rewording
from trackers.models import Tracker, TrackerVersion
from trackers.rewording import ERASED, EXAMPLE_FIELDS

# Shorter names would be found where they do not belong.
NAME_LENGTH_MIN = 6
# Of a name or an address, in a text that says the whole.
PART_LENGTH_MIN = 3
# How many words at the end of a name may be the surname, as in “Ana de la Cruz”.
SURNAME_WORDS_MAX = 3
_WORD = re.compile(r"[^\W\d_]+")


@dataclass(frozen=True)
class Person:
    """What somebody is called: e-mail addresses, and names with or without a surname."""

    addresses: tuple[str, ...]
    names: tuple[str, ...] = ()

    @cached_property
    def full_names(self) -> tuple[str, ...]:
        """Return the names that can be searched for: with a surname they are one person's.

        Each as it is spoken, and with the surname first, before a comma or without.
        """
        spoken = {one for name in self.names for one in _spoken(name)}
        usable = {name for name in spoken if " " in name and len(name) >= NAME_LENGTH_MIN}
        return tuple(sorted({form for name in usable for form in _forms(name)}))

    @property
    def words(self) -> tuple[str, ...]:
        """Return what copies of other kinds are searched for."""
        return (*self.addresses, *self.full_names)

    def is_named_in(self, text: str) -> bool:
        return self._whole is not None and self._whole.search(text) is not None

    def is_named_among(self, texts: Sequence[str]) -> bool:
        """Tell whether one of some texts names the person, or several do together."""
        if self.is_named_in(" ".join(texts)) or any(map(self.is_named_in, texts)):
            return True
        said = [_words(text) for text in texts]
        return any(
            name <= {word for words in said if words <= name for word in words}
            for name in self._full
        )

    def without(self, text: str) -> str:
        """Return a text without the person."""
        return self.blanked(text) if self.is_named_in(text) else text

    def without_among(self, texts: Sequence[str]) -> list[str]:
        """Return texts that belong together, such as a tracker's keywords, without the person."""
        if not self.is_named_among(texts):
            return list(texts)
        return [ERASED if self.is_all_of(text) else self.blanked(text) for text in texts]

    def is_all_of(self, text: str) -> bool:
        """Tell whether a text says nothing but parts of the person's names and addresses."""
        words = _words(text)
        return bool(words) and words <= self._parts

    def blanked(self, text: str) -> str:
        """Return a text that is known to be of the person without any part of their name."""
        shortened = self._whole.sub(ERASED, text) if self._whole else text
        return self._part.sub(ERASED, shortened) if self._part else shortened

    @cached_property
    def _whole(self) -> re.Pattern[str] | None:
        addresses = [rf"(?<![\w.+-]){re.escape(one)}(?![\w-]|\.\w)" for one in self.addresses]
        names = [rf"(?<!\w){_spaced(name)}(?!\w)" for name in self.full_names]
        found = [*addresses, *names]
        return re.compile("|".join(found), re.IGNORECASE) if found else None

    @cached_property
    def _full(self) -> frozenset[frozenset[str]]:
        return frozenset(map(_words, self.full_names))

    @cached_property
    def _parts(self) -> frozenset[str]:
        said = (*self.names, *(address.partition("@")[0] for address in self.addresses))
        return frozenset(word for text in said for word in _words(text))

    @cached_property
    def _part(self) -> re.Pattern[str] | None:
        # The longest first, and never in what stands for the erased already.
        usable = sorted(
            (part for part in self._parts if len(part) >= PART_LENGTH_MIN), key=len, reverse=True
        )
        if not usable:
            return None
        one = "|".join(re.escape(part) for part in usable)
        return re.compile(rf"(?<![\w\[])(?:{one})(?!\w)", re.IGNORECASE)


def trackers_that_name(*, company: Company, person: Person) -> list[Tracker]:
    """Return the trackers that name a person, today or before, by name."""
    return rewording.touched(company=company, rewrite=lambda row: _without(row, person))


def erase(*, company: Company, person: Person) -> list[Tracker]:
    """Take a person out of the company's trackers; return those that named them, by name.

    Inside the caller's transaction.
    """
    return rewording.apply(company=company, rewrite=lambda row: _without(row, person))


def _without(row: Any, person: Person) -> dict[str, Any]:
    found = {
        name: rewording.fitted(row, name, person.without_among(rewording.texts_of(row, name)))
        for name in rewording.fields_of(row)
    }
    if not isinstance(row, TrackerVersion):
        return found | {name: _examples(getattr(row, name), person) for name in EXAMPLE_FIELDS}
    if person.is_named_among(row.terms):
        # The question is made of the terms.
        found["question"] = person.blanked(row.question)
    return found


def _examples(texts: list[str], person: Person) -> list[str]:
    if not person.is_named_among(texts):
        return texts
    return [one for one in texts if not (person.is_named_in(one) or person.is_all_of(one))]


def _spoken(name: str) -> Iterator[str]:
    """Yield a name as it is spoken: of “Customer, Carl” that is “Carl Customer”.

    A comma may stand before a title as well, as in “Carl Customer, PhD”.
    """
    before, _, after = (" ".join(part.split()) for part in name.partition(","))
    yield before
    if after:
        yield f"{after.replace(',', '')} {before}"


def _forms(name: str) -> Iterator[str]:
    words = name.split()
    yield name
    for count in range(1, min(SURNAME_WORDS_MAX, len(words) - 1) + 1):
        first, last = " ".join(words[:-count]), " ".join(words[-count:])
        yield f"{last} {first}"
        yield f"{last}, {first}"


def _words(text: str) -> frozenset[str]:
    return frozenset(_WORD.findall(text.lower()))


def _spaced(name: str) -> str:
    spaced = r"\s+".join(re.escape(word) for word in name.split())
    return spaced.replace(r",\s+", r"\s*,\s*")
