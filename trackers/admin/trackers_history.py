"""Who changed a tracker, when, from what to what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from itertools import pairwise
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from credits import shown
from trackers import changes
from trackers.changes import last_of
from trackers.configuring import ASKED_ANEW
from trackers.models import Narrowing, Tracker, TrackerKind

ROWS_MAX = 200

# What a person decides about a tracker; the rest follows from it.
SHOWN = (
    "state",
    "name",
    "description",
    "include_calls",
    "include_emails",
    "language",
    "examples",
    "counter_examples",
    "threshold",
    "catch_up",
    "campaign_end_date",
)
# What a version asks.
ASKED = (
    *("question", "details", "answer_type", "choices", "side", "part", "part_minutes"),
    *("terms", "related_forms"),
)


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One act on a tracker and what it changed."""

    at: str
    who: str
    changes: list[str]
    undo_url: str | None = None


def history(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Show the last acts on a tracker, newest first."""
    if not model_admin.has_view_permission(request):
        raise PermissionDenied
    tracker = get_object_or_404(model_admin.get_queryset(request), pk=tracker_id)
    context = model_admin.admin_site.each_context(request) | {
        "title": f"History of {tracker}",
        "object": tracker,
        "content_title": "History",
        "rows": _rows(tracker, may_undo=model_admin.has_change_permission(request, tracker)),
    }
    return render(request, "admin/trackers/tracker/history.html", context)


def _rows(tracker: Tracker, *, may_undo: bool) -> list[HistoryRow]:
    records = list(
        tracker.history.select_related("history_user").order_by("-history_id")[: ROWS_MAX + 1]
    )
    last = last_of(tracker) if may_undo else None
    refiltered = changes.filters_in_words(tracker)
    asked = _Asked(tracker)
    rows = []
    for place, record in enumerate(records[:ROWS_MAX]):
        before = records[place + 1] if place + 1 < len(records) else None
        rows.append(
            HistoryRow(
                at=shown.instant(record.history_date, tracker.company),
                who=record.history_user.get_full_name() if record.history_user else "The system",
                changes=_changes(record, before, asked, refiltered.get(record.edit_number)),
                undo_url=_undo_url(last, record),
            )
        )
    return rows


def _undo_url(last: Narrowing | None, record: Any) -> str | None:
    """Return where a change is taken back; None for all but the last of what the tracker reads.

    Of an older one, what came after would be undone with it.
    """
    if last is None or record.edit_number != last.edit_number:
        return None
    url = reverse("admin:trackers_tracker_undo", args=[last.tracker_id])
    return f"{url}?change={last.pk}"


def _changes(record: Any, before: Any, asked: _Asked, filters: tuple[str, str] | None) -> list[str]:
    if before is None:
        return ["Created."]
    said = _moves(SHOWN, before, record)
    if record.current_version_id != before.current_version_id:
        said += asked.in_force(before.current_version_id, record.current_version_id)
    if filters is not None:
        said.append(f"Filters: {filters[0]} → {filters[1]}.")
    if record.history_change_reason:
        said.append(record.history_change_reason)
    if record.history_change_reason == ASKED_ANEW:
        said += asked.drafted(record.current_version_id)
    return said


class _Asked:
    """What the versions of a tracker ask, in the words they have today: the history keeps none."""

    def __init__(self, tracker: Tracker) -> None:
        versions = list(tracker.versions.defer("calibration").order_by("number"))
        self._versions = {version.pk: version for version in versions}
        self._next = {version.pk: after for version, after in pairwise(versions)}
        self._is_said_since: set[UUID] = set()

    def in_force(self, before: UUID | None, now: UUID | None) -> list[str]:
        """Say that a version came into force, and what it asks where the one before asked else."""
        new = self._versions.get(now) if now else None
        old = self._versions.get(before) if before else None
        if new is None:
            return []
        return [f"Version {new.number} came into force.", *(_moves(ASKED, old, new) if old else ())]

    def drafted(self, in_force: UUID | None) -> list[str]:
        """Say what was drafted beside a version in force; call it for the newest change first.

        An older change of the same draft was overwritten, so it says nothing.
        """
        old = self._versions.get(in_force) if in_force else None
        if old is None or old.pk in self._is_said_since:
            return []
        self._is_said_since.add(old.pk)
        new = self._next.get(old.pk)
        return _moves(ASKED, old, new, f", since version {old.number}") if new else []


def _moves(names: tuple[str, ...], old: Any, new: Any, since: str = "") -> list[str]:
    """Say what differs between two rows, in the order of ``names``."""
    # Not by diff_against, which leaves out what no form may edit, such as the state.
    return [
        f"{_label(new, name)}{since}: {_said(before)} → {_said(after)}"
        for name in names
        if (before := _value(old, name)) != (after := _value(new, name))
    ]


def _value(row: Any, name: str) -> Any:
    if name == "question" and row.kind == TrackerKind.KEYWORD:
        return None  # It says the terms.
    in_words = getattr(row, f"get_{name}_display", None)
    return in_words() if in_words else getattr(row, name)


def _label(row: Any, name: str) -> str:
    label = str(row._meta.get_field(name).verbose_name)
    return label[:1].upper() + label[1:]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return shown.day(value)
    if isinstance(value, list):
        return "; ".join(value) or "none"
    return "none" if value in (None, "") else str(value)
