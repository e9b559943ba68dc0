"""How every page words a forecast: the day credits run out, its range, and what expires unused."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import ROUND_HALF_UP, Decimal

from credits import shown
from credits.amounts import approximate, grouped
from credits.forecasts import USE_DAYS_MIN, Forecast
from credits.outlooks import Outlook

HORIZON = "12 months"


@dataclass(frozen=True, slots=True)
class RunOut:
    """When credits run out, in words; ``day`` is None where no day can be named.

    ``status`` is ``runs-out``, ``lasts``, ``not-enough-use``, ``nothing-free``, ``nothing-left``
    or ``closed``.
    """

    status: str
    headline: str
    day: date | None = None
    notes: tuple[str, ...] = ()
    forecast: Forecast | None = None


def run_out(
    outlook: Outlook, forecast: Forecast | None, *, remaining: Decimal, is_closed: bool = False
) -> RunOut:
    """Say when credits run out, or in honest words why no day can be named."""
    if is_closed:
        return RunOut("closed", "Closed", notes=("nothing is used any more",))
    if not outlook.available:
        coming = _next_start(outlook)
        if remaining:
            return RunOut("nothing-free", "All held", notes=("nothing is free now", *coming))
        return RunOut("nothing-left", "Nothing left", notes=coming)
    if forecast is None:
        return RunOut("not-enough-use", "Not enough use yet", notes=(_days_needed(outlook),))
    if forecast.runs_out_on is None:
        return RunOut("lasts", f"Not within {HORIZON}", None, _pace(forecast), forecast)
    return RunOut(
        "runs-out", shown.day(forecast.runs_out_on), forecast.runs_out_on, _pace(forecast), forecast
    )


def run_out_in_words(outlook: Outlook, forecast: Forecast | None) -> str:
    """Say on what day credits run out, within a sentence or a cell."""
    if not outlook.available:
        return "nothing is available now"
    if forecast is None:
        return f"not enough use yet to say: {_days_needed(outlook)}"
    if forecast.runs_out_on is None:
        return f"not within {HORIZON}"
    spread = spread_in_words(forecast)
    return shown.day(forecast.runs_out_on) + (f" ({spread})" if spread else "")


def spread_in_words(forecast: Forecast) -> str:
    """Say the range of days; empty where it is one day or lies beyond the horizon."""
    earliest, latest = forecast.earliest, forecast.latest
    if earliest is None or earliest == latest:
        return ""
    if latest is None:
        return f"{shown.day(earliest)} or later"
    if (earliest.year, earliest.month) == (latest.year, latest.month):
        return f"{earliest.day}–{shown.day(latest)}"
    if earliest.year == latest.year:
        return f"{earliest.day} {earliest:%b} – {shown.day(latest)}"
    return f"{shown.day(earliest)} – {shown.day(latest)}"


def inputs_in_words(outlook: Outlook) -> str:
    """Say what the forecast was made from."""
    days = len(outlook.pace.daily)
    moved = outlook.planned_per_day.quantize(Decimal("0.1"), rounding=ROUND_HALF_UP)
    changes = ""
    if moved:
        less = "less" if moved < 0 else "more"
        changes = f" Trackers changed since take {approximate(abs(moved))} {less} a day."
    return (
        f"From {shown.counted(days, 'full day')}, {outlook.pace.use_days} of them with use; "
        f"{grouped(outlook.available)} free now, {grouped(outlook.waiting)} waiting.{changes}"
    )


def ahead_in_words(forecast: Forecast) -> str:
    """Say in one sentence what the next 30 days bring."""
    last = forecast.ahead[-1]
    used = sum((day.used for day in forecast.ahead[1:]), Decimal(0))
    if forecast.runs_out_on is None and not used and not last.balance:
        return "Nothing is left, so nothing can be used in the 30 days after today."
    sentence = f"At this pace {approximate(used)} will be used in the 30 days after today"
    out = forecast.runs_out_on
    if out is not None and out <= last.day:
        return f"{sentence}; credits run out on {shown.day(out)}."
    return f"{sentence}, and {approximate(last.balance)} remain on {shown.day(last.day)}."


def _pace(forecast: Forecast) -> tuple[str, ...]:
    pace = f"at {approximate(forecast.per_day)} a day"
    spread = spread_in_words(forecast)
    return (spread, pace) if spread else (pace,)


def _days_needed(outlook: Outlook) -> str:
    return f"needs {USE_DAYS_MIN} full days with use, {outlook.pace.use_days} so far"


def _next_start(outlook: Outlook) -> tuple[str, ...]:
    """Say what starts next; nothing when no grant is scheduled."""
    coming = [lot for lot in outlook.lots if lot.starts_at > outlook.instant]
    if not coming:
        return ()
    first = min(lot.starts_at for lot in coming)
    amount = sum((lot.free for lot in coming if lot.starts_at == first), Decimal(0))
    return (f"{grouped(amount)} more on {shown.day(first.astimezone(outlook.zone).date())}",)
