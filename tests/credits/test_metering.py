"""What was used, by feature and by local day (SPEC §6)."""

from __future__ import annotations

from datetime import date, datetime
from decimal import Decimal
from uuid import UUID

import pytest

from credits import charging, metering, reconciliation
from credits.ledger import Use
from credits.rating import Work
from tests.support import people, statement

PRICES, RIVALS = UUID(int=1), UUID(int=2)


@pytest.fixture
def berlin(clock):
    """Uses on both sides of two local midnights; summer time begins on 29 March."""
    acme = people.company(time_zone="Europe/Berlin")
    statement.lot(acme, "March", "100")
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
    return acme


FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)


def test_a_day_is_the_company_s_own(berlin):
    days = metering.daily(company=berlin, first=FIRST, last=LAST)

    assert [(str(one.day), one.name, one.calls, one.emails, one.credits) for one in days] == [
        ("2026-03-28", "Prices", 3, 0, Decimal("3.000")),
        ("2026-03-29", "Prices", 0, 5, Decimal("0.500")),
        ("2026-03-29", "Rivals", 3, 0, Decimal("2.500")),
        ("2026-03-30", "Pricing", 4, 0, Decimal("4.000")),
    ]
    assert reconciliation.check(company_id=berlin.pk) == []


def test_what_eats_it_most_first_and_a_renamed_feature_is_one_by_its_newest_name(berlin):
    features = metering.by_feature(metering.daily(company=berlin, first=FIRST, last=LAST))

    assert [(f.name, f.credits, f.share, f.calls, f.emails) for f in features] == [
        ("Pricing", Decimal("7.500"), Decimal("0.75"), 7, 5),
        ("Rivals", Decimal("2.500"), Decimal("0.25"), 3, 0),
    ]


def test_both_ends_of_a_range_of_days_belong_to_it(berlin):
    def used(first: int, last: int) -> Decimal:
        first_day, last_day = date(2026, 3, first), date(2026, 3, last)
        return metering.total(metering.daily(company=berlin, first=first_day, last=last_day))

    assert used(1, 27) == Decimal(0)
    assert used(1, 28) == Decimal("3.000")
    assert used(29, 29) == Decimal("3.000")
    assert used(28, 30) == Decimal("10.000")


def test_nothing_used_is_no_rows(berlin):
    nobody = statement.company()

    assert metering.daily(company=nobody, first=FIRST, last=LAST) == []
    assert metering.by_feature([]) == []
