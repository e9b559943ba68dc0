"""The words for when credits run out: a day with its range, or honestly why there is none."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from credits import forecasts, shown_forecasts
from credits.forecasts import Pace
from credits.outlooks import Outlook
from credits.paths import Lot

# A Monday. Local midnight in Berlin, whose clocks have gone back already.
BERLIN = ZoneInfo("Europe/Berlin")
MIDNIGHT = datetime(2026, 11, 22, 23, tzinfo=UTC)
ALICE = uuid.UUID(int=1)
STEADY = (Decimal(10),) * 28
# Ten a day on average, in weeks of 4 and of 16.
UNEVEN = tuple(Decimal(amount) for amount in (16, 4, 16, 4) for _ in range(7))


def outlook(
    *lots: tuple[str, int], daily=STEADY, available: str | None = None, waiting="0"
) -> Outlook:
    """Make an outlook of lots that start so many days from now and never expire."""
    found = tuple(
        Lot(ALICE, Decimal(amount), MIDNIGHT + timedelta(days=starts_in), None)
        for amount, starts_in in lots
    )
    free = sum((lot.free for lot in found if lot.starts_at <= MIDNIGHT), Decimal(0))
    return Outlook(
        instant=MIDNIGHT,
        zone=BERLIN,
        available=free if available is None else Decimal(available),
        waiting=Decimal(waiting),
        pace=Pace(date(2026, 11, 23) - timedelta(days=len(daily)), tuple(daily), Decimal(0)),
        lots=found,
    )


def run_out(of: Outlook, *, remaining: str | None = None, is_closed: bool = False):
    left = of.available if remaining is None else Decimal(remaining)
    return shown_forecasts.run_out(of, of.forecast(), remaining=left, is_closed=is_closed)


def said(found) -> tuple[str, str, date | None, tuple[str, ...]]:
    return found.status, found.headline, found.day, found.notes


def test_a_steady_pace_has_a_day_and_no_range():
    assert said(run_out(outlook(("95", 0)))) == (
        "runs-out",
        "2 Dec 2026",
        date(2026, 12, 2),
        ("at ≈ 10.0 a day",),
    )


def test_an_uneven_pace_has_a_day_and_a_range():
    assert said(run_out(outlook(("300", 0), daily=UNEVEN))) == (
        "runs-out",
        "23 Dec 2026",
        date(2026, 12, 23),
        ("19–26 Dec 2026", "at ≈ 10.0 a day"),
    )


def test_fewer_than_three_days_with_use_are_said_to_be_too_few():
    two_of_five = tuple(Decimal(amount) for amount in (7, 0, 0, 9, 0))

    assert said(run_out(outlook(("95", 0), daily=two_of_five))) == (
        "not-enough-use",
        "Not enough use yet",
        None,
        ("needs 3 full days with use, 2 so far",),
    )


def test_credits_that_last_longer_than_a_year_are_said_to():
    assert said(run_out(outlook(("4000", 0)))) == (
        "lasts",
        "Not within 12 months",
        None,
        ("at ≈ 10.0 a day",),
    )


def test_what_may_run_out_within_the_year_says_from_when():
    # 365 days of ten use 3,650; of the courses that vary, some need more.
    found = run_out(outlook(("3670", 0), daily=UNEVEN))

    assert (found.status, found.headline) == ("lasts", "Not within 12 months")
    assert found.notes == ("10 Nov 2027 or later", "at ≈ 10.0 a day")


def test_nothing_left_says_what_comes_next():
    assert said(run_out(outlook(("40", 8), ("2", 8), ("7", 9)))) == (
        "nothing-left",
        "Nothing left",
        None,
        ("42.0 more on 1 Dec 2026",),
    )
    assert said(run_out(outlook())) == ("nothing-left", "Nothing left", None, ())


def test_credits_all_held_are_not_called_gone():
    found = run_out(outlook(available="0"), remaining="1.5")

    assert said(found) == ("nothing-free", "All held", None, ("nothing is free now",))


def test_a_closed_company_has_no_day():
    found = run_out(outlook(("95", 0)), is_closed=True)

    assert said(found) == ("closed", "Closed", None, ("nothing is used any more",))


@pytest.mark.parametrize(
    ("earliest", "latest", "words"),
    [
        (date(2026, 12, 1), date(2026, 12, 9), "1–9 Dec 2026"),
        (date(2026, 11, 28), date(2026, 12, 9), "28 Nov – 9 Dec 2026"),
        (date(2026, 12, 28), date(2027, 1, 9), "28 Dec 2026 – 9 Jan 2027"),
        (date(2026, 12, 1), date(2026, 12, 1), ""),
        (date(2026, 12, 1), None, "1 Dec 2026 or later"),
        (None, None, ""),
    ],
)
def test_a_range_is_said_as_short_as_it_can_be(earliest, latest, words):
    found = forecasts.Forecast(
        per_day=Decimal(1),
        history_days=28,
        runs_out_on=earliest,
        earliest=earliest,
        latest=latest,
        wasted=(),
        ahead=(),
        ends_at=MIDNIGHT,
    )

    assert shown_forecasts.spread_in_words(found) == words


def test_in_a_sentence_the_range_stands_in_brackets():
    uneven, lasting = outlook(("300", 0), daily=UNEVEN), outlook(("4000", 0))
    new, empty = outlook(("95", 0), daily=()), outlook()

    assert [
        shown_forecasts.run_out_in_words(one, one.forecast())
        for one in (uneven, lasting, new, empty)
    ] == [
        "23 Dec 2026 (19–26 Dec 2026)",
        "not within 12 months",
        "not enough use yet to say: needs 3 full days with use, 0 so far",
        "nothing is available now",
    ]


def test_the_coming_month_is_one_sentence():
    short, enough = outlook(("95", 0)), outlook(("400", 0))

    assert shown_forecasts.ahead_in_words(short.forecast()) == (
        "At this pace ≈ 85.0 will be used in the 30 days after today; credits run out on "
        "2 Dec 2026."
    )
    assert shown_forecasts.ahead_in_words(enough.forecast()) == (
        "At this pace ≈ 300.0 will be used in the 30 days after today, and ≈ 90.0 remain on "
        "23 Dec 2026."
    )


def test_what_it_was_made_from_is_said_in_numbers():
    assert shown_forecasts.inputs_in_words(outlook(("95", 0), waiting="12.5")) == (
        "From 28 full days, 28 of them with use; 95.0 free now, 12.5 waiting."
    )
