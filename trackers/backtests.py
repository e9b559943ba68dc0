"""Look back at a month of trackers: what each read and found, and what another filter had kept.

Everything is counted from the conversations of the last 30 days that a tracker reads today, at
their present text, as its version in force answered: the conversations that its estimate counts.

A person's word on one counts in place of the answer. What was found is a result, and so is what
may be there, an unsure answer that nobody judged: no rule lets go of either uncounted.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import (
    Case,
    CharField,
    Count,
    F,
    OuterRef,
    QuerySet,
    Subquery,
    Sum,
    Value,
    When,
)
from django.db.models.fields import UUIDField
from django.db.models.functions import Cast, Coalesce

from credits.amounts import ZERO
from trackers import estimates, lessons
from trackers.models import (
    ConversationKind,
    FilterField,
    Review,
    Scan,
    ScanState,
    Tracker,
    TrackerFilter,
    Verdict,
)

# By whom a conversation was held is no filter to propose: people come and go, and one of them
# may be an owner here and a guest there.
FIELDS = {
    FilterField.TEAM: "conversation__team",
    FilterField.ACCOUNT_TYPE: "conversation__account_type",
    FilterField.DEAL_STAGE: "conversation__deal_stage",
}
VALUES_MAX = 5
# With fewer results a share of them says nothing.
RESULTS_MIN = 10
# Finding so little by chance alone may happen once in a thousand looks: a company has some dozen
# values to look at. Below so many results to be expected, even none may be chance.
CHANCE_MAX = 0.001
EXPECTED_MIN = 7


@dataclass(frozen=True, slots=True)
class Tally:
    """Conversations read, in how many something was found or may be there, and credits.

    Where a person judged, ``found`` is what that person said, and nothing is ``unsure``.
    """

    read: int = 0
    found: int = 0
    unsure: int = 0
    spent: Decimal = ZERO

    @property
    def results(self) -> int:
        """Return how many may be lost: what was found, and what may be there."""
        return self.found + self.unsure

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            self.read + other.read,
            self.found + other.found,
            self.unsure + other.unsure,
            self.spent + other.spent,
        )


@dataclass(slots=True)
class Month:
    """One tracker's month: by kind of conversation, and by each value that a filter could name.

    The value of a conversation without one is empty.
    """

    calls: Tally = field(default_factory=Tally)
    emails: Tally = field(default_factory=Tally)
    by_value: dict[FilterField, dict[str, Tally]] = field(default_factory=dict)

    @property
    def all(self) -> Tally:
        return self.calls + self.emails


@dataclass(frozen=True, slots=True)
class Rule:
    """When a part of the conversations may go.

    It gives at most ``rate_max`` times the usual results; all parts together lose at most
    ``lost_max`` of the results, and save at least ``saved_min`` of the credits.
    """

    lost_max: Decimal
    rate_max: Decimal
    saved_min: Decimal


@dataclass(frozen=True, slots=True)
class Cut:
    """A filter by one field, the values it keeps or leaves out, and what it had saved."""

    field: FilterField
    is_excluded: bool
    values: tuple[str, ...]
    saved: Decimal


def read(*, trackers: Sequence[Tracker], now: datetime) -> dict[UUID, Month]:
    """Return the month of each tracker, by its id, in four queries, however many there are."""
    months = {tracker.pk: Month() for tracker in trackers}
    if not trackers:
        return months
    for (ref, kind), tally in _tallies(trackers, now, "conversation__kind").items():
        if kind == ConversationKind.CALL:
            months[ref].calls = tally
        else:
            months[ref].emails = tally
    for filtered, path in FIELDS.items():
        for (ref, value), tally in _tallies(trackers, now, path).items():
            months[ref].by_value.setdefault(filtered, {})[value] = tally
    return months


def results(
    tracker: Tracker, *, now: datetime, conditions: Iterable[TrackerFilter] | None = None
) -> int:
    """Count the results of the month, with other filters if given."""
    scans = _scans(tracker, now, conditions).order_by().values("outcome")
    rows = scans.annotate(count=Count("pk"))
    return sum((_tally(row["outcome"], row["count"]) for row in rows), Tally()).results


def shared(tracker: Tracker, other: Tracker, *, now: datetime) -> Tally:
    """Count what two trackers both read, both found something in, or both have as a result."""
    theirs = (
        _scans(other, now)
        .filter(conversation=OuterRef("conversation"), revision=OuterRef("revision"))
        .values("outcome")[:1]
    )
    rows = (
        _scans(tracker, now)
        .order_by()
        .annotate(theirs=Subquery(theirs))
        .values("outcome", "theirs")
        .annotate(count=Count("pk"))
    )
    both = [
        _tally(_less(row["outcome"], row["theirs"]), row["count"])
        for row in rows
        if row["theirs"] is not None
    ]
    return sum(both, Tally())


def is_no_chance(found: int, expected: Decimal) -> bool:
    """Tell whether so few results are too rare to be chance where so many are usual.

    By Poisson's law, in floating point: nothing is charged by it.
    """
    mean = float(expected)
    term = math.exp(-mean)
    likely = term
    for count in range(1, found + 1):
        term *= mean / count
        likely += term
    return likely <= CHANCE_MAX


def best_cut(month: Month, rule: Rule) -> Cut | None:
    """Return the filter by one field that saves most within the rule; None where none does."""
    cuts = [cut for name, values in month.by_value.items() if (cut := _cut(name, values, rule))]
    return max(cuts, key=lambda cut: (cut.saved, cut.field), default=None)


def _cut(name: FilterField, values: Mapping[str, Tally], rule: Rule) -> Cut | None:
    """Leave out the values that give least for what they cost.

    Values too small to be judged alone are judged, kept or left out together.
    """
    everything = sum(values.values(), Tally())
    if everything.results < RESULTS_MIN:
        return None
    rate = Decimal(everything.results) / everything.read
    parts: list[tuple[tuple[str, ...], Tally]] = [
        ((value,), tally) for value, tally in values.items() if tally.read * rate >= EXPECTED_MIN
    ]
    judged = {value for names, _ in parts for value in names}
    rest = {value: tally for value, tally in values.items() if value not in judged}
    if rest:
        parts.append((tuple(rest), sum(rest.values(), Tally())))
    dropped: list[str] = []
    gone = Tally()
    for names, tally in sorted(parts, key=lambda part: part[1].results / part[1].read):
        expected = tally.read * rate
        count = tally.results
        is_poor = count <= rule.rate_max * expected and is_no_chance(count, expected)
        if is_poor and gone.results + count <= rule.lost_max * everything.results:
            dropped += names
            gone += tally
    kept = [value for value in values if value not in dropped]
    if not dropped or not kept or gone.spent < rule.saved_min * everything.spent:
        return None
    return _named(name, kept=sorted(kept), dropped=sorted(dropped), saved=gone.spent)


def _named(name: FilterField, *, kept: list[str], dropped: list[str], saved: Decimal) -> Cut | None:
    """Say a cut by the shorter list; None where neither can be said: no value has no name."""
    sayable = [
        (len(values), is_excluded, values)
        for is_excluded, values in ((False, kept), (True, dropped))
        if "" not in values and len(values) <= VALUES_MAX
    ]
    if not sayable:
        return None
    _, is_excluded, values = min(sayable)
    return Cut(name, is_excluded, tuple(values), saved)


def _tallies(
    trackers: Sequence[Tracker], now: datetime, path: str
) -> dict[tuple[UUID, str], Tally]:
    """Count each tracker's scans by what ``path`` leads to, in one query."""
    value = Coalesce(Cast(F(path), CharField()), Value(""))
    queries = [
        _scans(tracker, now)
        .order_by()
        .annotate(tracker_ref=Value(tracker.pk, output_field=UUIDField()), value=value)
        .values("tracker_ref", "value", "outcome")
        .annotate(count=Count("pk"), spent=Sum("price"))
        for tracker in trackers
    ]
    tallies: dict[tuple[UUID, str], Tally] = {}
    for row in queries[0].union(*queries[1:], all=True):
        key = row["tracker_ref"], row["value"]
        counted = _tally(row["outcome"], row["count"], row["spent"])
        tallies[key] = tallies.get(key, Tally()) + counted
    return tallies


def _tally(outcome: str, count: int, spent: Decimal = ZERO) -> Tally:
    """Count so many conversations that came to the same."""
    return Tally(
        read=count,
        found=count if outcome == Verdict.YES else 0,
        unsure=count if outcome == Verdict.UNSURE else 0,
        spent=spent,
    )


def _less(*outcomes: str) -> str:
    """Return what all of these hold: nothing, a doubt, or a find."""
    return next(one for one in (Verdict.NO, Verdict.UNSURE, Verdict.YES) if one in outcomes)


def _scans(
    tracker: Tracker, now: datetime, conditions: Iterable[TrackerFilter] | None = None
) -> QuerySet[Any]:
    """Return how the version in force answered on the conversations of the tracker's month.

    ``outcome`` is what a person said of one, and else the answer.
    """
    # Looked up once a query, not once a conversation.
    said = Review.objects.filter(
        tracker=tracker,
        asked=lessons.asked(tracker.version_in_force),
        revision=F("conversation__text_revision"),
        replaced_at=None,
    )
    there, not_there = (said.filter(is_yes=word).values("conversation") for word in (True, False))
    return Scan.objects.filter(
        company_id=tracker.company_id,
        version=tracker.current_version_id,
        state=ScanState.DONE,
        revision=F("conversation__text_revision"),
        conversation__in=estimates.recent(tracker, now, conditions).values("pk"),
    ).annotate(
        outcome=Case(
            When(conversation__in=there, then=Value(Verdict.YES)),
            When(conversation__in=not_there, then=Value(Verdict.NO)),
            default=F("verdict"),
            output_field=CharField(),
        )
    )
