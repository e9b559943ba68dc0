"""Periods of a contract: months that end on different days (SPEC §2, I14)."""

from __future__ import annotations

from datetime import date

import pytest

from billing import periods


@pytest.mark.parametrize(
    ("starts_on", "expected"),
    [
        ("2026-01-31", ["2026-01-31", "2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]),
        ("2026-01-30", ["2026-01-30", "2026-02-28", "2026-03-30", "2026-04-30", "2026-05-30"]),
        ("2028-01-31", ["2028-01-31", "2028-02-29", "2028-03-31", "2028-04-30", "2028-05-31"]),
        ("2026-11-15", ["2026-11-15", "2026-12-15", "2027-01-15", "2027-02-15", "2027-03-15"]),
        ("2026-12-01", ["2026-12-01", "2027-01-01", "2027-02-01", "2027-03-01", "2027-04-01"]),
    ],
)
def test_each_month_starts_on_the_original_day_or_the_month_s_last(starts_on, expected):
    first = date.fromisoformat(starts_on)

    days = [periods.first_day(first, number, 1).isoformat() for number in range(1, 6)]

    assert days == expected


def test_a_period_ends_the_day_before_the_next_starts():
    first = date(2026, 1, 31)

    assert periods.last_day(first, 1, 1) == date(2026, 2, 27)
    assert periods.last_day(first, 2, 1) == date(2026, 3, 30)
    assert periods.last_day(first, 1, 3) == date(2026, 4, 29)
    assert periods.last_day(first, 1, 12) == date(2027, 1, 30)


def test_a_year_from_a_leap_day_returns_to_it_when_there_is_one():
    first = date(2028, 2, 29)

    assert [periods.first_day(first, number, 12) for number in (2, 3, 4, 5)] == [
        date(2029, 2, 28),
        date(2030, 2, 28),
        date(2031, 2, 28),
        date(2032, 2, 29),
    ]


@pytest.mark.parametrize(
    ("starts_on", "months", "last"),
    [
        ("2026-07-01", 12, "2027-06-30"),
        ("2026-08-31", 6, "2027-02-27"),
        ("2027-03-01", 12, "2028-02-29"),
        ("2028-02-29", 12, "2029-02-27"),
        ("2026-12-31", 1, "2027-01-30"),
    ],
)
def test_the_last_day_of_a_purchase_is_included(starts_on, months, last):
    found = periods.last_day_of_life(date.fromisoformat(starts_on), months)

    assert found.isoformat() == last
