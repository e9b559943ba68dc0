"""What a company's forecast is made from: its own lots, its own use, what waits, as of now."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime
from decimal import Decimal
from types import SimpleNamespace

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from config.demo.clock import seeded_clock
from credits import charging, forecasts, outlooks, overview
from credits.ledger import Use
from credits.rating import Work
from tests.support import people

# 13:00 of a Tuesday in Berlin, in winter.
NOON = datetime(2026, 11, 10, 12, tzinfo=UTC)
PRICING = Use("TRACKER", "Pricing objection", uuid.UUID(int=1), "CONTINUOUS")


@pytest.fixture
def clock(db):
    with seeded_clock(NOON - people.days(40)) as clock:
        yield clock


def charge(company, calls: int) -> None:
    charging.charge(company=company, use=PRICING, work=Work(long_calls=calls), rates=people.rates())


@pytest.fixture
def acme(clock):
    """Ten a day on the 28 days before the 10th, and ten today: 200 of 490 are left."""
    company = people.company("Acme")
    people.credits_for(company, "490")
    for ago in range(28, -1, -1):
        clock.set(NOON - people.days(ago))
        charge(company, 10)
    return company


def runs_out_on(company) -> date | None:
    return outlooks.of(company=company).forecast().runs_out_on


def fifty_wait(*, company):
    """Stand in the place of ``CREDIT_DEMAND``."""
    return [
        SimpleNamespace(
            feature_type="TRACKER",
            feature_name="Pricing objection",
            calls=50,
            emails=0,
            credits=Decimal(50),
        )
    ]


def test_use_and_lots_give_the_day(acme):
    outlook = outlooks.of(company=acme)

    assert (outlook.instant, outlook.available, outlook.waiting) == (NOON, 200, 0)
    assert outlook.pace == forecasts.Pace(date(2026, 10, 13), (Decimal(10),) * 28, Decimal(10))
    # Today has used its ten; twenty more days end with the 30th.
    assert outlook.forecast().runs_out_on == date(2026, 12, 1)


def test_what_is_held_counts_as_used(acme):
    charging.reserve(company=acme, amount=Decimal(25), use=PRICING, rates=people.rates())

    assert runs_out_on(acme) == date(2026, 11, 28)


def test_what_waits_counts_as_used(acme, settings):
    settings.CREDIT_DEMAND = ["tests.credits.test_outlooks.fifty_wait"]

    assert outlooks.of(company=acme).waiting == Decimal(50)
    assert runs_out_on(acme) == date(2026, 11, 26)
    assert overview.of(company=acme).outlook.forecast().runs_out_on == date(2026, 11, 26)


def test_a_cancelled_a_voided_and_another_company_s_grant_do_not_help(acme):
    from credits import grants

    coming = people.credits_for(acme, "500", effective_at=NOON + people.days(3))
    wrong = people.credits_for(acme, "500")
    vera = people.vera()
    grants.cancel(grant=coming, by=vera, reason="Not agreed after all.")
    grants.void(grant=wrong, by=vera, reason="Typed for another company.")
    people.credits_for(people.company("Globex"), "500")

    assert runs_out_on(acme) == date(2026, 12, 1)


def test_reading_settles_what_is_due_first(acme, clock):
    people.credits_for(acme, "100", expires_at=NOON + people.days(1))
    people.credits_for(acme, "30", effective_at=NOON + people.days(1))
    clock.set(NOON + people.days(1))

    outlook = outlooks.of(company=acme)

    assert (outlook.instant, outlook.available) == (NOON + people.days(1), Decimal(230))


def test_a_change_and_what_it_uses_at_once_move_the_day(acme):
    outlook = outlooks.of(company=acme)

    # 200 ÷ 12.5 are 16 days; with 50 at once 150 ÷ 10 are 15.
    more = outlook.forecast(more_per_day=Decimal("2.5"))
    at_once = outlook.forecast(at_once=Decimal(50))
    assert more.runs_out_on == date(2026, 11, 26)
    assert at_once.runs_out_on == date(2026, 11, 26)


def test_the_credits_page_has_the_same_outlook(acme):
    people.credits_for(acme, "50", expires_at=NOON + people.days(2))

    assert overview.of(company=acme).outlook == outlooks.of(company=acme)


def test_days_without_use_at_the_start_of_the_28_count_where_there_was_use_before(clock):
    globex = people.company("Globex")
    people.credits_for(globex, "580")
    noon = datetime(2026, 11, 12, 12, tzinfo=UTC)
    # Ten a day from 3 October on, but for Thursday the 15th and Friday the 16th.
    for ago in (*range(40, 28, -1), *range(26, 0, -1)):
        clock.set(noon - people.days(ago))
        charge(globex, 10)
    clock.set(noon)

    outlook = outlooks.of(company=globex)

    assert outlook.pace.first == date(2026, 10, 15)
    assert outlook.pace.daily == (Decimal(0),) * 2 + (Decimal(10),) * 26
    # 65 a week: 195 until 2 December. Were the history 26 days, 70 a week, and out a day before.
    assert outlook.forecast().runs_out_on == date(2026, 12, 3)
    assert overview.of(company=globex).outlook == outlook


def test_the_history_begins_with_the_first_use_where_that_is_later(clock):
    globex = people.company("Globex")
    people.credits_for(globex, "300")
    for ago in range(26, 0, -1):
        clock.set(NOON - people.days(ago))
        charge(globex, 10)

    assert outlooks.of(company=globex).pace.first == date(2026, 10, 15)
    assert overview.of(company=globex).outlook == outlooks.of(company=globex)


def test_it_asks_few_questions(acme):
    with CaptureQueriesContext(connection) as asked:
        outlooks.of(company=acme)

    assert len(asked) == 4
