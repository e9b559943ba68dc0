"""When credits run out at the present pace: histories short enough to work out by hand."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

from credits import forecasts
from credits.metering import DayUse, Feature
from credits.models import FeatureType
from credits.paths import Lot

LONDON = ZoneInfo("Europe/London")
# A Monday, in winter, when London's days are those of UTC.
TODAY = date(2026, 11, 23)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)
ALICE = uuid.UUID(int=1)
BOB = uuid.UUID(int=2)


def used(amounts: dict[int, str]) -> list[DayUse]:
    """Make a history: what was used so many days ago."""
    feature = Feature(FeatureType.TRACKER, ALICE)
    return [
        DayUse(TODAY - timedelta(days=ago), feature, "Pricing", 1, 0, Decimal(amount))
        for ago, amount in amounts.items()
    ]


def pace(history: dict[int, str]) -> forecasts.Pace:
    """Take the pace of a company that used nothing before this history."""
    uses = used(history)
    first_use = min((use.day for use in uses), default=None)
    return forecasts.pace(uses=uses, first_use=first_use, today=TODAY)


def every_day(amount: str, *, days: int = 28) -> dict[int, str]:
    return dict.fromkeys(range(1, days + 1), amount)


def lot(amount: str, *, starts_in: float = -1, expires_in: float | None = None, ref=ALICE) -> Lot:
    return Lot(
        ref=ref,
        free=Decimal(amount),
        starts_at=MIDNIGHT + timedelta(days=starts_in),
        expires_at=None if expires_in is None else MIDNIGHT + timedelta(days=expires_in),
    )


def forecast(history: dict[int, str], *lots: Lot, instant=MIDNIGHT, zone=LONDON, **kwargs):
    return forecasts.of(
        lots=lots,
        pace=pace(history),
        waiting=kwargs.pop("waiting", Decimal(0)),
        instant=instant,
        zone=zone,
        **kwargs,
    )


def test_a_steady_pace_runs_out_on_the_day_that_lacks_a_credit():
    # Ten a day from Monday the 23rd: the 95 last through Wednesday 2 December's first half.
    found = forecast(every_day("10"), lot("95"))

    assert found.per_day == Decimal(10)
    assert found.history_days == 28
    assert found.runs_out_on == date(2026, 12, 2)
    assert (found.earliest, found.latest) == (date(2026, 12, 2), date(2026, 12, 2))


def test_credits_that_last_exactly_to_midnight_run_out_the_day_after():
    found = forecast(every_day("10"), lot("90"))

    assert found.runs_out_on == date(2026, 12, 2)


def test_each_weekday_has_its_own_average():
    # Only Mondays use anything, 7 and 9 in turn: 8 on the 23rd, the 30th, 7 and 14 December.
    mondays = {7: "7", 14: "9", 21: "7", 28: "9"}

    found = forecast(mondays, lot("25"))

    assert found.per_day == Decimal("1.143")
    assert found.runs_out_on == date(2026, 12, 14)


def test_fewer_than_three_full_days_with_use_are_not_enough():
    two_days = pace({0: "5", 1: "10", 2: "10"})
    two_of_many = {20: "40", 4: "40"}

    assert forecast({0: "5", 1: "10", 2: "10"}, lot("95")) is None
    assert forecast(two_of_many, lot("95")) is None
    assert (two_days.use_days, len(two_days.daily)) == (2, 2)
    assert pace(two_of_many).use_days == 2
    assert forecast({1: "10", 2: "10", 3: "10"}, lot("95")) is not None


def test_the_first_use_is_the_very_first_however_few_days_were_read():
    later = used({26: "10", 1: "10"})

    began_before = forecasts.pace(uses=later, first_use=date(2026, 3, 2), today=TODAY)
    began_then = forecasts.pace(uses=later, first_use=date(2026, 10, 28), today=TODAY)
    never = forecasts.pace(uses=[], first_use=None, today=TODAY)

    assert (began_before.first, len(began_before.daily)) == (date(2026, 10, 26), 28)
    assert (began_then.first, len(began_then.daily)) == (date(2026, 10, 28), 26)
    assert (never.first, never.daily) == (TODAY, ())


def test_quiet_days_after_the_first_use_count_as_days_of_no_use():
    found = forecast({8: "40", 7: "10", 4: "30"}, lot("95"))

    assert found.history_days == 8
    assert found.per_day == Decimal(10)


def test_a_weekday_not_seen_yet_uses_the_average_of_all_days():
    # Friday, Saturday, Sunday used 12 each; Monday has not been seen.
    found = forecast({1: "12", 2: "12", 3: "12"}, lot("30"))

    assert found.runs_out_on == date(2026, 11, 25)


def test_use_older_than_28_days_is_not_looked_at():
    found = forecast(every_day("10") | {29: "1000", 40: "1000"}, lot("95"))

    assert found.per_day == Decimal(10)


def test_what_today_used_already_is_not_expected_again():
    # Today used 8 of its 10, so 2 more today, then 10 a day: 32 end with the 26th.
    found = forecast(every_day("10") | {0: "8"}, lot("32.5"))

    assert found.runs_out_on == date(2026, 11, 27)


def test_an_expiry_takes_what_is_left_and_says_how_much_is_wasted():
    # 100 expire after five days of 10: 50 are wasted, and the other lot's 20 last two days.
    expiring = lot("100", expires_in=5)
    other = lot("20", ref=BOB)

    found = forecast(every_day("10"), expiring, other)

    assert found.runs_out_on == date(2026, 11, 30)
    assert found.wasted == (
        forecasts.Waste(ALICE, Decimal("50.000"), MIDNIGHT + timedelta(days=5)),
    )
    assert found.wasted_of([ALICE]) == Decimal("50.000")
    assert found.wasted_of([BOB]) == 0


def test_lots_are_drawn_in_the_order_given_so_the_soonest_expiry_wastes_less():
    found = forecast(every_day("10"), lot("40", expires_in=5), lot("100", ref=BOB))

    assert found.wasted == ()
    assert found.runs_out_on == date(2026, 12, 7)


def test_a_lot_that_ends_at_noon_serves_half_of_that_day():
    # Half a day uses 5 of the 20; then 10 a day from the second lot.
    found = forecast(every_day("10"), lot("20", expires_in=0.5), lot("10", ref=BOB))

    assert found.wasted[0].credits == Decimal("15.000")
    assert found.runs_out_on == date(2026, 11, 24)


def test_a_scheduled_lot_helps_only_from_its_start():
    late = forecast(every_day("10"), lot("50"), lot("1000", starts_in=6, ref=BOB))
    in_time = forecast(every_day("10"), lot("50"), lot("1000", starts_in=5, ref=BOB))

    assert late.runs_out_on == date(2026, 11, 28)
    assert in_time.runs_out_on == date(2027, 3, 8)


def test_what_waits_counts_as_used_already():
    found = forecast(every_day("10"), lot("95"), waiting=Decimal("40"))

    assert found.runs_out_on == date(2026, 11, 28)


def test_what_waits_is_used_only_once():
    # 960 last 96 days, past the first cut of the year and the start of another lot.
    found = forecast(
        every_day("10"), lot("900"), lot("100", starts_in=20, ref=BOB), waiting=Decimal("40")
    )

    assert found.runs_out_on == TODAY + timedelta(days=96)
    assert sum(day.used for day in found.ahead) == Decimal(350)


def test_nothing_left_runs_out_today():
    found = forecast(every_day("10"))

    assert found.runs_out_on == TODAY


def test_credits_that_outlast_the_horizon_have_no_day():
    found = forecast(every_day("10"), lot("3660"))
    just_not = forecast(every_day("10"), lot("3659.9"))

    assert (found.runs_out_on, found.earliest, found.latest) == (None, None, None)
    assert just_not.runs_out_on == date(2027, 11, 23)


def test_a_change_under_consideration_moves_the_day():
    cheaper = forecast(every_day("10"), lot("95"), more_per_day=Decimal("-5"))
    dearer = forecast(every_day("10"), lot("95"), more_per_day=Decimal("9"))

    assert cheaper.runs_out_on == date(2026, 12, 12)
    assert dearer.runs_out_on == date(2026, 11, 28)


def test_a_change_falls_on_the_days_that_use_something():
    # 8 on Mondays alone: two more a day on average are 14 more each Monday.
    mondays = {7: "8", 14: "8", 21: "8", 28: "8"}

    found = forecast(mondays, lot("25"), more_per_day=Decimal(2))

    # 22 on the 23rd; the 30th lacks 19.
    assert found.per_day == Decimal("3.143")
    assert found.runs_out_on == date(2026, 11, 30)
    assert [day.used for day in found.ahead[:8]] == [Decimal(22), *[Decimal(0)] * 6, Decimal(3)]


def test_saving_more_than_is_used_means_that_nothing_is_used():
    found = forecast(every_day("10"), lot("95"), more_per_day=Decimal(-11))

    assert (found.runs_out_on, found.per_day) == (None, Decimal(0))
    assert {day.used for day in found.ahead} == {Decimal(0)}


def test_each_coming_day_says_what_it_uses_what_is_left_and_what_ends_with_it():
    # 100 end with Friday the 27th, 50 of them unused; 40 begin on Monday the 30th.
    expiring = lot("100", expires_in=5)
    coming = lot("40", starts_in=7, ref=BOB)

    found = forecast(every_day("10") | {0: "4"}, expiring, coming)

    assert len(found.ahead) == 31
    assert [(day.day.day, day.used, day.balance) for day in found.ahead[:12]] == [
        (23, Decimal(6), Decimal(94)),
        (24, Decimal(10), Decimal(84)),
        (25, Decimal(10), Decimal(74)),
        (26, Decimal(10), Decimal(64)),
        (27, Decimal(10), Decimal(54)),
        (28, Decimal(0), Decimal(0)),
        (29, Decimal(0), Decimal(0)),
        (30, Decimal(10), Decimal(30)),
        (1, Decimal(10), Decimal(20)),
        (2, Decimal(10), Decimal(10)),
        (3, Decimal(10), Decimal(0)),
        (4, Decimal(0), Decimal(0)),
    ]
    assert {day.day.day: day.ending for day in found.ahead if day.ending} == {
        27: (forecasts.Waste(ALICE, Decimal(54), MIDNIGHT + timedelta(days=5)),)
    }
    assert found.ahead[-1].day == date(2026, 12, 23)


def test_a_lot_that_ends_at_noon_is_gone_when_its_day_ends():
    found = forecast(every_day("10"), lot("20", expires_in=0.5), lot("10", ref=BOB))

    today, tomorrow = found.ahead[:2]
    assert (today.used, today.balance) == (Decimal(10), Decimal(5))
    assert [waste.credits for waste in today.ending] == [Decimal(15)]
    assert (tomorrow.used, tomorrow.balance, tomorrow.ending) == (Decimal(5), Decimal(0), ())


def test_an_expiry_that_wastes_nothing_is_still_a_day_that_ends_something():
    found = forecast(every_day("10"), lot("20", expires_in=5), lot("100", ref=BOB))

    assert found.wasted == ()
    assert [(day.day.day, day.ending[0].credits) for day in found.ahead if day.ending] == [
        (27, Decimal(0))
    ]


def test_lots_without_number_are_walked_by_fewer_paths_to_the_same_day():
    # 95 credits in a thousand lots, each ending a minute after the other, a year ahead.
    many = [lot("0.095", expires_in=400 + number / 1440) for number in range(1000)]

    found = forecast(every_day("10"), *many)

    assert (found.earliest, found.runs_out_on, found.latest) == (date(2026, 12, 2),) * 3


def test_an_uneven_pace_gives_a_range_around_the_day_and_the_same_one_each_time():
    uneven = {ago: ("4", "16")[ago // 7 % 2] for ago in range(1, 29)}

    first = forecast(uneven, lot("300"))
    second = forecast(uneven, lot("300"))

    assert first == second
    assert first.earliest < first.runs_out_on < first.latest
    assert first.earliest == date(2026, 12, 19)
    assert first.latest == date(2026, 12, 27)


def test_days_are_local_and_one_of_25_hours_is_one_day():
    # Berlin's 25 October 2026 has 25 hours; ten a day from the 24th's midnight.
    berlin = ZoneInfo("Europe/Berlin")
    start = datetime(2026, 10, 23, 22, tzinfo=UTC)
    history = [
        DayUse(date(2026, 10, 24) - timedelta(days=ago), Feature(FeatureType.ASK, None), "Ask",
               1, 0, Decimal(10))
        for ago in range(1, 29)
    ]  # fmt: skip
    pace = forecasts.pace(uses=history, first_use=date(2026, 9, 26), today=date(2026, 10, 24))
    two_days = Lot(ALICE, Decimal("20"), start, None)
    short = Lot(ALICE, Decimal("19.9"), start, None)

    lasting = forecasts.of(
        lots=[two_days], pace=pace, waiting=Decimal(0), instant=start, zone=berlin
    )
    lacking = forecasts.of(lots=[short], pace=pace, waiting=Decimal(0), instant=start, zone=berlin)

    assert lasting.runs_out_on == date(2026, 10, 26)
    assert lacking.runs_out_on == date(2026, 10, 25)
