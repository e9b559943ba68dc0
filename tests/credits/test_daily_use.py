"""Use by day, week and month, told apart by what and by whom: every figure literal."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from config.demo.clock import seeded_clock
from credits import bar_charts, charging, daily_use, metering
from credits.daily_use import Step
from credits.ledger import Use
from credits.metering import Dimension
from credits.models import Integration
from credits.rating import Work
from tests.support import people
from trackers.models import Team

# A Tuesday; Berlin's clocks went back on Sunday 25 October 2026.
LAST = date(2026, 11, 10)
FIRST = date(2026, 8, 13)


@pytest.fixture
def clock(db):
    with seeded_clock(datetime(2026, 8, 1, tzinfo=UTC)) as clock:
        yield clock


@pytest.fixture
def berlin(clock):
    company = people.company(time_zone="Europe/Berlin")
    people.credits_for(company, "100")
    return company


def charge(company, name="Pricing objection", ref=None, kind="TRACKER", work=None, **refs):
    use = Use(kind, name, ref, "CONTINUOUS", **refs)
    work = work or Work(long_calls=1)
    return charging.charge(company=company, use=use, work=work, rates=people.rates())


def use_of(company, step=Step.DAY, dimension=Dimension.FEATURE):
    rows = metering.daily(company=company, first=FIRST, last=LAST)
    return daily_use.of(company=company, uses=rows, last=LAST, step=step, dimension=dimension)


def drawn(use):
    return bar_charts.draw(use, bar_charts.frame(use))


def parts(use):
    return [
        (period.first, period.last, period.amounts, period.total)
        for period in use.periods
        if period.total
    ]


def test_weeks_start_on_monday_and_are_cut_by_the_range(clock, berlin):
    for instant in (
        datetime(2026, 8, 12, 21, 59, 59, tzinfo=UTC),  # Before the first day.
        datetime(2026, 8, 12, 22, tzinfo=UTC),  # Thursday 13 August 0:00
        datetime(2026, 8, 16, 21, 59, 59, tzinfo=UTC),  # Sunday 23:59:59
        datetime(2026, 8, 16, 22, tzinfo=UTC),  # Monday
        datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC),  # Sunday of 25 hours, 23:59:59
        datetime(2026, 10, 25, 23, tzinfo=UTC),  # Monday
        datetime(2026, 11, 10, 12, tzinfo=UTC),
    ):
        clock.set(instant)
        charge(berlin)

    use = use_of(berlin, Step.WEEK)

    assert parts(use) == [
        (date(2026, 8, 13), date(2026, 8, 16), (Decimal("2.000"),), Decimal("2.000")),
        (date(2026, 8, 17), date(2026, 8, 23), (Decimal("1.000"),), Decimal("1.000")),
        (date(2026, 10, 19), date(2026, 10, 25), (Decimal("1.000"),), Decimal("1.000")),
        (date(2026, 10, 26), date(2026, 11, 1), (Decimal("1.000"),), Decimal("1.000")),
        (date(2026, 11, 9), date(2026, 11, 10), (Decimal("1.000"),), Decimal("1.000")),
    ]
    assert len(use.periods) == 14
    assert use.total == Decimal("6.000")


def test_months_are_calendar_months_cut_by_the_range(clock, berlin):
    for instant in (
        datetime(2026, 8, 20, tzinfo=UTC),
        datetime(2026, 8, 31, 21, 59, 59, tzinfo=UTC),
        datetime(2026, 8, 31, 22, tzinfo=UTC),
        datetime(2026, 11, 10, 1, tzinfo=UTC),
    ):
        clock.set(instant)
        charge(berlin)

    use = use_of(berlin, Step.MONTH)

    assert [(period.first, period.last, period.total) for period in use.periods] == [
        (date(2026, 8, 13), date(2026, 8, 31), Decimal("2.000")),
        (date(2026, 9, 1), date(2026, 9, 30), Decimal("1.000")),
        (date(2026, 10, 1), date(2026, 10, 31), Decimal("0.000")),
        (date(2026, 11, 1), date(2026, 11, 10), Decimal("1.000")),
    ]


def test_each_period_says_what_remained_when_it_ended(clock, berlin):
    clock.set(datetime(2026, 9, 30, 21, 59, 59, tzinfo=UTC))
    charge(berlin)
    clock.set(datetime(2026, 9, 30, 22, tzinfo=UTC))  # 1 October 0:00 in Berlin
    charge(berlin)
    charge(berlin)
    late = people.company(time_zone="Europe/Berlin")
    people.credits_for(late, "8")

    balances = {period.first: period.balance for period in use_of(berlin).periods}
    late_ones = {period.first: period.balance for period in use_of(late).periods}

    assert balances[date(2026, 8, 13)] == Decimal("100.000")
    assert balances[date(2026, 9, 30)] == Decimal("99.000")
    assert balances[date(2026, 10, 1)] == Decimal("97.000")
    assert balances[date(2026, 11, 10)] == Decimal("97.000")
    assert late_ones[date(2026, 9, 30)] is None
    assert late_ones[date(2026, 10, 1)] == Decimal("8.000")


def test_use_is_told_apart_by_team_user_and_integration(clock, berlin):
    clock.set(datetime(2026, 11, 3, 12, tzinfo=UTC))
    sales = Team.objects.create(company=berlin, name="Sales")
    alice = people.alice(berlin)
    client = Integration.objects.create(company=berlin, name="CRM assistant", kind="MCP")
    gone = uuid.UUID(int=7)
    charge(berlin, team_ref=sales.pk, work=Work(long_calls=4))
    charge(berlin, team_ref=gone, user_ref=alice.public_id, work=Work(long_calls=2))
    charge(berlin, integration_ref=client.pk)

    def series(dimension):
        use = use_of(berlin, dimension=dimension)
        return [(one.name, one.total) for one in use.series]

    assert series(Dimension.FEATURE) == [("Pricing objection", Decimal("7.000"))]
    assert series(Dimension.TEAM) == [
        ("Sales", Decimal("4.000")),
        ("Team 00000000", Decimal("2.000")),
        ("No team", Decimal("1.000")),
    ]
    assert series(Dimension.USER) == [
        ("Background work", Decimal("5.000")),
        (alice.name, Decimal("2.000")),
    ]
    assert series(Dimension.INTEGRATION) == [
        ("No integration", Decimal("6.000")),
        ("CRM assistant", Decimal("1.000")),
    ]


def test_another_company_s_team_gives_no_name(clock, berlin):
    other = Team.objects.create(company=people.company("Canary Corp"), name="Canary")
    clock.set(datetime(2026, 11, 3, 12, tzinfo=UTC))
    charge(berlin, team_ref=other.pk)

    use = use_of(berlin, dimension=Dimension.TEAM)

    assert [one.name for one in use.series] == [f"Team {str(other.pk)[:8]}"]


def test_five_parts_are_named_and_the_others_are_one(clock, berlin):
    clock.set(datetime(2026, 11, 3, 12, tzinfo=UTC))
    for calls in range(1, 8):
        charge(berlin, f"Tracker {calls}", uuid.uuid4(), work=Work(long_calls=calls))

    use = use_of(berlin)

    assert [(one.name, one.total) for one in use.series] == [
        ("Tracker 7", Decimal("7.000")),
        ("Tracker 6", Decimal("6.000")),
        ("Tracker 5", Decimal("5.000")),
        ("Tracker 4", Decimal("4.000")),
        ("Tracker 3", Decimal("3.000")),
        ("Others", Decimal("3.000")),
    ]
    assert sum(one.share for one in use.series) == 1
    assert use.busiest.amounts == tuple(Decimal(amount) for amount in (7, 6, 5, 4, 3, 3))


def test_features_of_two_types_without_a_reference_stay_apart(clock, berlin):
    clock.set(datetime(2026, 11, 3, 12, tzinfo=UTC))
    charge(berlin, "Ask anything", kind="ASK", work=Work(long_calls=2))
    charge(berlin, "Account brief", kind="BRIEF")

    assert [(one.name, one.total) for one in use_of(berlin).series] == [
        ("Ask anything", Decimal("2.000")),
        ("Account brief", Decimal("1.000")),
    ]


def test_bars_stand_on_zero_and_pile_up_to_their_total(clock, berlin):
    clock.set(datetime(2026, 11, 10, 1, tzinfo=UTC))
    charge(berlin, "Pricing", uuid.uuid4(), work=Work(long_calls=5))
    charge(berlin, "Competitors", uuid.uuid4(), work=Work(long_calls=2))
    charge(berlin, "Renewals", uuid.uuid4(), work=Work(long_calls=1))

    chart = drawn(use_of(berlin))

    # 250 high from 14 to 264: 8 credits fill it, so one of them is 31.25.
    assert [(part.number, part.outline) for part in chart.bars[-1].parts] == [
        (1, "M893.54 107.75h7.42v156.25h-7.42z"),
        (2, "M893.54 45.25h7.42v62.5h-7.42z"),
        (3, "M893.54 14h7.42v31.25h-7.42z"),
    ]
    assert chart.bars[-1].words == (
        "Tue 10 Nov 2026: 8.0 credits, Pricing 5.0, Competitors 2.0, Renewals 1.0; 92.0 remained"
    )
    assert [tick.text for tick in chart.amounts] == ["0", "2", "4", "6", "8"]
    assert [tick.at for tick in chart.amounts] == ["264", "201.5", "139", "76.5", "14"]
    assert [tick.text for tick in chart.balances] == ["0", "25", "50", "75", "100"]
    # 92 of 100 remained at the end: 250 × 0.92 above the floor.
    assert chart.line.endswith(" 34")
    assert chart.bars[0].parts == ()
    assert len(chart.bars) == 90


def test_an_axis_ends_at_the_next_round_figure(clock, berlin):
    clock.set(datetime(2026, 11, 9, 12, tzinfo=UTC))
    for calls in (9, 17, 33, 41):
        clock.advance(timedelta(hours=1))
        charge(berlin, work=Work(short_calls=calls))

    chart = drawn(use_of(berlin))

    # The busiest day used 50.0; of 100 granted 50 are left.
    assert [tick.text for tick in chart.amounts] == ["0", "15", "30", "45", "60"]


def test_a_company_without_any_use_has_an_empty_drawing(clock):
    use = use_of(people.company())

    chart = drawn(use)

    assert (use.series, use.total, chart.line) == ((), Decimal("0.000"), "")
    assert all(bar.parts == () for bar in chart.bars)
