"""Allocations in time zones: local midnights, days of 23 and 25 hours, zones that change (I14)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from billing import allocations
from billing.models import Allocation
from credits import balances, reconciliation
from credits.models import Company
from tests.support import contracts as given
from tests.support import people


def at(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def run(company, clock, instant: str) -> list[str]:
    """Let the beat run at an instant; return what it wrote, a line a period."""
    clock.set(at(instant))
    return [line(one) for one in allocations.run(company=company, now=clock())]


def line(one: Allocation) -> str:
    amount = f"{one.amount:.1f}"
    return f"#{one.period_number} {one.state} {one.starts_on} – {one.ends_on} {amount}"


def instants(company) -> list[str]:
    """Return where each period that counts starts and ends, in UTC."""
    periods = Allocation.objects.filter(company=company).exclude(state="CANCELLED")
    return [
        " ".join(f"{end.astimezone(UTC):%Y-%m-%d %H:%M}" for end in (one.starts_at, one.ends_at))
        for one in periods.order_by("period_number")
    ]


@pytest.mark.parametrize(
    ("time_zone", "starts_on", "first", "second"),
    [
        # Spring forward on 29 March: March has 23 hours less one, so it ends at 22:00 UTC.
        (
            "Europe/Berlin",
            "2026-03-01",
            "2026-02-28 23:00 2026-03-31 22:00",
            "2026-03-31 22:00 2026-04-30 22:00",
        ),
        # Autumn back on 25 October.
        (
            "Europe/Berlin",
            "2026-10-01",
            "2026-09-30 22:00 2026-10-31 23:00",
            "2026-10-31 23:00 2026-11-30 23:00",
        ),
        # The period's own first day is the 23-hour, or the 25-hour day.
        (
            "Europe/Berlin",
            "2026-03-29",
            "2026-03-28 23:00 2026-04-28 22:00",
            "2026-04-28 22:00 2026-05-28 22:00",
        ),
        (
            "Europe/Berlin",
            "2026-10-25",
            "2026-10-24 22:00 2026-11-24 23:00",
            "2026-11-24 23:00 2026-12-24 23:00",
        ),
        (
            "America/New_York",
            "2026-03-08",
            "2026-03-08 05:00 2026-04-08 04:00",
            "2026-04-08 04:00 2026-05-08 04:00",
        ),
        # No daylight saving, half an hour off.
        (
            "Asia/Kolkata",
            "2026-03-01",
            "2026-02-28 18:30 2026-03-31 18:30",
            "2026-03-31 18:30 2026-04-30 18:30",
        ),
        # No midnight on 4 November 2018: the day starts at 1:00, which is 03:00 UTC.
        (
            "America/Sao_Paulo",
            "2018-11-04",
            "2018-11-04 03:00 2018-12-04 02:00",
            "2018-12-04 02:00 2019-01-04 02:00",
        ),
        # Samoa skipped 30 December 2011: its midnight is that of the 31st.
        (
            "Pacific/Apia",
            "2011-11-30",
            "2011-11-30 10:00 2011-12-30 10:00",
            "2011-12-30 10:00 2012-01-29 10:00",
        ),
    ],
)
def test_a_period_starts_at_local_midnight(clock, time_zone, starts_on, first, second):
    company = people.company(time_zone=time_zone)
    start = at(f"{starts_on}T12:00")
    clock.set(start)
    given.seated(company, starts_on, 1)

    allocations.run(company=company, now=start)
    clock.set(start + timedelta(days=31))
    allocations.run(company=company, now=clock())

    assert instants(company)[:2] == [first, second]
    assert reconciliation.check(company_id=company.pk) == []


def test_a_changed_time_zone_applies_from_the_next_period(clock):
    company = people.company(time_zone="Europe/Berlin")
    given.seated(company, "2026-03-01", 10)
    run(company, clock, "2026-03-02T12:00")
    Company.objects.filter(pk=company.pk).update(time_zone="America/Los_Angeles")

    run(company, clock, "2026-03-30T12:00")

    # The second starts where the first ended, in Berlin, and ends at midnight in Los Angeles.
    assert instants(company) == [
        "2026-02-28 23:00 2026-03-31 22:00",
        "2026-03-31 22:00 2026-05-01 07:00",
    ]
    clock.set(at("2026-03-31T22:00"))
    assert balances.now(company=company).remaining == Decimal(20000)


def test_a_time_zone_changed_after_the_next_period_was_issued_issues_it_anew(clock):
    company = people.company(time_zone="Europe/Berlin")
    given.seated(company, "2026-03-01", 10)
    run(company, clock, "2026-03-02T12:00")
    run(company, clock, "2026-03-30T12:00")
    Company.objects.filter(pk=company.pk).update(time_zone="America/Los_Angeles")

    run(company, clock, "2026-03-30T13:00")

    assert instants(company)[1] == "2026-03-31 22:00 2026-05-01 07:00"
    assert reconciliation.check() == []
