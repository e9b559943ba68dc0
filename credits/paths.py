"""Spend paths of daily use from lots that start and end: the arithmetic below a forecast.

Between two turns, at which a lot starts or ends, the live lots are as good as one: only at a turn
matters what each has left. So a path costs as many steps as there are turns, not days.

Floating point: what comes out is an estimate, and nothing is charged by it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple
from uuid import UUID
from zoneinfo import ZoneInfo

import numpy as np
from numpy.typing import NDArray

from credits import zones

# Below a thousandth of a credit nothing is missing: floating point leaves crumbs.
CRUMB = 0.0005

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]


class Lot(NamedTuple):
    """Credits free to be spent in ``starts_at <= t < expires_at``; a forecast's view of a grant."""

    ref: UUID
    free: Decimal
    starts_at: datetime
    expires_at: datetime | None


class Place(NamedTuple):
    """An instant as a day of the calendar, counted from 0, and the part of it that is over."""

    day: int
    part: float


@dataclass(frozen=True, slots=True)
class Calendar:
    """The local days from an instant on; day 0 is what is left of the day it is in."""

    instant: datetime
    zone: ZoneInfo
    length: int

    @property
    def today(self) -> date:
        return self.instant.astimezone(self.zone).date()

    @property
    def ends_at(self) -> datetime:
        return self.starts_at(self.length)

    def date_of(self, day: int) -> date:
        return self.today + timedelta(days=day)

    def starts_at(self, day: int) -> datetime:
        return self.instant if day == 0 else zones.start_of_day(self.date_of(day), self.zone)

    def place(self, at: datetime) -> Place:
        """Return where an instant stands; one before the calendar begins, at its beginning."""
        day = (at.astimezone(self.zone).date() - self.today).days
        if at <= self.instant:
            return Place(0, 0.0)
        begin, end = self.starts_at(day), self.starts_at(day + 1)
        # A date that a zone skipped has no length.
        return Place(day, (at - begin) / (end - begin) if end > begin else 0.0)


class Stretch(NamedTuple):
    """A time in which no lot starts or ends; ``live`` numbers those that can be spent in it."""

    begins_at: datetime
    ends_at: datetime
    begin: Place
    end: Place
    live: Numbers

    @property
    def last_day(self) -> int:
        return self.end.day if self.end.part else self.end.day - 1


class Step(NamedTuple):
    """What happens in one stretch of a path: used, left at its end, and lost just then, by lot."""

    stretch: Stretch
    used: float
    left: float
    lost: dict[int, float]


def stretches(
    lots: Sequence[Lot], calendar: Calendar, cuts: Iterable[datetime] = ()
) -> list[Stretch]:
    """Cut the calendar where a lot starts or ends, and where else it is asked for."""
    end = calendar.ends_at
    turns = {lot.starts_at for lot in lots} | {lot.expires_at for lot in lots if lot.expires_at}
    inner = sorted(turn for turn in {*turns, *cuts} if calendar.instant < turn < end)
    instants = [calendar.instant, *inner, end]
    places = [calendar.place(instant) for instant in instants]
    last = datetime.max.replace(tzinfo=UTC)
    starts = np.array([lot.starts_at.timestamp() for lot in lots])
    ends = np.array([(lot.expires_at or last).timestamp() for lot in lots])
    return [
        Stretch(
            *instants_of_it,
            *places_of_it,
            np.flatnonzero(
                (starts <= instants_of_it[0].timestamp()) & (ends > instants_of_it[0].timestamp())
            ),
        )
        for instants_of_it, places_of_it in zip(
            itertools.pairwise(instants), itertools.pairwise(places), strict=True
        )
    ]


def run_out_days(
    lots: Sequence[Lot], along: Sequence[Stretch], days: Floats, *, at_once: float
) -> Numbers:
    """Return the day on which each path first lacks credits; the number of days if it never does.

    ``days`` has a row for each path: what it uses each day. ``at_once`` is used before all else.
    """
    count, length = days.shape
    sums = np.cumsum(days, axis=1)
    left = np.tile(_free(lots), (count, 1))
    out = np.full(count, length)
    lasting = np.arange(count)
    for stretch in along:
        begin = _until(stretch.begin, days, sums)[lasting]
        wanted = _until(stretch.end, days, sums)[lasting] - begin + at_once
        theirs = left[np.ix_(lasting, stretch.live)]
        room = theirs.sum(axis=1)
        lacks = wanted - room >= CRUMB
        if lacks.any():
            reach = (begin + room - at_once)[lacks, np.newaxis] + CRUMB
            found = (sums[lasting[lacks]] < reach).sum(axis=1)
            out[lasting[lacks]] = np.clip(found, stretch.begin.day, stretch.last_day)
            lasting, theirs, wanted = lasting[~lacks], theirs[~lacks], wanted[~lacks]
            if not len(lasting):
                break
        left[np.ix_(lasting, stretch.live)] = _drawn(theirs, wanted)
        # What is used at once is asked for only once, from whatever is there.
        at_once = 0.0
    return out


def follow(
    lots: Sequence[Lot], along: Sequence[Stretch], days: Floats, *, at_once: float
) -> Iterable[Step]:
    """Walk one path to the calendar's end, past the day on which credits run out."""
    path, sums = days[np.newaxis, :], np.cumsum(days)[np.newaxis, :]
    left = _free(lots)
    for stretch in along:
        wanted = _until(stretch.end, path, sums) - _until(stretch.begin, path, sums) + at_once
        before = left[stretch.live]
        after = _drawn(before[np.newaxis, :], wanted)[0]
        left[stretch.live] = after
        lost = {
            int(number): float(amount)
            for number, amount in zip(stretch.live, after, strict=True)
            if lots[number].expires_at == stretch.ends_at
        }
        yield Step(stretch, float(before.sum() - after.sum()), float(after.sum()), lost)
        at_once = 0.0


def _free(lots: Sequence[Lot]) -> Floats:
    return np.array([float(lot.free) for lot in lots])


def _until(place: Place, days: Floats, sums: Floats) -> Floats:
    """Return what each path has used by then."""
    day, part = place
    before = sums[:, day - 1] if day else np.zeros(len(days))
    return before + days[:, day] * part if part else before


def _drawn(left: Floats, wanted: Floats) -> Floats:
    """Return what the lots have left after each path took what it wanted, lot by lot in order."""
    sums = np.cumsum(left, axis=1)
    return np.asarray(left - np.clip(wanted[:, np.newaxis] - (sums - left), 0.0, left))
