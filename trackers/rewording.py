"""Rewrite what people wrote into trackers: in trackers of today, all their versions and history.

What was asked changes by the words that go only: it is no new version, reads nothing anew, and its
reviews and tests stay its own.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from django.db.models import Exists, F, OuterRef
from django.db.models.functions import Now

from credits.models import Company
from trackers import lessons
from trackers.models import Preview, Review, Tracker, TrackerVersion

ERASED = "[erased]"
EXAMPLE_FIELDS = ("examples", "counter_examples")
WORDS_OF_TRACKERS = ("name", "description")
WORDS_OF_VERSIONS = ("question", "details", "choices", "terms")

# Returns some fields of a tracker, a row of its history or a version, as they are to be.
Rewrite = Callable[[Any], dict[str, Any]]


def fields_of(row: Any) -> tuple[str, ...]:
    """Return the names of a row's fields with prose; those with examples are not among them."""
    return WORDS_OF_VERSIONS if isinstance(row, TrackerVersion) else WORDS_OF_TRACKERS


def texts_of(row: Any, name: str) -> list[str]:
    """Return a field's texts: a list's items, or the only one."""
    value = getattr(row, name)
    return list(value) if isinstance(value, list) else [value]


def fitted(row: Any, name: str, texts: list[str]) -> Any:
    """Return the value of a field that has these texts, each as long as it may be."""
    field = row._meta.get_field(name)
    if isinstance(getattr(row, name), list):
        return [text[: field.base_field.max_length] for text in texts]
    return texts[0][: field.max_length]


def touched(*, company: Company, rewrite: Rewrite) -> list[Tracker]:
    """Return the trackers that something of changes, today or before, by name."""
    named = {row.pk for row in trackers(company) if _changes(row, rewrite)}
    named |= {row.id for row in history(company) if _changes(row, rewrite)}
    named |= {row.tracker_id for row in versions(company) if _changes(row, rewrite)}
    return list(Tracker.objects.filter(pk__in=named).order_by("name"))


def apply(*, company: Company, rewrite: Rewrite) -> list[Tracker]:
    """Rewrite the company's trackers; return those that something of changed, by name.

    Inside the caller's transaction. The analyzer learns anew, and a form that was opened before
    is refused: it would bring the words back.
    """
    rows = Tracker.objects.filter(company=company).order_by("pk").only("pk")
    list(rows.select_for_update(no_key=True))
    named = set()
    for row in trackers(company):
        if changes := _changes(row, rewrite):
            if "name" in changes:
                changes["name"] = _free_name(row, changes["name"])
            Tracker.objects.filter(pk=row.pk).update(**changes)
            named.add(row.pk)
    for row in history(company):
        if changes := _changes(row, rewrite):
            Tracker.history.model.objects.filter(pk=row.pk).update(**changes)
            named.add(row.id)
    for version in versions(company):
        if changes := _changes(version, rewrite):
            _reword(version, changes)
            named.add(version.tracker_id)
    # update(), not save(): history would keep what goes.
    Tracker.objects.filter(pk__in=named).update(edit_number=F("edit_number") + 1)
    TrackerVersion.objects.filter(tracker__in=named).update(calibration=None)
    return list(Tracker.objects.filter(pk__in=named).order_by("name"))


def trackers(company: Company) -> Iterable[Tracker]:
    return Tracker.objects.filter(company=company).order_by("pk")


def history(company: Company) -> Iterator[Any]:
    rows: Iterator[Any] = Tracker.history.filter(company=company).order_by("pk").iterator()
    return rows


def versions(company: Company) -> Iterable[TrackerVersion]:
    return TrackerVersion.objects.filter(company=company).defer("calibration").order_by("pk")


def _changes(row: Any, rewrite: Rewrite) -> dict[str, Any]:
    return {name: value for name, value in rewrite(row).items() if value != getattr(row, name)}


def _reword(version: TrackerVersion, changes: dict[str, Any]) -> None:
    """Write a version's new words; what was said of the question goes on being said of it."""
    before = lessons.asked(version)
    for name, value in changes.items():
        setattr(version, name, value)
    after = lessons.asked(version)
    TrackerVersion.objects.filter(pk=version.pk).update(**changes)
    reviews = Review.objects.filter(tracker=version.tracker_id, asked=before)
    # Two questions that differed by what went are now one; one review of a text is in force.
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
