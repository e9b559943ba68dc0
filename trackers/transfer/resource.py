"""Tracker configuration as an import-export resource: out, and in again (issue 4).

A file never publishes, and never makes a conversation payable again: a new tracker is a draft, a
changed question is drafted beside the version in force, and settings are settings.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from types import EllipsisType
from typing import Any, ClassVar

from django.db import transaction
from import_export.fields import Field
from import_export.instance_loaders import BaseInstanceLoader
from import_export.resources import Resource
from import_export.results import Error, RowResult

from credits.models import Company, User
from trackers import configuring, filters, pretrained, publishing, questioning
from trackers.configuring import NotSaved, Question, Settings
from trackers.models import AnswerType, Part, Side, Tracker, TrackerKind, TrackerState
from trackers.transfer import cells, files
from trackers.transfer.cells import BadCell, Reader

NEW, SAME = "New draft", "Nothing changes"
SETTINGS_ONLY = "Changed settings, in force at once"
DRAFT = "Changed draft"
NEW_VERSION = "Changed question: a draft; the version in force stays until somebody publishes"

# How each cell of the settings and of the question is read; the filters have columns of their own.
SETTINGS: dict[str, tuple[str, Reader]] = {
    "description": ("description", cells.text),
    "calls": ("include_calls", cells.truth),
    "emails": ("include_emails", cells.truth),
    "language": ("language", cells.language),
    "examples": ("examples", cells.several),
    "counter_examples": ("counter_examples", cells.several),
    "catch_up": ("catch_up", cells.truth),
    "campaign_end_date": ("campaign_end_date", cells.day),
}
KIND = cells.one_of(TrackerKind.values)
QUESTION: dict[str, Reader] = {
    "question": cells.text,
    "details": cells.text,
    "answer_type": cells.one_of(AnswerType.values),
    "choices": cells.several,
    "side": cells.one_of(Side.values),
    "part": cells.one_of(Part.values),
    "part_minutes": cells.number,
    "terms": cells.several,
    "related_forms": cells.truth,
    "pretrained": cells.small,
}
COLUMNS = (
    *("name", "kind", *QUESTION, *SETTINGS, "threshold"),
    *(name for pair in cells.FILTER_COLUMNS.values() for name in pair),
)
# An empty cell of these says nothing, like a column that is not there; of the others, “none”.
SAYS_NOTHING_EMPTY = {
    *("kind", "question", "answer_type", "side", "part", "part_minutes", "pretrained"),
    *("related_forms", "calls", "emails", "catch_up"),
}


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a row does or would do; ``reason`` says why it is refused, empty if it is not.

    ``stands_on`` is the edit of the tracker that it was read against.
    """

    row: int
    name: str
    what: str = ""
    reason: str = ""
    stands_on: int = 0


class TrackerResource(Resource):
    """One row a tracker of one company; imported by ``by`` at ``now``."""

    title: ClassVar[str] = "Tracker configuration"
    slug: ClassVar[str] = "trackers"

    class Meta:
        instance_loader_class = BaseInstanceLoader
        import_id_fields: ClassVar[list[str]] = []

    def __init__(
        self,
        *,
        company: Company | None = None,
        by: User | None = None,
        now: datetime | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.company, self.by, self.now = company, by, now
        self.fields = {name: Field(column_name=name, readonly=True) for name in COLUMNS}
        self.outcomes: list[Outcome] = []
        self._seen: set[str] = set()

    @classmethod
    def get_display_name(cls) -> str:
        return cls.title

    def get_user_visible_fields(self) -> list[Field]:
        return list(self.fields.values())

    @property
    def digest(self) -> str:
        """Name what the rows did or would do, so that a confirmation is of what was shown."""
        return hashlib.sha256(repr(self.outcomes).encode()).hexdigest()

    def get_export_order(self) -> tuple[str, ...]:
        return COLUMNS

    def filter_export(self, queryset: Any, **kwargs: Any) -> Any:
        return (
            queryset.filter(company=self.company)
            .select_related("company", "current_version")
            .prefetch_related(None)
            .prefetch_related(filters.NAMED)
            .order_by("name", "pk")
        )

    def export_resource(self, instance: Any, **kwargs: Any) -> list[Any]:
        return [row_of(instance)[name] for name in COLUMNS]

    def import_row(self, row: Any, instance_loader: Any, **kwargs: Any) -> RowResult:
        """Take one row in, or say why not; a refused row leaves nothing behind."""
        result = self.get_row_result_class()()
        name = files.told(str(row.get("name") or ""))
        number = kwargs["row_number"]
        try:
            with transaction.atomic():
                outcome = self._take(number, name, row)
        except (NotSaved, BadCell) as error:
            result.import_type = RowResult.IMPORT_TYPE_ERROR
            result.errors.append(Error(error, row=row, number=number))
            outcome = Outcome(number, name, reason=_reason(error))
        else:
            kinds = {NEW: RowResult.IMPORT_TYPE_NEW, SAME: RowResult.IMPORT_TYPE_SKIP}
            result.import_type = kinds.get(outcome.what, RowResult.IMPORT_TYPE_UPDATE)
        result.object_repr = name
        self.outcomes.append(outcome)
        return result

    def _take(self, number: int, name: str, row: Mapping[str, Any]) -> Outcome:
        assert self.company is not None
        assert self.by is not None
        assert self.now is not None
        name = cells.text("name", "" if row["name"] is None else row["name"])
        if name in self._seen:
            raise BadCell(f"the file has the tracker “{name}” twice")
        self._seen.add(name)
        tracker = (
            Tracker.objects.filter(company=self.company, name=name)
            .select_related("current_version")
            .first()
        )
        settings = self._settings(tracker, name, row)
        before = _asked(tracker)
        question = _question(tracker, before, row)
        saved = configuring.save(
            company=self.company,
            tracker_id=None if tracker is None else tracker.pk,
            edit_number=None if tracker is None else tracker.edit_number,
            settings=settings,
            question=question,
            by=self.by,
            now=self.now,
            threshold=_threshold(question, row),
        )
        return Outcome(
            number,
            name,
            what=_what(tracker, saved, is_asked_anew=before != _asked(saved)),
            stands_on=0 if tracker is None else tracker.edit_number,
        )

    def _settings(self, tracker: Tracker | None, name: str, row: Mapping[str, Any]) -> Settings:
        assert self.company is not None
        settings = Settings(name=name) if tracker is None else configuring.settings_of(tracker)
        changes = {
            attribute: read(column, row[column])
            for column, (attribute, read) in SETTINGS.items()
            if _says(column, row[column])
        }
        filtered = cells.filters(self.company, row)
        return replace(settings, **changes | ({} if filtered is None else {"filters": filtered}))


def row_of(tracker: Tracker) -> dict[str, Any]:
    """Return a tracker as a row of a file: its newest question, and its settings."""
    question = _asked(tracker)
    is_asked = tracker.kind == TrackerKind.QUESTION
    row: dict[str, Any] = {"name": tracker.name, "kind": tracker.kind}
    row |= {name: _plain(getattr(question, name)) for name in QUESTION}
    if not is_asked:
        # Keywords and shipped trackers say their question themselves.
        row |= {"question": "", "details": "", "answer_type": "", "choices": []}
    settings = configuring.settings_of(tracker)
    row |= {
        column: _plain(getattr(settings, attribute)) for column, (attribute, _) in SETTINGS.items()
    }
    row["campaign_end_date"] = _day(settings.campaign_end_date)
    # Empty, not absent: read in again, it says that nothing was learned.
    row["threshold"] = "" if tracker.threshold is None else str(tracker.threshold)
    for pair in cells.FILTER_COLUMNS.values():
        row |= {name: [] for name in pair}
    for condition in tracker.filters.all():
        named = condition.team or condition.member
        value = condition.text if named is None else getattr(named, "email", None) or str(named)
        row[cells.FILTER_COLUMNS[condition.field][condition.is_excluded]].append(value)  # type: ignore[index]
    return row | {
        name: sorted(row[name]) for pair in cells.FILTER_COLUMNS.values() for name in pair
    }


def _asked(tracker: Tracker | None) -> Question:
    """Return what a tracker asks in its newest version, drafted or in force."""
    version = None if tracker is None else publishing.next_version(tracker)
    return Question() if version is None else questioning.question_of(version)


def _question(tracker: Tracker | None, question: Question, row: Mapping[str, Any]) -> Question:
    """Return what a row asks, on top of what its tracker asks already."""
    if _says("kind", row["kind"]):
        question = replace(question, kind=KIND("kind", row["kind"]))
    elif tracker is not None:
        question = replace(question, kind=tracker.kind)
    changes = {
        name: read(name, row[name]) for name, read in QUESTION.items() if _says(name, row[name])
    }
    if "part" in changes and "part_minutes" not in changes:
        changes["part_minutes"] = None
    question = replace(question, **changes)
    if question.kind == TrackerKind.PRETRAINED and question.pretrained not in pretrained.shipped():
        raise BadCell(f"there is no pretrained tracker “{files.told(question.pretrained)}”")
    return question


def _threshold(question: Question, row: Mapping[str, Any]) -> Decimal | EllipsisType | None:
    """Return from which score on something is found; ``...`` where a row does not say."""
    if not _says("threshold", row["threshold"]):
        return ...
    found = cells.fraction("threshold", row["threshold"])
    if found is not None and question.kind == TrackerKind.KEYWORD:
        raise BadCell("keywords are found as they are said, so they have no “threshold”")
    return found


def _says(name: str, value: Any) -> bool:
    if value is None:
        return False
    return not (name in SAYS_NOTHING_EMPTY and isinstance(value, str) and not value.strip())


def _plain(value: Any) -> Any:
    return list(value) if isinstance(value, tuple) else value


def _day(value: date | None) -> str:
    return "" if value is None else value.isoformat()


def _what(before: Tracker | None, saved: Tracker, *, is_asked_anew: bool) -> str:
    if before is None:
        return NEW
    if saved.edit_number == before.edit_number:
        return SAME
    if before.state == TrackerState.DRAFT:
        return DRAFT
    return NEW_VERSION if is_asked_anew else SETTINGS_ONLY


def _reason(error: Exception) -> str:
    said = str(error).removeprefix("Not saved: ")
    return f"{said[:1].upper()}{said[1:]}{'' if said.endswith('.') else '.'}"
