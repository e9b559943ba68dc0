"""What was used, by feature and by local day, over half-open spans (SPEC §6)."""

from __future__ import annotations

from datetime import UTC, datetime
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


SINCE, UNTIL = datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 4, 1, tzinfo=UTC)


def test_a_day_is_the_company_s_own(berlin):
    days = metering.daily(company=berlin, since=SINCE, until=UNTIL)

    assert [(str(one.day), one.by_feature, one.credits) for one in days] == [
        ("2026-03-28", {"Prices": Decimal("3.000")}, Decimal("3.000")),
        ("2026-03-29", {"Prices": Decimal("0.500"), "Rivals": Decimal("2.500")}, Decimal("3.000")),
        ("2026-03-30", {"Pricing": Decimal("4.000")}, Decimal("4.000")),
    ]
    assert reconciliation.check(company_id=berlin.pk) == []


def test_what_eats_it_most_first_and_a_renamed_feature_is_one(berlin):
    features = metering.by_feature(company=berlin, since=SINCE, until=UNTIL)

    assert [(f.feature_ref, f.credits, f.share, f.calls, f.emails) for f in features] == [
        (PRICES, Decimal("7.500"), Decimal("0.75"), 7, 5),
        (RIVALS, Decimal("2.500"), Decimal("0.25"), 12, 0),
    ]


def test_a_span_is_half_open(berlin):
    midnight = datetime(2026, 3, 28, 23, tzinfo=UTC)

    assert metering.used(company=berlin, since=SINCE, until=midnight) == Decimal("3.000")
    assert metering.used(company=berlin, since=midnight, until=UNTIL) == Decimal("7.000")
    assert metering.used(company=berlin, since=SINCE, until=UNTIL) == Decimal("10.000")


def test_nothing_used_is_zero_and_no_rows(berlin):
    nobody = statement.company()

    assert metering.used(company=nobody, since=SINCE, until=UNTIL) == Decimal(0)
    assert metering.by_feature(company=nobody, since=SINCE, until=UNTIL) == []
    assert metering.daily(company=nobody, since=SINCE, until=UNTIL) == []
