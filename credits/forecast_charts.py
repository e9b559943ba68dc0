"""Draw a forecast beside the bars of use: hatched bars, a dashed line, marks of expiry."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from credits import bar_charts
from credits.amounts import ZERO, approximate
from credits.bar_charts import Frame, text
from credits.daily_use import DailyUse, Step
from credits.forecasts import Forecast
from credits.periods_ahead import PeriodAhead

MARK_SIZE = 5
# Words at a line near the right edge stand at its left.
WORDS_WIDTH_MAX = 130


@dataclass(frozen=True, slots=True)
class BarAhead:
    """A coming period: the outline of what it is expected to use; ``words`` say all its figures."""

    period: PeriodAhead
    room_x: str
    room_width: str
    words: str
    outline: str


@dataclass(frozen=True, slots=True)
class RunOutMark:
    """Where credits run out, and what is written there; ``anchor`` is SVG's own word."""

    x: str
    words_x: str
    anchor: str
    words: str


@dataclass(frozen=True, slots=True)
class ForecastChart:
    """What stands right of ``x``: the rest of the period under way, and those to come.

    ``expiries`` are the marks at the top, as outlines. ``run_out`` is None where credits last.
    """

    x: str
    width: str
    rest: str
    rest_words: str
    bars: tuple[BarAhead, ...]
    line: str
    expiries: tuple[str, ...]
    run_out: RunOutMark | None


def frame(use: DailyUse, coming: Sequence[PeriodAhead]) -> Frame:
    """Return the frame of the periods that were and those to come.

    The first of the coming ones is under way: what it is to use still stands on its bar.
    """
    rest = [use.periods[-1].total + period.used for period in coming[:1]]
    return bar_charts.frame(
        use,
        following=len(coming[1:]),
        amounts=[*rest, *(period.used for period in coming[1:])],
        balances=[period.balance for period in coming],
    )


def draw(
    use: DailyUse, coming: Sequence[PeriodAhead], frame: Frame, forecast: Forecast
) -> ForecastChart:
    """Draw the coming periods right of the ones that were."""
    now = len(use.periods) - 1
    current = use.periods[now]
    places = range(now + 1, now + len(coming))
    following = list(zip(places, coming[1:], strict=True))
    return ForecastChart(
        x=text(frame.begin(now + 1)),
        width=text(frame.room * len(following)),
        rest=frame.outline(now, current.total, coming[0].used) if coming[0].used else "",
        rest_words=f"; {approximate(coming[0].used)} more expected{_expiry(coming[0])}",
        bars=tuple(_bar(use.step, period, place, frame) for place, period in following),
        line=_line(use, coming, frame),
        expiries=tuple(
            _mark(frame, place)
            for place, period in enumerate(coming, start=now)
            if period.unused is not None
        ),
        run_out=_run_out(forecast.runs_out_on, coming, frame, now),
    )


def words_of(period: PeriodAhead, step: Step) -> str:
    """Say all figures of a coming period."""
    return (
        f"Forecast for {bar_charts.label_of(period, step)}: {approximate(period.used)} credits; "
        f"{approximate(period.balance)} remain{_expiry(period)}"
    )


def _expiry(period: PeriodAhead) -> str:
    if period.unused is None:
        return ""
    return f"; of what expires, {approximate(period.unused)} unused"


def _bar(step: Step, period: PeriodAhead, place: int, frame: Frame) -> BarAhead:
    return BarAhead(
        period=period,
        room_x=text(frame.begin(place)),
        room_width=text(frame.room),
        words=words_of(period, step),
        outline=frame.outline(place, ZERO, period.used) if period.used else "",
    )


def _line(use: DailyUse, coming: Sequence[PeriodAhead], frame: Frame) -> str:
    """Return the path from what remains now through what will remain after each period."""
    now = len(use.periods) - 1
    balances = [use.periods[now].balance, *(period.balance for period in coming[1:])]
    points = [
        f"{text(frame.middle(place))} {text(frame.balance_y(balance))}"
        for place, balance in enumerate(balances, start=now)
        if balance is not None
    ]
    return f"M {' L '.join(points)}"


def _mark(frame: Frame, place: int) -> str:
    """Return a triangle that hangs from the top, over the last day of what expires."""
    left = text(frame.middle(place) - MARK_SIZE)
    return f"M{left} {bar_charts.TOP}h{2 * MARK_SIZE}l-{MARK_SIZE} {MARK_SIZE * 2 - 1}z"


def _run_out(
    day: date | None, coming: Sequence[PeriodAhead], frame: Frame, now: int
) -> RunOutMark | None:
    """Mark the period in which credits run out; None where that is later than the drawing."""
    places = [
        place
        for place, period in enumerate(coming, start=now)
        if day is not None and period.first <= day <= period.last
    ]
    if day is None or not places:
        return None
    x = frame.middle(places[0])
    is_right = x + WORDS_WIDTH_MAX > bar_charts.WIDTH - bar_charts.RIGHT
    return RunOutMark(
        x=text(x),
        words_x=text(x - 6 if is_right else x + 6),
        anchor="end" if is_right else "start",
        words=f"Runs out {day.day} {day:%b}",
    )
