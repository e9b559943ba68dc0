"""What remained at the end of each local day: half-open days of 23, 24 and 25 hours."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from credits import balances
from tests.support import people, statement
from tests.support.people import days

MICROSECOND = timedelta(microseconds=1)
MARCH_29 = date(2026, 3, 29)
OCTOBER_25 = date(2026, 10, 25)


@pytest.fixture
def berlin(clock):
    return people.company(time_zone="Europe/Berlin")


def daily(company, first: date, count: int) -> list[str]:
    """Return what remained on so many days, “-” where the ledger had not begun."""
    found = balances.daily(company=company, first=first, last=first + days(count - 1))
    of_days = [found.get(first + days(ahead)) for ahead in range(count)]
    return ["-" if one is None else str(one) for one in of_days]


def test_a_day_of_23_hours_ends_at_ten_in_the_evening_utc(berlin, clock):
    clock.set(datetime(2026, 3, 28, 23, tzinfo=UTC) - MICROSECOND)
    statement.lot(berlin, "Saturday", "10")
    clock.set(datetime(2026, 3, 29, 22, tzinfo=UTC) - MICROSECOND)
    statement.charge(berlin, "1")
    clock.advance(MICROSECOND)
    statement.charge(berlin, "2")

    found = daily(berlin, MARCH_29 - days(2), 4)

    assert found == ["-", "10.000", "9.000", "7.000"]


def test_a_day_of_25_hours_ends_at_eleven_in_the_evening_utc(berlin, clock):
    clock.set(datetime(2026, 10, 24, 22, tzinfo=UTC))
    statement.lot(berlin, "Sunday", "10")
    clock.set(datetime(2026, 10, 25, 23, tzinfo=UTC) - MICROSECOND)
    statement.charge(berlin, "1")
    clock.advance(MICROSECOND)
    statement.charge(berlin, "2")

    found = daily(berlin, OCTOBER_25 - days(1), 3)

    assert found == ["-", "9.000", "7.000"]


@pytest.mark.parametrize(
    ("off", "on_the_28th"),
    [(-MICROSECOND, "0.000"), (timedelta(0), "10.000"), (MICROSECOND, "10.000")],
)
def test_what_expires_at_midnight_is_still_there_when_the_day_ends(berlin, clock, off, on_the_28th):
    """The day before keeps what expires at its end, by half-open days, and not what expired."""
    midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)
    statement.lot(berlin, "March", "10", expires_at=midnight + off)
    clock.set(midnight + days(1))
    balances.now(company=berlin)

    found = daily(berlin, MARCH_29 - days(2), 3)

    assert found == ["10.000", on_the_28th, "0.000"]


def test_the_day_a_zone_skipped_is_left_out(clock):
    """Samoa went from the 29th to the 31st of December 2011."""
    apia = people.company(time_zone="Pacific/Apia")
    clock.set(datetime(2011, 12, 1, tzinfo=UTC))
    statement.lot(apia, "Advent", "10")

    found = balances.daily(company=apia, first=date(2011, 12, 29), last=date(2011, 12, 31))

    assert found == {
        date(2011, 12, 29): Decimal("10.000"),
        date(2011, 12, 31): Decimal("10.000"),
    }


def test_days_agree_with_the_balance_at_their_last_instant(berlin, clock):
    statement.lot(berlin, "March", "10", expires_at=clock.instant + days(5))
    for amount in ("1", "2", "3"):
        clock.advance(timedelta(hours=17))
        statement.charge(berlin, amount)
    clock.advance(days(9))
    balances.now(company=berlin)

    found = balances.daily(company=berlin, first=date(2026, 3, 2), last=date(2026, 3, 9))

    assert [str(amount) for amount in found.values()] == [
        *("10.000", "7.000", "4.000", "4.000", "4.000", "0.000", "0.000", "0.000"),
    ]
    for day, amount in found.items():
        end = datetime(day.year, day.month, day.day, 23, tzinfo=UTC) - MICROSECOND
        assert balances.at(company=berlin, instant=end).remaining == amount


def test_another_company_s_days_are_not_ours(berlin):
    statement.lot(statement.company(), "Theirs", "10")

    assert daily(berlin, date(2026, 3, 2), 3) == ["-", "-", "-"]
