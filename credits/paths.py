"""Spend paths of daily use from lots that start and end: the arithmetic below a forecast.

Between two turns, at which a lot starts or ends, the live lots are as good as one: only at a turn
matters what each has left. So a path costs as many steps as there are turns, not days.

Floating point: what comes out is an estimate, and nothing is charged by it.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
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
    """The local days from an instant on; day 0 is what is left of the day it is in, ``today``."""

    instant: datetime
    zone: ZoneInfo
    today: date
    length: int
    _starts: dict[int, datetime] = field(default_factory=dict)

    @classmethod
    def begun(cls, instant: datetime, zone: ZoneInfo, *, length: int) -> Calendar:
        return cls(instant, zone, instant.astimezone(zone).date(), length, {0: instant})

    @property
    def ends_at(self) -> datetime:
        return self.starts_at(self.length)

    def date_of(self, day: int) -> date:
        return self.today + timedelta(days=day)

    def starts_at(self, day: int) -> datetime:
        if day not in self._starts:
            self._starts[day] = zones.start_of_day(self.date_of(day), self.zone)
        return self._starts[day]

    def place(self, at: datetime) -> Place:
        """Return where an instant stands; one before the calendar begins, at its beginning."""
        if at <= self.instant:
            return Place(0, 0.0)
        day = (at.astimezone(self.zone).date() - self.today).days
        begin = self.starts_at(day)
        if at == begin:
            return Place(day, 0.0)
        return Place(day, (at - begin) / (self.starts_at(day + 1) - begin))


class Stretch(NamedTuple):
    """A time in which no lot starts or ends.

    ``live`` numbers the lots that can be spent in it, and ``ending`` those that end with it.
    """

    begins_at: datetime
    ends_at: datetime
    begin: Place
    end: Place
    live: Numbers
    ending: tuple[int, ...]

    @property
    def first_day(self) -> int:
        return self.begin.day

    @property
    def last_day(self) -> int:
        return self.end.day if self.end.part else self.end.day - 1

    def part_of(self, days: Floats) -> Floats:
        """Return what each path uses in it, day by day; ``days`` has a row for each path."""
        begin, end = self.begin, self.end
        mine = days[:, self.first_day : self.last_day + 1]
        if not begin.part and not end.part:
            return mine
        mine = mine.copy()
        if begin.day == end.day:
            return mine * (end.part - begin.part)
        mine[:, 0] *= 1.0 - begin.part
        if end.part:
            mine[:, -1] *= end.part
        return mine


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
    ending: dict[datetime, list[int]] = {}
    for number, lot in enumerate(lots):
        if lot.expires_at is not None:
            ending.setdefault(lot.expires_at, []).append(number)
    turns = {lot.starts_at for lot in lots}.union(ending, cuts)
    instants = [
        calendar.instant,
        *sorted(turn for turn in turns if calendar.instant < turn < end),
        end,
    ]
    places = [calendar.place(instant) for instant in instants]
    last = datetime.max.replace(tzinfo=UTC)
    starts = np.array([lot.starts_at.timestamp() for lot in lots])
    ends = np.array([(lot.expires_at or last).timestamp() for lot in lots])
    found = []
    for place, (begins_at, ends_at) in enumerate(itertools.pairwise(instants)):
        at = begins_at.timestamp()
        live = np.flatnonzero((starts <= at) & (ends > at))
        mine = tuple(number for number in ending.get(ends_at, ()) if starts[number] <= at)
        found.append(Stretch(begins_at, ends_at, places[place], places[place + 1], live, mine))
    return found


def run_out_days(
    lots: Sequence[Lot], along: Sequence[Stretch], days: Floats, *, at_once: float
) -> Numbers:
    """Return the day on which each path first lacks credits; the number of days if it never does.

    ``days`` has a row for each path: what it uses each day. ``at_once`` is used before all else.
    """
    count, length = days.shape
    left = np.tile(_free(lots), (count, 1))
    out = np.full(count, length)
    lasting = np.arange(count)
    for stretch in along:
        theirs = left[:, stretch.live]
        room = theirs.sum(axis=1) - at_once
        sums = np.cumsum(stretch.part_of(days), axis=1)
        lacks = sums[:, -1] - room >= CRUMB
        if lacks.any():
            found = (sums[lacks] < room[lacks, np.newaxis] + CRUMB).sum(axis=1)
            found = np.minimum(found + stretch.first_day, stretch.last_day)
            out[lasting[lacks]] = found
            lasting, days, left = lasting[~lacks], days[~lacks], left[~lacks]
            theirs, sums = theirs[~lacks], sums[~lacks]
            if not len(lasting):
                break
        left[:, stretch.live] = _drawn(theirs, sums[:, -1] + at_once)
        # What is used at once is asked for only once, from whatever is there.
        at_once = 0.0
    return out


def follow(
    lots: Sequence[Lot], along: Sequence[Stretch], days: Floats, *, at_once: float
) -> Iterable[Step]:
    """Walk one path to the calendar's end, past the day on which credits run out."""
    path, left = days[np.newaxis, :], _free(lots)[np.newaxis, :]
    for stretch in along:
        before = left[:, stretch.live]
        after = _drawn(before, stretch.part_of(path).sum(axis=1) + at_once)
        left[:, stretch.live] = after
        lost = {number: float(left[0, number]) for number in stretch.ending}
        rest = float(after.sum())
        yield Step(stretch, float(before.sum()) - rest, rest, lost)
        at_once = 0.0


def _free(lots: Sequence[Lot]) -> Floats:
    return np.array([float(lot.free) for lot in lots])


def _drawn(left: Floats, wanted: Floats) -> Floats:
    """Return what the lots have left after each path took what it wanted, lot by lot in order."""
    before = np.cumsum(left, axis=1) - left
    taken = np.minimum(np.maximum(wanted[:, np.newaxis] - before, 0.0), left)
    return np.asarray(left - taken)
