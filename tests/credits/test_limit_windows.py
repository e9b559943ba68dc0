"""Limits count in local days and months: DST, days left out, a company that moved."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from config.demo.clock import seeded_clock
from credits import amounts, limit_windows, limits, reconciliation
from credits.models import Company, LimitUse, LimitWindow, SpendingLimit
from tests.credits.test_limits import charge, limit, refusal_of, used
from tests.support import people, statement


def instants(*texts: str) -> list[datetime]:
    return [datetime.fromisoformat(f"{text}+00:00") for text in texts]


def at(text: str) -> datetime:
    return datetime.fromisoformat(f"{text}+00:00")


@pytest.fixture
def company_at(db):
    """Make a company with 1,000 credits in a zone, the ledger's clock standing at an instant."""
    with seeded_clock(at("2011-01-01T00:00")) as clock:

        def make(zone: str, instant: str):
            clock.set(at(instant))
            company = people.company("Acme", time_zone=zone)
            statement.lot(company, "Lasting", "1000")
            return company, clock

        yield make


def spans(window="DAY") -> list[tuple[str, str]]:
    rows = LimitUse.objects.filter(limit__window=window).order_by("starts_at")
    return [(f"{row.starts_at:%d %b %H:%M}", f"{row.ends_at:%d %b %H:%M}") for row in rows[:3]]


def counted() -> list[tuple[str, str, str]]:
    """Return the windows in which anything counts: from, until, and how many credits."""
    rows = LimitUse.objects.filter(used__gt=0).order_by("starts_at")
    return [
        (f"{row.starts_at:%d %b %H:%M}", f"{row.ends_at:%d %b %H:%M}", amounts.text(row.used))
        for row in rows
    ]


@pytest.mark.parametrize(
    ("zone", "instant", "days"),
    [
        # 23 hours, then 24: Berlin springs forward on 29 March 2026.
        ("Europe/Berlin", "2026-03-29T10:00", ("2026-03-28T23:00", "2026-03-29T22:00")),
        # 25 hours: it falls back on 25 October.
        ("Europe/Berlin", "2026-10-25T10:00", ("2026-10-24T22:00", "2026-10-25T23:00")),
        # Midnight comes twice in Havana on 1 November: the day begins with the first.
        ("America/Havana", "2026-11-01T04:30", ("2026-11-01T04:00", "2026-11-02T05:00")),
        # To PostgreSQL CET is UTC+1 all year; the zone of that name has summer time.
        ("CET", "2026-07-01T12:00", ("2026-06-30T22:00", "2026-07-01T22:00")),
        ("Asia/Kathmandu", "2026-07-01T12:00", ("2026-06-30T18:15", "2026-07-01T18:15")),
        # Samoa left out 30 December 2011.
        ("Pacific/Apia", "2011-12-29T12:00", ("2011-12-29T10:00", "2011-12-30T10:00")),
    ],
)
def test_a_day_is_local_and_as_long_as_it_is(zone, instant, days):
    found = limit_windows.boundaries(LimitWindow.DAY, ZoneInfo(zone), at(instant))

    assert found[:2] == instants(*days)
    assert found == sorted(set(found))


def test_a_month_is_local():
    found = limit_windows.boundaries(
        LimitWindow.MONTH, ZoneInfo("Europe/Berlin"), at("2026-11-30T23:30")
    )

    assert found == instants(
        "2026-11-30T23:00", "2026-12-31T23:00", "2027-01-31T23:00", "2027-02-28T23:00"
    )


def test_a_limit_begins_anew_at_the_local_midnight_of_a_day_of_23_hours(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-03-28T23:00")
    limit(acme, "10")
    charge(acme, "10")
    clock.set(at("2026-03-29T21:59:59.999999"))
    refusal_of(acme, "1")

    clock.set(at("2026-03-29T22:00"))

    charge(acme, "10")
    assert used(acme) == ["Acme: 10.0 of 10.0 a day"]


def test_a_limit_lasts_through_a_day_of_25_hours(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-10-24T22:00")
    limit(acme, "10")
    charge(acme, "10")

    clock.set(at("2026-10-25T22:59:59"))
    refusal_of(acme, "1")

    clock.set(at("2026-10-25T23:00"))
    charge(acme, "10")


def test_a_month_s_limit_begins_anew_on_the_first(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-03-02T12:00")
    limit(acme, "10", window="MONTH")
    charge(acme, "10")
    clock.set(at("2026-03-31T21:59:59"))  # Summer time by now: 23:59:59.
    refusal_of(acme, "1")

    clock.set(at("2026-03-31T22:00"))

    charge(acme, "10")
    assert used(acme) == ["Acme: 10.0 of 10.0 a month"]


def test_windows_run_on_when_nobody_asked_for_months(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-03-02T12:00")
    limit(acme, "10")
    limit(acme, "30", window="MONTH")
    charge(acme, "10")

    clock.set(at("2027-01-15T12:00"))

    charge(acme, "10")
    assert used(acme) == ["Acme: 10.0 of 10.0 a day", "Acme: 10.0 of 30.0 a month"]
    (day, month) = limits.standing(company=acme)
    assert (day.starts_at, day.ends_at) == (at("2027-01-14T23:00"), at("2027-01-15T23:00"))
    assert (month.starts_at, month.ends_at) == (at("2026-12-31T23:00"), at("2027-01-31T23:00"))


def test_a_use_at_the_instant_a_day_ends_counts_in_the_new_day_alone(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-03-02T12:00")
    limit(acme, "10")
    clock.set(at("2026-03-02T22:59:59.999999"))
    charge(acme, "10")
    refusal_of(acme, "0.001")

    clock.set(at("2026-03-02T23:00"))
    charge(acme, "9")
    refusal_of(acme, "1.001")

    assert used(acme) == ["Acme: 9.0 of 10.0 a day"]
    assert counted() == [
        ("01 Mar 23:00", "02 Mar 23:00", "10.0"),
        ("02 Mar 23:00", "03 Mar 23:00", "9.0"),
    ]


def test_a_use_at_the_instant_the_last_day_laid_out_ends_counts_in_the_new_day_alone(company_at):
    """Of 35 days the last is 5 April, in summer time; nobody has asked for the 6th yet."""
    acme, clock = company_at("Europe/Berlin", "2026-03-02T12:00")
    limit(acme, "10")
    assert LimitUse.objects.latest("ends_at").ends_at == at("2026-04-05T22:00")
    clock.set(at("2026-04-05T21:59:59.999999"))
    charge(acme, "10")
    refusal_of(acme, "0.001")

    clock.set(at("2026-04-05T22:00"))
    charge(acme, "9")
    refusal_of(acme, "1.001")

    assert used(acme) == ["Acme: 9.0 of 10.0 a day"]
    assert counted() == [
        ("04 Apr 22:00", "05 Apr 22:00", "10.0"),
        ("05 Apr 22:00", "06 Apr 22:00", "9.0"),
    ]


def test_a_limit_set_later_counts_from_the_instant_its_day_begins(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-03-02T22:59:59.999999")
    charge(acme, "4")
    statement.reserve(acme, "2")
    clock.set(at("2026-03-02T23:00"))
    charge(acme, "5")
    statement.reserve(acme, "1")

    limit(acme, "10")

    assert used(acme) == ["Acme: 6.0 of 10.0 a day"]
    assert counted() == [("02 Mar 23:00", "03 Mar 23:00", "6.0")]


def test_reading_lays_out_the_windows_that_are_missing(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-03-02T12:00")
    limit(acme, "10")

    clock.set(at("2027-01-15T12:00"))

    assert used(acme) == ["Acme: 0.0 of 10.0 a day"]


def test_a_changed_zone_applies_from_the_next_window_which_starts_where_the_last_ended(company_at):
    acme, _ = company_at("Europe/Berlin", "2026-03-02T12:00")
    limit(acme, "10")
    charge(acme, "4")

    Company.objects.filter(pk=acme.pk).update(time_zone="Asia/Tokyo")
    charge(acme, "5")

    # Berlin's day goes on to its end; Tokyo's next midnight is 16 hours later.
    assert used(Company.objects.get(pk=acme.pk)) == ["Acme: 9.0 of 10.0 a day"]
    assert spans() == [
        ("01 Mar 23:00", "02 Mar 23:00"),
        ("02 Mar 23:00", "03 Mar 15:00"),
        ("03 Mar 15:00", "04 Mar 15:00"),
    ]
    assert SpendingLimit.objects.get().time_zone == "Asia/Tokyo"


def test_a_changed_zone_never_lets_a_limit_be_used_twice_within_hours(company_at):
    """New York's midnight is 5 hours after Berlin's day has ended: that is no day of its own."""
    acme, clock = company_at("Europe/Berlin", "2026-03-31T12:00")
    limit(acme, "10")
    limit(acme, "100", window="MONTH")
    Company.objects.filter(pk=acme.pk).update(time_zone="America/New_York")
    charge(acme, "1")

    clock.set(at("2026-03-31T22:30"))
    charge(acme, "10")
    clock.set(at("2026-04-01T05:00"))

    refusal_of(acme, "1")
    assert spans() == [
        ("30 Mar 22:00", "31 Mar 22:00"),
        ("31 Mar 22:00", "02 Apr 04:00"),
        ("02 Apr 04:00", "03 Apr 04:00"),
    ]
    assert spans("MONTH")[:2] == [
        ("28 Feb 23:00", "31 Mar 22:00"),
        ("31 Mar 22:00", "01 May 04:00"),
    ]


def test_utc_is_a_zone_like_others(company_at):
    acme, clock = company_at("UTC", "2026-03-02T23:59:59")
    limit(acme, "10")
    charge(acme, "10")

    clock.set(datetime(2026, 3, 3, tzinfo=UTC))

    charge(acme, "10")


def test_a_hold_taken_before_the_clock_stepped_back_over_midnight_counts_in_its_day(company_at):
    acme, clock = company_at("Europe/Berlin", "2026-05-28T21:55")
    limit(acme, "10")
    clock.set(at("2026-05-28T22:02"))
    held = statement.reserve(acme, "4", minutes=60)
    clock.set(at("2026-05-28T21:56"))

    event = statement.capture(held, "3")

    assert event.occurred_at == at("2026-05-28T21:56")
    counted = LimitUse.objects.filter(used__gt=0)
    assert [(row.starts_at, row.used) for row in counted] == [(at("2026-05-28T22:00"), 3)]
    assert reconciliation.check(company_id=acme.pk) == []
    clock.set(at("2026-05-28T22:03"))
    limit(acme, "20", about=limits.of_feature("ASK"))
    assert used(acme) == ["Acme: 3.0 of 10.0 a day", "AI Ask Anything: 3.0 of 20.0 a day"]
