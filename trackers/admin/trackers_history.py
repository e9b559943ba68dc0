"""Who changed a tracker, when, from what to what."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any
from uuid import UUID

from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.urls import reverse

from credits import shown
from trackers import changes
from trackers.changes import last_of
from trackers.models import Narrowing, Tracker

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
    numbers = dict(tracker.versions.values_list("pk", "number"))
    rows = []
    for place, record in enumerate(records[:ROWS_MAX]):
        before = records[place + 1] if place + 1 < len(records) else None
        rows.append(
            HistoryRow(
                at=shown.instant(record.history_date, tracker.company),
                who=record.history_user.get_full_name() if record.history_user else "The system",
                changes=_changes(record, before, numbers, refiltered.get(record.edit_number)),
                undo_url=_undo_url(last, record),
            )
        )
    return rows


def _undo_url(last: Narrowing | None, record: Any) -> str | None:
    """Return where a change is taken back; None for all but the last, if that was one of reading.

    What came after would be undone with it.
    """
    if last is None or record.edit_number != last.edit_number:
        return None
    url = reverse("admin:trackers_tracker_undo", args=[last.tracker_id])
    return f"{url}?change={last.pk}"


def _changes(
    record: Any, before: Any, numbers: dict[UUID, int], filters: tuple[str, str] | None
) -> list[str]:
    if before is None:
        return ["Created."]
    # Not by diff_against, which leaves out what no form may edit, such as the state.
    said = [
        f"{_label(name)}: {_said(old)} → {_said(new)}"
        for name in SHOWN
        if (old := _value(before, name)) != (new := _value(record, name))
    ]
    if record.current_version_id != before.current_version_id:
        number = numbers.get(record.current_version_id)
        said.append(f"Version {number} came into force.")
    if filters is not None:
        said.append(f"Filters: {filters[0]} → {filters[1]}.")
    if record.history_change_reason:
        said.append(record.history_change_reason)
    return said


def _value(record: Any, name: str) -> Any:
    return record.get_state_display() if name == "state" else getattr(record, name)


def _label(name: str) -> str:
    column: Any = Tracker._meta.get_field(name)
    label = str(column.verbose_name)
    return label[:1].upper() + label[1:]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, date):
        return shown.day(value)
    if isinstance(value, list):
        return "; ".join(value) or "none"
    return "none" if value in (None, "") else str(value)
