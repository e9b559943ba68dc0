"""What was used, by feature and by local day (SPEC §2)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from config.demo.clock import seeded_clock
from credits import charging, metering, reconciliation
from credits.api import usage_sums
from credits.ledger import Use
from credits.metering import Dimension
from credits.models import UsageEvent
from credits.rating import Work
from tests.support import people

PRICES, RIVALS = UUID(int=1), UUID(int=2)
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


@pytest.fixture
def berlin(db):
    """Uses on both sides of two local midnights; summer time begins on 29 March."""
    with seeded_clock(datetime(2026, 3, 1, tzinfo=UTC)) as clock:
        acme = people.company(time_zone="Europe/Berlin")
        people.credits_for(acme, "100")
        for instant, ref, name, work in (
            ("2026-03-28 22:59:59", PRICES, "Prices", Work(long_calls=3)),
            ("2026-03-28 23:00", PRICES, "Prices", Work(emails_with_text=5)),
            ("2026-03-29 21:59:59", RIVALS, "Rivals", Work(long_calls=2, short_calls=1)),
            ("2026-03-29 22:00", PRICES, "Pricing", Work(long_calls=4)),
            ("2026-03-29 22:00", RIVALS, "Rivals", Work(calls_without_text=9)),
        ):
            clock.set(datetime.fromisoformat(f"{instant}+00:00"))
            charging.charge(
                company=acme,
                use=Use("TRACKER", name, ref, "API_REQUEST"),
                work=work,
                rates=people.rates(),
            )
        yield acme


def test_a_day_is_the_company_s_own(berlin):
    days = metering.daily(company=berlin, first=FIRST, last=LAST)

    assert [(str(one.day), one.name, one.credits) for one in days] == [
        ("2026-03-28", "Prices", Decimal("3.000")),
        ("2026-03-29", "Prices", Decimal("0.500")),
        ("2026-03-29", "Rivals", Decimal("2.500")),
        ("2026-03-30", "Pricing", Decimal("4.000")),
        ("2026-03-30", "Rivals", Decimal("0.000")),
    ]
    assert reconciliation.check(company_id=berlin.pk) == []


@pytest.mark.parametrize(
    ("zone", "instant", "day"),
    [
        # In summer; the abbreviation of the same name would be an hour behind, on the day before.
        ("CET", "2026-07-10 22:30", "2026-07-11"),
        ("MET", "2026-07-10 22:30", "2026-07-11"),
        ("EET", "2026-07-10 21:30", "2026-07-11"),
        ("WET", "2026-07-10 23:30", "2026-07-11"),
        ("EST5EDT", "2026-07-11 04:30", "2026-07-11"),
        ("PST8PDT", "2026-07-11 07:30", "2026-07-11"),
    ],
)
def test_a_zone_named_like_an_abbreviation_has_summer_time(db, zone, instant, day):
    with seeded_clock(datetime.fromisoformat(f"{instant}+00:00")):
        acme = people.company(time_zone=zone)
        people.credits_for(acme, "1")
        use = Use("TRACKER", "Prices", PRICES, "API_REQUEST", team_ref=RIVALS)
        work = Work(long_calls=1)
        charging.charge(company=acme, use=use, work=work, rates=people.rates())
    span = {"company": acme, "first": date(2026, 7, 1), "last": date(2026, 7, 31)}

    days = metering.daily(**span)
    by_team = metering.daily_by(Dimension.TEAM, **span)
    sums = usage_sums.sums(UsageEvent.objects.filter(company=acme), by="day", company=acme)

    assert [str(one.day) for one in days] == [day]
    assert [str(one.day) for one in by_team] == [day]
    assert [one["group"] for one in sums] == [day]


def test_what_eats_it_most_first_and_a_renamed_feature_is_one(berlin):
    features = metering.by_feature(metering.daily(company=berlin, first=FIRST, last=LAST))

    assert [(f.feature.ref, f.name, f.credits, f.share, f.calls, f.emails) for f in features] == [
        (PRICES, "Pricing", Decimal("7.500"), Decimal("0.75"), 7, 5),
        (RIVALS, "Rivals", Decimal("2.500"), Decimal("0.25"), 12, 0),
    ]


def test_a_span_is_of_whole_local_days_both_ends_included(berlin):
    def used(first: date, last: date) -> Decimal:
        return metering.total(metering.daily(company=berlin, first=first, last=last))

    assert used(FIRST, date(2026, 3, 28)) == Decimal("3.000")
    assert used(date(2026, 3, 29), date(2026, 3, 29)) == Decimal("3.000")
    assert used(date(2026, 3, 29), LAST) == Decimal("7.000")
    assert used(FIRST, LAST) == Decimal("10.000")


def test_nothing_used_is_zero_and_no_rows(berlin):
    nobody = people.company()

    days = metering.daily(company=nobody, first=FIRST, last=LAST)

    assert days == []
    assert metering.by_feature(days) == []
    assert metering.total(days) == Decimal(0)


def test_a_feature_that_used_no_credits_does_not_eat_them(berlin):
    days = metering.daily(company=berlin, first=date(2026, 3, 30), last=LAST)

    assert [use.name for use in metering.by_feature(days)] == ["Pricing"]
