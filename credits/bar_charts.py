"""Draw stacked bars and a line over them as SVG shapes: numbers only, for a template to write.

Both axes start at 0. All lengths are in the units of the drawing's own box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal

from credits import shown
from credits.amounts import ZERO, grouped
from credits.daily_use import DailyUse, Period, Step

WIDTH, HEIGHT = 960, 290
LEFT, RIGHT, TOP, BOTTOM = 46, 58, 14, 26
TICKS = 4
LABELS_MAX = 9
BAR_PART = Decimal("0.78")  # Of the room a period has.
BAR_WIDTH_MAX = 56
_STEPS = tuple(Decimal(step) for step in ("1", "1.5", "2", "2.5", "3", "4", "5", "7.5", "10"))


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what is written there."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """One series' piece of a bar, and its outline; ``number`` counts the series from 1."""

    number: int
    y: str
    height: str
    outline: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One period: its pieces from the bottom up, and the room in which a pointer means it.

    ``words`` say all its figures. They are put together here, and not in the template, which
    would take as long over a year's parts as the rest of the page.
    """

    period: Period
    room_x: str
    room_width: str
    words: str
    parts: tuple[Part, ...]


@dataclass(frozen=True, slots=True)
class Chart:
    """Everything a template needs to write the drawing."""

    width: int
    height: int
    left: int
    right: int
    top: int
    bottom: int
    amounts: tuple[Tick, ...]
    balances: tuple[Tick, ...]
    days: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    line: str


def draw(use: DailyUse) -> Chart:
    """Draw the periods side by side, with what remained after each as a line."""
    tallest = _round_up(max((period.total for period in use.periods), default=ZERO))
    fullest = _round_up(max((period.balance or ZERO for period in use.periods), default=ZERO))
    room = Decimal(WIDTH - LEFT - RIGHT) / len(use.periods)
    middles = [LEFT + room * place + room / 2 for place in range(len(use.periods))]
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        amounts=_ticks(tallest),
        balances=_ticks(fullest),
        days=_day_ticks(use, middles),
        bars=tuple(
            _bar(use, period, middle, room, tallest)
            for period, middle in zip(use.periods, middles, strict=True)
        ),
        line=_line(use.periods, middles, fullest),
    )


def label_of(period: Period, step: Step) -> str:
    """Name a period: a day, a week by its days, a month."""
    match step:
        case Step.DAY:
            return f"{shown.short_day(period.first)} {period.first.year}"
        case Step.WEEK:
            return f"{shown.short_day(period.first)} – {shown.short_day(period.last)}"
    return f"{period.first:%B %Y}"


def _bar(use: DailyUse, period: Period, middle: Decimal, room: Decimal, tallest: Decimal) -> Bar:
    width = min(room * BAR_PART, Decimal(BAR_WIDTH_MAX))
    left, across = _text(middle - width / 2), _text(width)
    parts, below = [], ZERO
    for number, amount in enumerate(period.amounts, start=1):
        if amount:
            top, bottom = _y(below + amount, tallest), _y(below, tallest)
            y, height = _text(top), _text(bottom - top)
            outline = f"M{left} {y}h{across}v{height}h-{across}z"
            parts.append(Part(number, y, height, outline))
            below += amount
    return Bar(
        period=period,
        room_x=_text(middle - room / 2),
        room_width=_text(room),
        words=_words(use, period),
        parts=tuple(parts),
    )


def _words(use: DailyUse, period: Period) -> str:
    shares = "".join(
        f", {series.name} {grouped(amount)}"
        for series, amount in zip(use.series, period.amounts, strict=True)
        if amount
    )
    left = "" if period.balance is None else f"; {grouped(period.balance)} remained"
    return f"{label_of(period, use.step)}: {grouped(period.total)} credits{shares}{left}"


def _line(periods: Sequence[Period], middles: Sequence[Decimal], fullest: Decimal) -> str:
    """Return the path of the balances; a gap before the first entry."""
    points = [
        f"{_text(middle)} {_text(_y(period.balance, fullest))}"
        for period, middle in zip(periods, middles, strict=True)
        if period.balance is not None
    ]
    return f"M {' L '.join(points)}" if points else ""


def _ticks(highest: Decimal) -> tuple[Tick, ...]:
    step = highest / TICKS
    return tuple(
        Tick(_text(_y(step * place, highest)), f"{(step * place).normalize():,f}")
        for place in range(TICKS + 1)
    )


def _day_ticks(use: DailyUse, middles: Sequence[Decimal]) -> tuple[Tick, ...]:
    """Name Mondays where there are many days; leave out names that would touch."""
    places = [
        place
        for place, period in enumerate(use.periods)
        if use.step != Step.DAY or period.first.weekday() == 0
    ]
    every = -(-len(places) // LABELS_MAX)
    return tuple(
        Tick(_text(middles[place]), _day_text(use.periods[place].first, use.step))
        for place in places[::every]
    )


def _day_text(day: date, step: Step) -> str:
    return f"{day:%b %Y}" if step == Step.MONTH else f"{day.day} {day:%b}"


def _round_up(amount: Decimal) -> Decimal:
    """Return the least axis of four round steps that reaches the amount."""
    if not amount:
        return Decimal(TICKS)
    step = amount / TICKS
    power = Decimal(10) ** step.adjusted()
    return next(power * nice for nice in _STEPS if power * nice >= step) * TICKS


def _y(amount: Decimal, highest: Decimal) -> Decimal:
    floor = HEIGHT - BOTTOM
    return floor - (floor - TOP) * amount / highest


def _text(length: Decimal) -> str:
    return f"{length:.2f}".rstrip("0").rstrip(".")
