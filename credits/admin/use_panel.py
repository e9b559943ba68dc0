"""The panel of the credits page that shows daily use: a chart or its table, as the address says."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TypeVar

from django.db.models import TextChoices
from django.http import HttpRequest

from credits import bar_charts, forecast_charts, periods_ahead, shown, shown_forecasts
from credits.amounts import grouped
from credits.bar_charts import Chart
from credits.daily_use import DailyUse, Period, Step
from credits.forecast_charts import ForecastChart
from credits.forecasts import Forecast
from credits.metering import Dimension
from credits.periods_ahead import PeriodAhead
from credits.templatetags.figures import percent


class View(TextChoices):
    CHART = "chart", "Chart"
    TABLE = "table", "Table"


@dataclass(frozen=True, slots=True)
class Choice:
    """What a person chose to see, kept in the address so that it can be sent to others."""

    step: Step = Step.DAY
    dimension: Dimension = Dimension.FEATURE
    view: View = View.CHART

    @property
    def url(self) -> str:
        """Return the address of the page that shows this choice."""
        return f"?step={self.step}&by={self.dimension.label}&view={self.view}#use"


@dataclass(frozen=True, slots=True)
class Option:
    label: str
    url: str
    is_current: bool


@dataclass(frozen=True, slots=True)
class Switch:
    """Options of which one is chosen."""

    name: str
    options: tuple[Option, ...]


@dataclass(frozen=True, slots=True)
class Panel:
    """What the template shows; ``chart`` is None where the table is chosen.

    ``ahead`` and ``rows_ahead`` are the forecast's part of either; nothing without a forecast.
    """

    daily: DailyUse
    caption: str
    switches: tuple[Switch, ...]
    chart: Chart | None
    ahead: ForecastChart | None
    rows: tuple[tuple[Period, str], ...]
    rows_ahead: tuple[tuple[PeriodAhead, str], ...]


Member = TypeVar("Member", bound=TextChoices)


def choice_of(request: HttpRequest) -> Choice:
    """Read the choice from the address; what is not there or unknown is as at first."""
    asked = request.GET
    by_label = {dimension.label: dimension for dimension in Dimension}
    return Choice(
        step=_known(Step, asked.get("step"), Step.DAY),
        dimension=by_label.get(asked.get("by", ""), Dimension.FEATURE),
        view=_known(View, asked.get("view"), View.CHART),
    )


def panel(daily: DailyUse, choice: Choice, forecast: Forecast | None) -> Panel:
    """Return the panel: drawn, or as tables, of what was used with the newest period first."""
    coming = periods_ahead.of(forecast.ahead, step=daily.step) if forecast else ()
    is_table = choice.view == View.TABLE
    chart, ahead = (None, None) if is_table else _drawn(daily, coming, forecast)
    return Panel(
        daily=daily,
        caption=caption(daily, forecast),
        switches=(
            Switch("Add up by", tuple(_option(choice, step=step) for step in Step)),
            Switch("Tell apart by", tuple(_option(choice, dimension=one) for one in Dimension)),
            Switch("Show as", tuple(_option(choice, view=view) for view in View)),
        ),
        chart=chart,
        ahead=ahead,
        rows=tuple(
            (period, bar_charts.label_of(period, daily.step))
            for period in reversed(daily.periods if is_table else ())
        ),
        rows_ahead=tuple(_rows_ahead(coming, daily.step)) if is_table else (),
    )


def _drawn(
    daily: DailyUse, coming: tuple[PeriodAhead, ...], forecast: Forecast | None
) -> tuple[Chart, ForecastChart | None]:
    frame = forecast_charts.frame(daily, coming)
    chart = bar_charts.draw(daily, frame, days=[period.first for period in coming[1:]])
    if forecast is None:
        return chart, None
    ahead = forecast_charts.draw(daily, coming, frame, forecast)
    *before, now = chart.bars
    now = replace(now, words=now.words + ahead.rest_words)
    return replace(chart, bars=(*before, now)), ahead


def _rows_ahead(coming: tuple[PeriodAhead, ...], step: Step) -> list[tuple[PeriodAhead, str]]:
    """Name the coming periods; the first has begun already."""
    names = [bar_charts.label_of(period, step) for period in coming]
    return list(zip(coming, [f"Rest of {name}" for name in names[:1]] + names[1:], strict=True))


def caption(daily: DailyUse, forecast: Forecast | None) -> str:
    """Say what there is to be seen: a sentence for what was, and one for what will be."""
    since = shown.day(daily.first)
    if not daily.total:
        return f"No credits were used since {since}."
    first, busiest = daily.series[0], daily.busiest
    # Of a single series nothing is to be told apart.
    most = f"; {first.name} used {percent(first.share)} of them" if len(daily.series) > 1 else ""
    peak = f"the most on {bar_charts.label_of(busiest, daily.step)}"
    if daily.step != Step.DAY:
        peak = f"the most in {_in_words(busiest, daily.step)}"
    return (
        f"{grouped(daily.total)} credits were used since {since}, {peak} "
        f"({grouped(busiest.total)}){most}."
        + (f" {shown_forecasts.ahead_in_words(forecast)}" if forecast else "")
    )


def _in_words(period: Period, step: Step) -> str:
    if step == Step.MONTH:
        return bar_charts.label_of(period, step)
    return f"the week from {shown.short_day(period.first)}"


def _option(choice: Choice, **change: TextChoices) -> Option:
    (chosen,) = change.values()
    other = replace(choice, **change)  # type: ignore[arg-type]
    label = str(chosen.label)
    return Option(
        f"By {label}" if isinstance(chosen, Dimension) else label, other.url, other == choice
    )


def _known(choices: type[Member], value: str | None, default: Member) -> Member:
    return choices(value) if value in choices.values else default
