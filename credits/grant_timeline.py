"""Draw grants as bars over the time they can be spent in: numbers only, for a template to write.

A bar's length is a grant's validity, its filled part what is left of it. All lengths are in the
units of the drawing's own box.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal

from credits import shown
from credits.amounts import ZERO, grouped
from credits.bar_charts import Tick
from credits.models import Company
from credits.models.pool import SOURCE_RANKS
from credits.overview import GrantState, HeldGrant

WIDTH = 960
LEFT, RIGHT, TOP, BOTTOM = 176, 168, 34, 6
ROW, BAR = 30, 18
BAR_WIDTH_MIN = 3
LABELS_MAX = 9
ROWS_MAX = 18
# How far the drawing reaches at most; what begins earlier or ends later is cut at its edge.
BACK_MAX = timedelta(days=184)
AHEAD_MAX = timedelta(days=400)
MARGIN = timedelta(days=7)


@dataclass(frozen=True, slots=True)
class Bar:
    """One grant: where it lies, how much of it is filled, and its figures in words.

    ``series`` is its source's color. ``ends_after`` says that it goes on behind the drawing's
    edge. ``is_over`` is a bar of which nothing can be spent any more.
    """

    held: HeldGrant
    label: str
    figures: str
    words: str
    series: int
    room_y: str
    label_y: str
    y: str
    x: str
    width: str
    filled: str
    ends_after: bool

    @property
    def is_over(self) -> bool:
        return self.held.state not in (GrantState.ACTIVE, GrantState.SCHEDULED)

    @property
    def is_scheduled(self) -> bool:
        return self.held.state == GrantState.SCHEDULED


@dataclass(frozen=True, slots=True)
class Timeline:
    """Everything a template needs to write the drawing; ``left_out`` counts older grants."""

    width: int
    height: int
    right: int
    top: int
    bottom: int
    today: Tick
    months: tuple[Tick, ...]
    bars: tuple[Bar, ...]
    rows: tuple[HeldGrant, ...]
    left_out: int


def draw(*, company: Company, grants: Sequence[HeldGrant], instant: datetime) -> Timeline:
    """Draw a company's grants as they are at an instant, the first to start at the top.

    Those that can still be spent come first when there are too many, then the newest of the
    others.
    """
    chosen = _chosen(grants)
    start, end = _span(chosen, instant)
    height = TOP + ROW * len(chosen) + BOTTOM
    scale = _Scale(start, end)
    return Timeline(
        width=WIDTH,
        height=height,
        right=WIDTH - RIGHT,
        top=TOP,
        bottom=height - BOTTOM,
        today=Tick(_text(scale.x(instant)), "now"),
        months=_months(company, scale),
        bars=tuple(_bar(company, one, place, scale) for place, one in enumerate(chosen)),
        rows=tuple(chosen),
        left_out=len(grants) - len(chosen),
    )


def caption(*, company: Company, grants: Sequence[HeldGrant]) -> str:
    """Say in one sentence what there is to be seen."""
    if not grants:
        return "No credits were granted yet."
    active = [one.grant for one in grants if one.state == GrantState.ACTIVE]
    coming = [one.grant for one in grants if one.state == GrantState.SCHEDULED]
    left = grouped(sum((grant.remaining for grant in active), ZERO))
    parts = [f"{left} credits are left on {shown.counted(len(active), 'grant')}"]
    ending = [grant for grant in active if grant.expires_at is not None]
    if not active:
        parts = ["Nothing is left on any grant"]
    elif ending:
        first = min(ending, key=lambda grant: (grant.expires_at, grant.pk))
        last = shown.day(shown.last_day_before(_end(first.expires_at), shown.zone_of(company)))
        parts.append(f"the next to end has {grouped(first.remaining)} and ends after {last}")
    else:
        parts.append("none of them ends")
    if coming:
        amount = grouped(sum((grant.amount for grant in coming), ZERO))
        at = min(grant.effective_at for grant in coming)
        day = shown.day(at.astimezone(shown.zone_of(company)).date())
        parts.append(f"{amount} more start from {day} on")
    return "; ".join(parts) + "."


@dataclass(frozen=True, slots=True)
class _Scale:
    """Turns instants into places between the labels and the figures."""

    start: datetime
    end: datetime

    def x(self, instant: datetime) -> Decimal:
        part = Decimal((instant - self.start) / (self.end - self.start))
        return LEFT + (WIDTH - RIGHT - LEFT) * max(min(part, Decimal(1)), Decimal(0))


def _chosen(grants: Sequence[HeldGrant]) -> list[HeldGrant]:
    live = [one for one in grants if one.state in (GrantState.ACTIVE, GrantState.SCHEDULED)]
    over = [one for one in grants if one not in live]
    over.sort(key=lambda one: (one.grant.effective_at, one.grant.pk), reverse=True)
    chosen = (live + over)[:ROWS_MAX]
    return sorted(chosen, key=lambda one: (one.grant.effective_at, one.grant.pk))


def _span(chosen: Sequence[HeldGrant], instant: datetime) -> tuple[datetime, datetime]:
    starts = [one.grant.effective_at for one in chosen]
    ends = [one.grant.expires_at for one in chosen if one.grant.expires_at is not None]
    start = max(min([*starts, instant]) - MARGIN, instant - BACK_MAX)
    end = min(max([*ends, *starts, instant]) + MARGIN, instant + AHEAD_MAX)
    return start, end


def _bar(company: Company, one: HeldGrant, place: int, scale: _Scale) -> Bar:
    grant = one.grant
    x, end = scale.x(grant.effective_at), scale.x(grant.expires_at or scale.end)
    width = max(end - x, Decimal(BAR_WIDTH_MIN))
    x = min(x, WIDTH - RIGHT - width)
    left = grant.amount if one.state == GrantState.SCHEDULED else grant.remaining
    top = TOP + ROW * place
    figures = f"{grouped(left)} of {grouped(grant.amount)}"
    return Bar(
        held=one,
        label=_label(one),
        figures=figures,
        words=_words(company, one, figures),
        series=SOURCE_RANKS[grant.source],
        room_y=str(top),
        label_y=_text(Decimal(top) + Decimal(ROW) / 2),
        y=_text(Decimal(top) + Decimal(ROW - BAR) / 2),
        x=_text(x),
        width=_text(width),
        filled=_text(width * left / grant.amount),
        ends_after=grant.expires_at is None or grant.expires_at > scale.end,
    )


def _label(one: HeldGrant) -> str:
    """Name a grant by its source; by its state too when nothing of it can be spent any more."""
    source = str(one.grant.get_source_display())
    if one.state in (GrantState.ACTIVE, GrantState.SCHEDULED):
        return source
    return f"{source}, {one.state.label.lower()}"


def _words(company: Company, one: HeldGrant, figures: str) -> str:
    zone, grant = shown.zone_of(company), one.grant
    first = shown.day(grant.effective_at.astimezone(zone).date())
    until = "no end"
    if grant.expires_at is not None:
        until = shown.day(shown.last_day_before(grant.expires_at, zone))
    state = one.state.label.lower()
    return f"{grant.get_source_display()}, {state}: {first} – {until}, {figures} left"


def _months(company: Company, scale: _Scale) -> tuple[Tick, ...]:
    """Name the first of each month; leave out names that would touch."""
    zone = shown.zone_of(company)
    day, firsts = scale.start.astimezone(zone).date(), []
    while (day := _first_of_next(day)) <= scale.end.astimezone(zone).date():
        firsts.append(day)
    every = -(-len(firsts) // LABELS_MAX) or 1
    return tuple(
        Tick(
            _text(scale.x(datetime(first.year, first.month, 1, tzinfo=zone))),
            f"{first:%b %Y}" if first.month <= every or place == 0 else f"{first:%b}",
        )
        for place, first in enumerate(firsts[::every])
    )


def _first_of_next(day: date) -> date:
    return (day.replace(day=1) + timedelta(days=32)).replace(day=1)


def _end(instant: datetime | None) -> datetime:
    assert instant is not None
    return instant


def _text(length: Decimal) -> str:
    return f"{length:.2f}".rstrip("0").rstrip(".")
