"""The credits page's outlook: when credits run out, what expires unused, the days to come."""

from __future__ import annotations

import uuid
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from config.demo.clock import seeded_clock
from credits import (
    bar_charts,
    charging,
    daily_use,
    forecast_charts,
    metering,
    outlooks,
    periods_ahead,
)
from credits.daily_use import Step
from credits.forecasts import DayAhead, Waste
from credits.ledger import Use
from credits.models import Source
from credits.rating import Work
from tests.support import pages, people

# 13:00 of a Tuesday in Berlin, in winter.
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def clock(db):
    with seeded_clock(NOON - people.days(40)) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    """Ten a day on the 28 days before the 10th, and four today: 200 of 484 are left."""
    company = people.company("Acme")
    people.credits_for(company, "484")
    for ago in range(28, -1, -1):
        clock.set(NOON - people.days(ago))
        charge(company, long_calls=10 if ago else 4)
    return company


def charge(company, name: str = "Pricing objection", **work: int) -> None:
    use = Use("TRACKER", name, uuid.uuid5(uuid.NAMESPACE_OID, name), "CONTINUOUS")
    charging.charge(company=company, use=use, work=Work(**work), rates=people.rates())


def page_for(client, user, query: str = "") -> pages.Page:
    client.force_login(user)
    answer = client.get(f"/admin/credits/{query}")
    assert answer.status_code == 200
    return pages.read(answer)


def test_the_day_credits_run_out_is_the_company_s_own(client, acme):
    page = page_for(client, people.vic(acme))

    # Six more today, ten a day after: 194 end with the 29th; the 30th has only four.
    (figure,) = page.all(data_metric="runs-out")
    assert (figure["data-value"], figure["data-earliest"], figure["data-latest"]) == (
        "2026-11-30",
        "2026-11-30",
        "2026-11-30",
    )
    assert page.figure("per-day") == "10.0"
    assert "Runs out 30 Nov 2026 at ≈ 10.0 a day Method Each coming day uses what its" in page.text
    assert "From 28 full days, 28 of them with use; 200.0 free now, 0.0 waiting." in page.text
    assert len(page.all(data_status="runs-out")) == 1


def test_an_expiry_and_a_coming_grant_move_the_day(client, acme):
    people.credits_for(acme, "50", expires_at=NOON + people.days(2))
    people.credits_for(acme, "1000", source=Source.PURCHASE, effective_at=NOON + people.days(9))

    page = page_for(client, people.bob(acme))

    # Of the 50: 6 today, 10, and until 13:00 of the 12th 13 ÷ 24 of 10; 28.6 stay unused.
    assert page.figure("next-expiry") == "50.0"
    assert page.figure("next-expiry-unused") == "28.583"
    assert "50.0 last day 12 Nov 2026 Adjustment ≈ 28.6 of it unused at this pace" in page.text
    assert page.figure("runs-out") == "2027-03-12"


def test_an_expiry_of_what_is_used_before_wastes_nothing(client, acme):
    people.credits_for(acme, "20", expires_at=NOON + people.days(5))

    page = page_for(client, people.bob(acme))

    assert page.figure("next-expiry-unused") == "0.0"
    assert "20.0 last day 15 Nov 2026 Adjustment used up before" in page.text


def test_only_those_who_may_open_a_grant_get_its_link(client, acme):
    grant = people.credits_for(acme, "20", expires_at=NOON + people.days(5))
    address = f"/admin/credits/creditgrant/{grant.pk}/change/"

    assert address in page_for(client, people.bob(acme)).links()
    assert address not in page_for(client, people.vic(acme)).links()


def test_an_expiry_beyond_the_horizon_is_too_far_to_say(client, clock, acme):
    people.credits_for(acme, "20", expires_at=NOON + people.days(400))

    page = page_for(client, people.bob(acme))

    assert "too far ahead to say what stays unused" in page.text
    assert page.all(data_metric="next-expiry-unused") == []


def test_two_days_with_use_are_not_enough_and_the_chart_has_no_forecast(client, clock):
    company = people.company("Acme")
    people.credits_for(company, "484", expires_at=NOON + people.days(30))
    for ago in (20, 9, 0):
        clock.set(NOON - people.days(ago))
        charge(company, long_calls=1)

    page = page_for(client, people.bob(company))

    assert "Not enough use yet needs 3 full days with use, 2 so far" in page.text
    assert "not known yet how much stays unused" in page.text
    assert page.figure("runs-out") == ""
    assert page.all(data_metric="forecast-on") == []
    assert len(page.all(data_metric="used-on")) == 90


def test_nothing_left_says_so_in_place_of_a_day(client, clock, acme):
    charge(acme, long_calls=200)
    people.credits_for(acme, "30", effective_at=NOON + people.days(20))

    page = page_for(client, people.bob(acme))

    assert "Runs out Nothing left 30.0 more on 30 Nov 2026" in page.text
    assert len(page.all(data_status="nothing-left")) == 1


def test_what_has_run_out_does_not_run_out_again_today(client, clock, acme):
    charge(acme, long_calls=200)

    page = page_for(client, people.bob(acme))

    assert "Nothing is left, so nothing can be used in the 30 days after today." in page.text
    assert "run out on" not in page.text
    assert "Runs out 10 Nov" not in page.text


def test_what_is_held_is_counted_in_jobs(client, acme):
    use = Use("TRACKER", "Pricing objection", uuid.uuid4(), "BACKFILL")
    for amount in ("1.5", "2"):
        charging.reserve(company=acme, amount=Decimal(amount), use=use, rates=people.rates())
    other = people.company("Globex")
    people.credits_for(other, "5")
    charging.reserve(company=other, amount=Decimal(1), use=use, rates=people.rates())

    page = page_for(client, people.bob(acme))

    assert (page.figure("reserved"), page.figure("held-jobs")) == ("3.5", "2")
    assert "Held now 3.5 in 2 jobs nothing waits for credits" in page.text
    assert "Held now 1.0 in 1 job nothing waits" in page_for(client, people.bob(other)).text


def test_each_feature_shows_its_trend_against_the_month_before(client, clock, acme):
    clock.set(NOON + people.days(29))
    charge(acme, long_calls=2)
    charge(acme, "Competitors", long_calls=1)

    page = page_for(client, people.bob(acme))

    # The 30 days from 10 November: 4 + 2 of Pricing objection, against 280 before.
    assert page.figure("used-30-days") == "7.0"
    assert "Pricing objection 6.0 86 % ↘ 98 % 6 0 –" in page.text
    assert "Competitors 1.0 14 % new 1 0 –" in page.text
    assert [row["data-value"][:7] for row in page.all(data_metric="trend")] == ["-0.9785", ""]


def test_the_chart_goes_on_for_thirty_days_and_says_it_in_words(client, acme):
    people.credits_for(acme, "50", expires_at=NOON + people.days(2))

    page = page_for(client, people.bob(acme))

    days = page.all(data_metric="forecast-on")
    assert (len(days), days[0]["data-day"], days[-1]["data-day"]) == (
        30,
        "2026-11-11",
        "2026-12-10",
    )
    assert {day["data-day"]: day["data-value"] for day in days}["2026-11-12"] == "10.0"
    assert days[1]["aria-label"] == (
        "Forecast for Thu 12 Nov 2026: ≈ 10.0 credits; ≈ 195.4 remain; of what expires, ≈ 28.6 "
        "unused"
    )
    (today,) = page.all(data_metric="used-on", data_day="2026-11-10")
    assert today["aria-label"].endswith("; 250.0 remained; ≈ 6.0 more expected")
    assert (
        "At this pace ≈ 215.4 will be used in the 30 days after today; credits run out on "
        "2 Dec 2026."
    ) in page.text


def test_the_table_has_the_forecast_s_rows_too(client, acme):
    page = page_for(client, people.bob(acme), "?view=table")

    assert len(page.all(data_metric="forecast-on", tag="tr")) == 31
    assert (
        "Day Will be used Expires unused Will remain Rest of Tue 10 Nov 2026 ≈ 6.0 – ≈ 194.0 "
        "Wed 11 Nov 2026 ≈ 10.0 – ≈ 184.0 Thu 12 Nov 2026"
    ) in page.text


@pytest.mark.parametrize(("step", "count"), [("week", 5), ("month", 2)])
def test_weeks_and_months_go_on_where_the_present_one_stands(client, acme, step, count):
    page = page_for(client, people.bob(acme), f"?step={step}&view=table")

    values = [Decimal(row["data-value"]) for row in page.all(data_metric="forecast-on")]
    assert (len(values), sum(values)) == (count, Decimal(200))


def ahead(*amounts: str, first: date = date(2026, 11, 10)) -> tuple[DayAhead, ...]:
    return tuple(
        DayAhead(first + timedelta(days=place), Decimal(used), Decimal(100), ())
        for place, used in enumerate(amounts)
    )


def test_days_ahead_add_up_to_weeks_that_are_cut_at_both_ends():
    days = list(ahead("1", "2", "3", "4", "5", "6", "7", "8"))
    ending = Waste(uuid.UUID(int=1), Decimal("2.5"), NOON)
    days[3] = replace(days[3], ending=(ending,))

    weeks = periods_ahead.of(days, step=Step.WEEK)

    assert [(week.first.day, week.last.day, week.used, week.unused) for week in weeks] == [
        (10, 15, Decimal(21), Decimal("2.5")),
        (16, 17, Decimal(15), None),
    ]


def test_the_forecast_is_drawn_to_the_scale_of_the_bars(acme):
    outlook = outlooks.of(company=acme)
    forecast = outlook.forecast()
    uses = metering.daily(company=acme, first=date(2026, 8, 13), last=date(2026, 11, 10))
    use = daily_use.of(
        company=acme,
        uses=uses,
        last=date(2026, 11, 10),
        step=Step.DAY,
        dimension=metering.Dimension.FEATURE,
    )
    coming = periods_ahead.of(forecast.ahead, step=Step.DAY)
    frame = forecast_charts.frame(use, coming)

    drawn = forecast_charts.draw(use, coming, frame, forecast)

    # 856 wide for 120 days; 250 high for 10 credits, and for 500 that were once left.
    assert (frame.count, frame.tallest, frame.fullest) == (120, Decimal(10), Decimal(600))
    assert (drawn.x, drawn.width) == ("688", "214")
    # Today's 4 stand below the 6 to come: 100 and 150 high.
    assert drawn.rest == "M681.65 14h5.56v150h-5.56z"
    assert drawn.bars[0].outline == "M688.78 14h5.56v250h-5.56z"
    assert drawn.bars[-1].outline == ""
    # 200 of 600 remain now: 83.33 above the floor at 264; nothing at the end.
    assert drawn.line.startswith("M 684.43 180.67 L ")
    assert drawn.line.endswith(" L 898.43 264")
    assert (drawn.run_out.x, drawn.run_out.words) == ("827.1", "Runs out 30 Nov")
    assert drawn.run_out.anchor == "end"
    assert drawn.expiries == ()
    assert len(bar_charts.draw(use, frame).bars) == 90
