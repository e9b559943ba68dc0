"""Whatever the lots and the past: more credits never run out sooner, more use never later."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from hypothesis import given, settings
from hypothesis import strategies as st

from credits import forecasts
from credits.forecasts import Forecast, Pace
from credits.paths import Lot

INSTANT = datetime(2026, 10, 20, 13, 37, tzinfo=UTC)
TODAY = date(2026, 10, 20)
BERLIN = ZoneInfo("Europe/Berlin")
NEVER = date.max

amounts = st.decimals(min_value=0, max_value=500, places=3)
daily = st.lists(amounts, min_size=3, max_size=28).filter(lambda days: sum(map(bool, days)) >= 3)
hours = st.integers(min_value=-300, max_value=4000)


@st.composite
def lots(draw) -> Lot:
    starts_at = INSTANT + timedelta(hours=draw(hours))
    lasts = draw(st.none() | st.integers(min_value=1, max_value=5000))
    begins = max(starts_at, INSTANT)
    return Lot(
        ref=uuid.UUID(int=draw(st.integers(min_value=1, max_value=10**6))),
        free=draw(amounts),
        starts_at=starts_at,
        expires_at=None if lasts is None else begins + timedelta(hours=lasts),
    )


def forecast(some: list[Lot], past: list[Decimal], *, waiting=Decimal(0), more=Decimal(0)):
    pace = Pace(TODAY - timedelta(days=len(past)), tuple(past), Decimal("1.5"))
    return forecasts.of(
        lots=some, pace=pace, waiting=waiting, instant=INSTANT, zone=BERLIN, more_per_day=more
    )


def days(found: Forecast) -> list[date]:
    return [day or NEVER for day in (found.earliest, found.runs_out_on, found.latest)]


def no_sooner(found: Forecast, than: Forecast) -> bool:
    return all(one >= other for one, other in zip(days(found), days(than), strict=True))


@settings(max_examples=60)
@given(some=st.lists(lots(), max_size=6), one=lots(), place=st.integers(0, 6), past=daily)
def test_one_more_grant_never_runs_out_sooner_wherever_it_stands_in_the_order(
    some, one, place, past
):
    more = [*some[:place], one, *some[place:]]

    assert no_sooner(forecast(more, past), forecast(some, past))


@settings(max_examples=60)
@given(some=st.lists(lots(), min_size=1, max_size=6), more=amounts, past=daily)
def test_a_larger_grant_never_runs_out_sooner(some, more, past):
    larger = [some[0]._replace(free=some[0].free + more), *some[1:]]

    assert no_sooner(forecast(larger, past), forecast(some, past))


@settings(max_examples=60)
@given(some=st.lists(lots(), max_size=6), more=amounts, waiting=amounts, past=daily)
def test_more_use_or_more_waiting_never_runs_out_later(some, more, waiting, past):
    found = forecast(some, past)

    assert no_sooner(found, forecast(some, past, more=more))
    assert no_sooner(found, forecast(some, past, waiting=waiting))


@settings(max_examples=60)
@given(some=st.lists(lots(), max_size=6), past=daily)
def test_what_there_is_is_used_or_wasted_or_left(some, past):
    found = forecast(some, past)

    ends = found.ahead[-1].day + timedelta(days=1)
    there = sum(lot.free for lot in some if lot.starts_at.astimezone(BERLIN).date() < ends)
    used = sum(day.used for day in found.ahead)
    wasted = sum(waste.credits for day in found.ahead[:-1] for waste in day.ending)
    last = found.ahead[-1]
    # What ends at the last midnight is in that day's balance still; what ended before it is not.
    gone = sum(
        waste.credits for waste in last.ending if waste.expires_at.astimezone(BERLIN).date() < ends
    )
    assert abs(there - used - wasted - gone - last.balance) <= Decimal("0.1")
    assert all(day.used >= 0 and day.balance >= 0 for day in found.ahead)
