"""Where people wrote of a person into trackers: names, descriptions, questions, examples.

An address, or a name with a surname, is replaced by ``ERASED``, in trackers of today, all their
versions and their history; example phrases that say one are removed. In a text that says one, the
person's first name and the parts of the address go, too. A first name alone is many people's.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.db.models import Exists, F, Model, OuterRef
from django.db.models.functions import Now

from credits.models import Company
from trackers import lessons
from trackers.models import Preview, Review, Tracker, TrackerVersion

ERASED = "[erased]"
EXAMPLE_FIELDS = ("examples", "counter_examples")
WORDS_OF_TRACKERS = ("name", "description")
WORDS_OF_VERSIONS = ("question", "details", "choices", "terms")
# Shorter names would be found where they do not belong.
NAME_LENGTH_MIN = 6
# Of a name or an address, in a text that says the whole.
PART_LENGTH_MIN = 3


@dataclass(frozen=True)
class Person:
    """What somebody is called: e-mail addresses, and names with or without a surname."""

    addresses: tuple[str, ...]
    names: tuple[str, ...] = ()

    @cached_property
    def full_names(self) -> tuple[str, ...]:
        """Return the names that can be searched for: with a surname they are one person's."""
        names = {" ".join(name.split()) for name in self.names}
        return tuple(sorted(name for name in names if " " in name and len(name) >= NAME_LENGTH_MIN))

    @property
    def words(self) -> tuple[str, ...]:
        """Return what copies of other kinds are searched for."""
        return (*self.addresses, *self.full_names)

    def is_named_in(self, text: str) -> bool:
        return self._whole is not None and self._whole.search(text) is not None

    def without(self, text: str) -> str:
        """Return a text without the person."""
        if self._whole is None or not self._whole.search(text):
            return text
        shortened = self._whole.sub(ERASED, text)
        return self._part.sub(ERASED, shortened) if self._part else shortened

    @cached_property
    def _whole(self) -> re.Pattern[str] | None:
        addresses = [rf"(?<![\w.+-]){re.escape(one)}(?![\w-]|\.\w)" for one in self.addresses]
        names = [rf"(?<!\w){_spaced(name)}(?!\w)" for name in self.full_names]
        found = [*addresses, *names]
        return re.compile("|".join(found), re.IGNORECASE) if found else None

    @cached_property
    def _part(self) -> re.Pattern[str] | None:
        said = (*self.names, *(address.partition("@")[0] for address in self.addresses))
        parts = {part for text in said for part in re.findall(r"[^\W\d_]+", text)}
        # The longest first, and never in what stands for the erased already.
        usable = sorted(
            (part for part in parts if len(part) >= PART_LENGTH_MIN), key=len, reverse=True
        )
        if not usable:
            return None
        one = "|".join(re.escape(part) for part in usable)
        return re.compile(rf"(?<![\w\[])(?:{one})(?!\w)", re.IGNORECASE)


def trackers_that_name(*, company: Company, person: Person) -> list[Tracker]:
    """Return the trackers that name a person, today or before, by name."""
    named = {row.pk for row in _trackers(company) if _changes(row, person)}
    named |= {row.id for row in _history(company) if _changes(row, person)}
    named |= {row.tracker_id for row in _versions(company) if _changes(row, person)}
    return list(Tracker.objects.filter(pk__in=named).order_by("name"))


def erase(*, company: Company, person: Person) -> list[Tracker]:
    """Take a person out of the company's trackers; return those that named them, by name.

    Inside the caller's transaction. What was asked changes by these words only: it is no new
    version, reads nothing anew, and its reviews and tests stay its own. The analyzer learns anew,
    and a form that was opened before is refused: it would bring the words back.
    """
    rows = Tracker.objects.filter(company=company).order_by("pk").only("pk")
    list(rows.select_for_update(no_key=True))
    named = set()
    for row in _trackers(company):
        if changes := _changes(row, person):
            if "name" in changes:
                changes["name"] = _free_name(row, changes["name"])
            Tracker.objects.filter(pk=row.pk).update(**changes)
            named.add(row.pk)
    for row in _history(company):
        if changes := _changes(row, person):
            Tracker.history.model.objects.filter(pk=row.pk).update(**changes)
            named.add(row.id)
    for version in _versions(company):
        if changes := _changes(version, person):
            _reword(version, changes)
            named.add(version.tracker_id)
    # update(), not save(): history would keep what goes.
    Tracker.objects.filter(pk__in=named).update(edit_number=F("edit_number") + 1)
    TrackerVersion.objects.filter(tracker__in=named).update(calibration=None)
    return list(Tracker.objects.filter(pk__in=named).order_by("name"))


def _changes(row: Any, person: Person) -> dict[str, Any]:
    """Return the fields of a row that name the person, as they are without."""
    fields = WORDS_OF_VERSIONS if isinstance(row, TrackerVersion) else WORDS_OF_TRACKERS
    found = {name: _replaced(row, name, person) for name in fields}
    if not isinstance(row, TrackerVersion):
        found |= {
            name: [one for one in getattr(row, name) if not person.is_named_in(one)]
            for name in EXAMPLE_FIELDS
        }
    return {name: value for name, value in found.items() if value != getattr(row, name)}


def _replaced(row: Model, name: str, person: Person) -> Any:
    value, field = getattr(row, name), row._meta.get_field(name)
    if isinstance(value, list):
        return [person.without(one)[: field.base_field.max_length] for one in value]  # type: ignore[union-attr]
    return person.without(value)[: field.max_length]  # type: ignore[union-attr]


def _reword(version: TrackerVersion, changes: dict[str, Any]) -> None:
    """Write a version's new words; what was said of the question goes on being said of it."""
    before = lessons.asked(version)
    for name, value in changes.items():
        setattr(version, name, value)
    after = lessons.asked(version)
    TrackerVersion.objects.filter(pk=version.pk).update(**changes)
    reviews = Review.objects.filter(tracker=version.tracker_id, asked=before)
    # Two questions that differed by a person's name are now one; one review of a text is in force.
    others = Review.objects.filter(
        tracker=version.tracker_id,
        asked=after,
        conversation=OuterRef("conversation"),
        revision=OuterRef("revision"),
        replaced_at=None,
    )
    reviews.filter(Exists(others), replaced_at=None).update(replaced_at=Now())
    reviews.update(asked=after)
    Preview.objects.filter(tracker=version.tracker_id, asked=before).update(asked=after)


def _free_name(tracker: Tracker, name: str) -> str:
    """Return a name that no other tracker of the company has."""
    others = Tracker.objects.filter(company=tracker.company_id).exclude(pk=tracker.pk)
    if not others.filter(name=name).exists():
        return name
    mark = f" #{tracker.pk.hex[-8:]}"
    return f"{name[: Tracker._meta.get_field('name').max_length - len(mark)]}{mark}"  # type: ignore[operator]


def _trackers(company: Company) -> Iterable[Tracker]:
    return Tracker.objects.filter(company=company).order_by("pk")


def _history(company: Company) -> Iterator[Any]:
    rows: Iterator[Any] = Tracker.history.filter(company=company).order_by("pk").iterator()
    return rows


def _versions(company: Company) -> Iterable[TrackerVersion]:
    return TrackerVersion.objects.filter(company=company).defer("calibration").order_by("pk")


def _spaced(name: str) -> str:
    return r"\s+".join(re.escape(word) for word in name.split())
