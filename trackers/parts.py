"""Which part of a conversation a version reads, told from counts and times stored at import.

An utterance belongs to the part in which it begins. One without a time begins when the one before
it did. What cannot be cut is read whole: e-mails, and calls none of whose utterances has a time.

Whether a part holds anything to analyze needs no text: on each side it is enough to know when the
first and the last utterance with a letter or digit begin. ``has_text`` asks that of the database,
``cut`` does the same to texts, and both must agree for every conversation.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import TypeVar

from django.db.models import DecimalField, F, Q, Value
from django.db.models.functions import Cast, Greatest

from trackers.models import ConversationKind, Part, Side, TrackerVersion

MINUTES_MAX = 600
SECONDS = Decimal("0.001")

_SIDES = {
    Side.REP: ("company",),
    Side.CUSTOMER: ("non_company",),
    Side.ANY: ("company", "non_company"),
}
_TIME = DecimalField(max_digits=20, decimal_places=3)
# When a call ends: its transcript may run longer than the duration its record gives.
_END = Greatest(
    Cast("duration_seconds", _TIME), F("company_last_seconds"), F("non_company_last_seconds")
)

Turn = TypeVar("Turn")
Time = TypeVar("Time", Decimal, float)


@dataclass(frozen=True, slots=True)
class SideText:
    """How much one side said that can be analyzed, and when the first and last of it begin.

    The seconds are None where there is none of it, or nothing in the conversation has a time.
    """

    count: int = 0
    first_seconds: Decimal | None = None
    last_seconds: Decimal | None = None


def is_analyzable(text: str) -> bool:
    """Tell whether an utterance has a letter or digit."""
    # Nearly always the first letter says so.
    return text[:1].isalnum() or any(letter.isalnum() for letter in text)


def seconds(start: float | None) -> Decimal | None:
    """Return a time as it is stored."""
    # Through text: the same figure, in half the time.
    return None if start is None else Decimal(as_stored(start))


def as_stored(start: float) -> str:
    """Return a time in the form in which it is stored."""
    return f"{start:.3f}"


def begins(given: Sequence[Time | None], *, zero: Time) -> list[Time | None]:
    """Return when each utterance begins, in order; None for all where no time was given.

    ``zero`` is when a conversation begins.
    """
    if all(start is None for start in given):
        return [None] * len(given)
    found: list[Time | None] = []
    last = zero
    for start in given:
        last = last if start is None else start
        found.append(last)
    return found


def summed(starts: Iterable[float | None]) -> SideText:
    """Sum up one side's analyzable utterances by when they begin, in seconds as they arrive."""
    times = list(starts)
    known = [start for start in times if start is not None]
    if not known:
        return SideText(count=len(times))
    # Rounded at the end: what is rounded keeps its order.
    return SideText(
        count=len(times), first_seconds=seconds(min(known)), last_seconds=seconds(max(known))
    )


def has_text(version: TrackerVersion) -> Q:
    """Match conversations with something to analyze on the version's side, within its part."""
    matched = Q()
    for side in _SIDES[Side(version.side)]:
        spoken = Q(**{f"{side}_text_count__gt": 0})
        matched |= spoken & _begins_within(version, side)
    return matched


def cut(
    turns: Sequence[Turn],
    given: Sequence[Decimal | None],
    *,
    version: TrackerVersion,
    kind: str,
    end: Decimal,
) -> list[Turn]:
    """Return the utterances within the version's part; ``given`` are their times as stored.

    ``end`` is when the call ends, as ``end_of`` says.
    """
    starts = begins(given, zero=Decimal(0))
    if version.part == Part.WHOLE or kind == ConversationKind.EMAIL:
        return list(turns)
    return [
        turn
        for turn, start in zip(turns, starts, strict=True)
        if start is None or _is_within(version, start, end)
    ]


def end_of(duration_seconds: int, texts: Sequence[str], given: Sequence[Decimal | None]) -> Decimal:
    """Return when a call ends: after its duration, or when its last analyzable words begin."""
    starts = begins(given, zero=Decimal(0))
    spoken = [
        start
        for text, start in zip(texts, starts, strict=True)
        if start is not None and is_analyzable(text)
    ]
    return max([Decimal(duration_seconds), *spoken])


def words(version: TrackerVersion) -> str:
    """Say which part of a call a version reads."""
    if version.part == Part.WHOLE:
        return "the whole call"
    count = version.part_minutes
    place = "first" if version.part == Part.FIRST else "last"
    return (
        f"the {place} minute of a call" if count == 1 else f"the {place} {count} minutes of a call"
    )


def _is_within(version: TrackerVersion, start: Decimal, end: Decimal) -> bool:
    span = _span(version)
    return start < span if version.part == Part.FIRST else start >= end - span


def _begins_within(version: TrackerVersion, side: str) -> Q:
    if version.part == Part.WHOLE:
        return Q()
    uncut = Q(kind=ConversationKind.EMAIL) | Q(**{f"{side}_first_seconds": None})
    span = _span(version)
    if version.part == Part.FIRST:
        return uncut | Q(**{f"{side}_first_seconds__lt": span})
    return uncut | Q(**{f"{side}_last_seconds__gte": _END - Value(span, output_field=_TIME)})


def _span(version: TrackerVersion) -> Decimal:
    assert version.part_minutes is not None
    return Decimal(version.part_minutes * 60)
