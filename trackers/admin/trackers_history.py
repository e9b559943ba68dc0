"""Who changed a tracker, when, from what to what."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any
from uuid import UUID

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils.safestring import SafeString

from trackers.admin import trackers_shown
from trackers.models import Tracker

ROWS_MAX = 200

# Shown by other columns, or of no use to a person.
NOT_SHOWN = {"edit_number", "current_version", "created_by", "company", "threshold"}


@dataclass(frozen=True, slots=True)
class HistoryRow:
    """One act on a tracker and what it changed."""

    at: SafeString
    who: str
    changes: list[str]


def history(model_admin: Any, request: HttpRequest, tracker_id: UUID) -> HttpResponse:
    """Show the last acts on a tracker, newest first."""
    tracker = get_object_or_404(model_admin.get_queryset(request), pk=tracker_id)
    context = model_admin.admin_site.each_context(request) | {
        "title": f"History of {tracker}",
        "object": tracker,
        "content_title": "History",
        "rows": _rows(tracker),
    }
    return render(request, "admin/trackers/tracker/history.html", context)


def _rows(tracker: Tracker) -> list[HistoryRow]:
    records = list(
        tracker.history.select_related("history_user").order_by("-history_id")[: ROWS_MAX + 1]
    )
    rows = []
    for place, record in enumerate(records[:ROWS_MAX]):
        before = records[place + 1] if place + 1 < len(records) else None
        rows.append(
            HistoryRow(
                at=trackers_shown.moment(record.history_date, tracker.company),
                who=record.history_user.get_full_name() if record.history_user else "The system",
                changes=_changes(record, before),
            )
        )
    return rows


def _changes(record: Any, before: Any) -> list[str]:
    if before is None:
        return ["Created."]
    shown = [
        f"{_label(change.field)}: {_said(change.old)} → {_said(change.new)}"
        for change in record.diff_against(before, excluded_fields=NOT_SHOWN).changes
        if not change.field.endswith("_at")
    ]
    reason = [record.history_change_reason] if record.history_change_reason else []
    return shown + reason


def _label(name: str) -> str:
    column: Any = Tracker._meta.get_field(name)
    label = str(column.verbose_name)
    return label[:1].upper() + label[1:]


def _said(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return "; ".join(value) or "none"
    return str(value) or "none"
