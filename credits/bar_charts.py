"""Draw stacked bars and a line over them as SVG shapes: numbers only, for a template to write.

Both axes start at 0. All lengths are in the units of the drawing's own box.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Protocol

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
class Frame:
    """Where things stand in the drawing: rooms side by side, and where its two scales end."""

    count: int
    room: Decimal
    bar_width: Decimal
    tallest: Decimal
    fullest: Decimal

    def begin(self, place: int) -> Decimal:
        return LEFT + self.room * place

    def middle(self, place: int) -> Decimal:
        return self.begin(place) + self.room / 2

    def balance_y(self, balance: Decimal) -> Decimal:
        return _y(balance, self.fullest)

    def outline(self, place: int, below: Decimal, amount: Decimal) -> str:
        """Return the path around a piece of a bar that stands on ``below``."""
        top, bottom = _y(below + amount, self.tallest), _y(below, self.tallest)
        across, height = text(self.bar_width), text(bottom - top)
        left = text(self.middle(place) - self.bar_width / 2)
        return f"M{left} {text(top)}h{across}v{height}h-{across}z"


@dataclass(frozen=True, slots=True)
class Tick:
    """A place on an axis and what is written there."""

    at: str
    text: str


@dataclass(frozen=True, slots=True)
class Part:
    """One series' piece of a bar, as an outline; ``number`` counts the series from 1."""

    number: int
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

    @property
    def plot_height(self) -> int:
        return self.bottom - self.top


def frame(
    use: DailyUse,
    *,
    following: int = 0,
    amounts: Iterable[Decimal] = (),
    balances: Iterable[Decimal] = (),
) -> Frame:
    """Return the frame of the periods and of so many that follow, which holds all amounts."""
    totals = [period.total for period in use.periods]
    remains = [period.balance or ZERO for period in use.periods]
    count = len(use.periods) + following
    room = Decimal(WIDTH - LEFT - RIGHT) / count
    return Frame(
        count=count,
        room=room,
        bar_width=min(room * BAR_PART, Decimal(BAR_WIDTH_MAX)),
        tallest=_round_up(max([*totals, *amounts], default=ZERO)),
        fullest=_round_up(max([*remains, *balances], default=ZERO)),
    )


def draw(use: DailyUse, frame: Frame, *, days: Sequence[date] = ()) -> Chart:
    """Draw the periods side by side, with what remained after each as a line.

    ``days`` are the first days of the periods that follow; the axis names them too.
    """
    firsts = [*(period.first for period in use.periods), *days]
    return Chart(
        width=WIDTH,
        height=HEIGHT,
        left=LEFT,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=HEIGHT - BOTTOM,
        amounts=_ticks(frame.tallest),
        balances=_ticks(frame.fullest),
        days=_day_ticks(firsts, use.step, frame),
        bars=tuple(_bar(use, frame, place) for place in range(len(use.periods))),
        line=_line(use.periods, frame),
    )


class Dated(Protocol):
    """Anything that lasts from one local day to another."""

    @property
    def first(self) -> date: ...

    @property
    def last(self) -> date: ...


def label_of(period: Dated, step: Step) -> str:
    """Name a period: a day, a week by its days, a month."""
    match step:
        case Step.DAY:
            return f"{shown.short_day(period.first)} {period.first.year}"
        case Step.WEEK:
            return f"{shown.short_day(period.first)} – {shown.short_day(period.last)}"
    return f"{period.first:%B %Y}"


def _bar(use: DailyUse, frame: Frame, place: int) -> Bar:
    period = use.periods[place]
    parts, below = [], ZERO
    for number, amount in enumerate(period.amounts, start=1):
        if amount:
            parts.append(Part(number, frame.outline(place, below, amount)))
            below += amount
    return Bar(
        period=period,
        room_x=text(frame.begin(place)),
        room_width=text(frame.room),
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


def _line(periods: Sequence[Period], frame: Frame) -> str:
    """Return the path of the balances; a gap before the first entry."""
    points = [
        f"{text(frame.middle(place))} {text(frame.balance_y(period.balance))}"
        for place, period in enumerate(periods)
        if period.balance is not None
    ]
    return f"M {' L '.join(points)}" if points else ""


def _ticks(highest: Decimal) -> tuple[Tick, ...]:
    step = highest / TICKS
    return tuple(
        Tick(text(_y(step * place, highest)), f"{(step * place).normalize():,f}")
        for place in range(TICKS + 1)
    )


def _day_ticks(firsts: Sequence[date], step: Step, frame: Frame) -> tuple[Tick, ...]:
    """Name Mondays where there are many days; leave out names that would touch."""
    places = [place for place, day in enumerate(firsts) if step != Step.DAY or day.weekday() == 0]
    every = -(-len(places) // LABELS_MAX)
    return tuple(
        Tick(text(frame.middle(place)), _day_text(firsts[place], step)) for place in places[::every]
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


def text(length: Decimal) -> str:
    return f"{length:.2f}".rstrip("0").rstrip(".")
