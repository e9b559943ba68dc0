"""Keep what a tracker read before a change of it, so that the change can be taken back."""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from credits import rating
from credits.amounts import ZERO
from credits.models import User
from trackers import estimates, filters
from trackers.models import (
    FilterField,
    Narrowing,
    Team,
    TeamMember,
    Tracker,
    TrackerFilter,
    TrackerState,
)

REFERENCES = (FilterField.TEAM, FilterField.USER)


@dataclass(frozen=True, slots=True)
class Kinds:
    """The kinds of conversation that a tracker reads, and in which language; empty for any."""

    calls: bool
    emails: bool
    language: str

    @classmethod
    def of(cls, tracker: Tracker) -> Kinds:
        return cls(tracker.include_calls, tracker.include_emails, tracker.language)


def keep(
    tracker: Tracker,
    *,
    kinds_before: Kinds,
    filters_before: Iterable[TrackerFilter],
    by: User,
    now: datetime,
) -> Narrowing:
    """Keep what a locked tracker read before it was saved; its edit number is the change's."""
    rows = list(filters_before)
    return Narrowing.objects.create(
        company_id=tracker.company_id,
        tracker=tracker,
        edit_number=tracker.edit_number,
        calls_before=kinds_before.calls,
        emails_before=kinds_before.emails,
        language_before=kinds_before.language,
        filters_before=_kept(rows),
        more_a_month=_more_a_month(tracker, kinds_before, rows, now),
        made_at=now,
        made_by=by,
    )


def keep_move(tracker: Tracker, *, more_a_month: Decimal, by: User, now: datetime) -> None:
    """Keep by how many credits a month publishing or unpublishing moved what is used.

    A move of 0 leaves no row.
    """
    if more_a_month:
        Narrowing.objects.create(
            company_id=tracker.company_id,
            tracker=tracker,
            edit_number=tracker.edit_number,
            calls_before=tracker.include_calls,
            emails_before=tracker.include_emails,
            language_before=tracker.language,
            filters_before=_kept(tracker.filters.all()),
            is_undoable=False,
            more_a_month=more_a_month,
            made_at=now,
            made_by=by,
        )


def _more_a_month(
    tracker: Tracker, kinds_before: Kinds, filters_before: list[TrackerFilter], now: datetime
) -> Decimal:
    """Return by how much the estimate moved, as the page that showed the change put it."""
    version = tracker.current_version
    if tracker.state != TrackerState.PUBLISHED or version is None:
        return ZERO
    rates = rating.rates_at(now)
    before = copy.copy(tracker)
    before.include_calls, before.include_emails = kinds_before.calls, kinds_before.emails
    before.language = kinds_before.language
    conditions = TrackerFilter.objects.filter(tracker=tracker)
    was = estimates.of(estimates.recent(before, now, filters_before), version=version, rates=rates)
    is_ = estimates.of(estimates.recent(tracker, now, conditions), version=version, rates=rates)
    return is_.credits - was.credits


def last_of(tracker: Tracker) -> Narrowing | None:
    """Return the change that can be taken back: the last of what the tracker reads, if any.

    Whatever changes that keeps a row, so the tracker reads what the last one led to, however
    often its name, its question or its state was changed since.
    """
    return (
        Narrowing.objects.filter(tracker=tracker, is_undoable=True).order_by("-edit_number").first()
    )


def filters_in_words(tracker: Tracker) -> dict[int, tuple[str, str]]:
    """Say each change of a tracker's filters, before and after, by the edit number of the change.

    Who and what the filters name is called as it is today: no name is kept with the change.
    """
    changes = list(
        Narrowing.objects.filter(tracker=tracker, is_undoable=True).order_by("edit_number")
    )
    today = _kept(tracker.filters.all())
    # What a change led to is what the next one began with.
    sets = [*(change.filters_before for change in changes), today]
    said = _in_words(tracker, sets)
    return {
        change.edit_number: (said[place], said[place + 1])
        for place, change in enumerate(changes)
        if sorted(sets[place]) != sorted(sets[place + 1])
    }


def _in_words(tracker: Tracker, sets: list[list[Any]]) -> list[str]:
    """Say several sets of kept filters, in one query for all the teams and one for the members."""
    kept = [value for values in sets for value in values]
    teams = Team.objects.in_bulk([value for field, value, _ in kept if field == FilterField.TEAM])
    members = TeamMember.objects.in_bulk(
        [value for field, value, _ in kept if field == FilterField.USER]
    )
    return [
        filters.words(
            TrackerFilter(
                company_id=tracker.company_id,
                field=field,
                is_excluded=is_excluded,
                team=teams.get(UUID(value)) if field == FilterField.TEAM else None,
                member=members.get(UUID(value)) if field == FilterField.USER else None,
                text="" if field in REFERENCES else value,
            )
            for field, value, is_excluded in values
        )
        for values in sets
    ]


def _kept(rows: Iterable[TrackerFilter]) -> list[list[Any]]:
    return [
        [row.field, str(row.team_id or row.member_id or row.text), row.is_excluded] for row in rows
    ]


def value_of(field: str, value: str) -> UUID | str:
    """Return a kept value as a filter has it: an id of a row, or a text."""
    return UUID(value) if field in REFERENCES else value
