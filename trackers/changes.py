"""Keep what a tracker read before a change of it, so that the change can be taken back."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from credits.models import User
from trackers.models import FilterField, Narrowing, Tracker, TrackerFilter

REFERENCES = (FilterField.TEAM, FilterField.USER)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of conversation that a tracker reads."""

    calls: bool
    emails: bool

    @classmethod
    def of(cls, tracker: Tracker) -> Kinds:
        return cls(tracker.include_calls, tracker.include_emails)


def keep(
    tracker: Tracker,
    *,
    kinds_before: Kinds,
    filters_before: Iterable[TrackerFilter],
    by: User,
    now: datetime,
) -> Narrowing:
    """Keep what a locked tracker read before it was saved; its edit number is the change's."""
    return Narrowing.objects.create(
        company_id=tracker.company_id,
        tracker=tracker,
        edit_number=tracker.edit_number,
        calls_before=kinds_before.calls,
        emails_before=kinds_before.emails,
        filters_before=[
            [row.field, str(row.team_id or row.member_id or row.text), row.is_excluded]
            for row in filters_before
        ],
        made_at=now,
        made_by=by,
    )


def last_of(tracker: Tracker) -> Narrowing | None:
    """Return the change that can be taken back: None where the tracker was saved since."""
    return Narrowing.objects.filter(tracker=tracker, edit_number=tracker.edit_number).first()


def value_of(field: str, value: str) -> UUID | str:
    """Return a kept value as a filter has it: an id of a row, or a text."""
    return UUID(value) if field in REFERENCES else value
