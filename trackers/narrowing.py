"""Change what a tracker reads, look at what that saves before, and take it back after."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from credits.models import User
from credits.rating import Rates
from trackers import changes, configuring, estimates, publishing
from trackers.configuring import FilterValue
from trackers.estimates import ScanEstimate
from trackers.models import FilterField, Narrowing, Tracker, TrackerFilter, TrackerVersion


class NotUndone(Exception):
    """What the tracker reads was changed after that, so undoing it would undo more. Change it by
    hand.
    """


@dataclass(frozen=True, slots=True)
class Reads:
    """What a tracker reads: kinds of conversation, a language or any, and filters."""

    calls: bool
    emails: bool
    filters: frozenset[FilterValue]
    language: str = ""

    def without_emails(self) -> Reads:
        return replace(self, emails=False)

    def filtered(self, field: FilterField, values: Iterable[str], *, is_excluded: bool) -> Reads:
        """Narrow by one field: only these of its values, or all but these."""
        added = {
            FilterValue(field, changes.value_of(field, value), is_excluded) for value in values
        }
        kept = {one for one in self.filters if is_excluded or one.field != field or one.is_excluded}
        return replace(self, filters=frozenset(kept | added))


def of(tracker: Tracker) -> Reads:
    """Return what a saved tracker reads."""
    settings = configuring.settings_of(tracker)
    return Reads(
        settings.include_calls, settings.include_emails, settings.filters, settings.language
    )


def before(narrowing: Narrowing) -> Reads:
    """Return what a tracker read before a change."""
    return Reads(
        calls=narrowing.calls_before,
        emails=narrowing.emails_before,
        language=narrowing.language_before,
        filters=frozenset(
            FilterValue(FilterField(field), changes.value_of(field, value), is_excluded)
            for field, value, is_excluded in narrowing.filters_before
        ),
    )


def rows(tracker: Tracker, reads: Reads) -> list[TrackerFilter]:
    """Return what a tracker's filters would be, unsaved."""
    return [
        TrackerFilter(
            company_id=tracker.company_id,
            tracker=tracker,
            field=one.field,
            is_excluded=one.is_excluded,
            team_id=one.value if one.field == FilterField.TEAM else None,
            member_id=one.value if one.field == FilterField.USER else None,
            text="" if one.field in changes.REFERENCES else str(one.value),
        )
        for one in reads.filters
    ]


def changed(tracker: Tracker, reads: Reads) -> Tracker:
    """Return a copy of the tracker, never to be saved, that reads other kinds or languages."""
    other = copy.copy(tracker)
    other.include_calls, other.include_emails = reads.calls, reads.emails
    other.language = reads.language
    return other


def monthly(
    tracker: Tracker, version: TrackerVersion, reads: Reads, *, now: datetime, rates: Rates
) -> ScanEstimate:
    """Price a month of the tracker if it read that: the estimate that is shown before publishing.

    Nothing is saved.
    """
    matching = estimates.recent(changed(tracker, reads), now, rows(tracker, reads))
    return estimates.of(matching, version=version, rates=rates)


def save(*, tracker: Tracker, edit_number: int, reads: Reads, by: User, now: datetime) -> Tracker:
    """Let a tracker read that from now on; nothing else about it changes.

    :raises NotSaved: somebody changed it after ``edit_number``, or nothing would be read.
    """
    version = publishing.next_version(tracker)
    assert version is not None  # Every tracker that was saved asks something.
    settings = replace(
        configuring.settings_of(tracker),
        include_calls=reads.calls,
        include_emails=reads.emails,
        language=reads.language,
        filters=reads.filters,
    )
    return configuring.save(
        company=tracker.company,
        tracker_id=tracker.pk,
        edit_number=edit_number,
        settings=settings,
        question=configuring.question_of(version),
        by=by,
        now=now,
    )


def undo(*, narrowing_id: UUID, by: User, now: datetime) -> Tracker:
    """Let a tracker read again what it read before the last change of that; all else stays.

    :raises NotUndone: what it reads was changed since, by whomever.
    :raises NotSaved: what it read cannot be read any more, such as a team that is gone; or
        somebody changed the tracker this very moment.
    :raises Narrowing.DoesNotExist: there was no such change.
    """
    narrowing = Narrowing.objects.select_related("tracker__company").get(pk=narrowing_id)
    tracker = narrowing.tracker
    # Of the edit number read before: whatever is changed from here on refuses the save.
    if changes.last_of(tracker) != narrowing:
        raise NotUndone(NotUndone.__doc__)
    return save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=before(narrowing),
        by=by,
        now=now,
    )
