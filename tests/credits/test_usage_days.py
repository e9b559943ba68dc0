"""Closed local days are added up once, and read from their sums; never the truth (SPEC §2)."""

from __future__ import annotations

import threading
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from uuid import UUID
from zoneinfo import ZoneInfo

import psycopg
import pytest
from django.db import connection, transaction

from config.demo.clock import seeded_clock
from credits import charging, metering, overview, reconciliation, tasks, usage_days, zones
from credits.ledger import Use
from credits.metering import Dimension
from credits.models import JobRun, UsageDay, UsageSum
from credits.rating import Work
from tests.support import people
from tests.support.breaking import copy_refused_by, update_refused_by

PRICES, RIVALS, EAST, LEE, CRM = (UUID(int=number) for number in range(1, 6))
FIRST, LAST = date(2026, 3, 1), date(2026, 3, 31)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def clock(db):
    with seeded_clock(datetime(2026, 3, 1, tzinfo=UTC)) as clock:
        yield clock


def charge(company, name="Prices", ref=PRICES, action="API_REQUEST", work=None, **refs):
    charging.charge(
        company=company,
        use=Use("TRACKER", name, ref, action, **refs),
        work=work or Work(long_calls=1),
        rates=people.rates(),
        is_free=action == "PREVIEW",
    )


@pytest.fixture
def berlin(clock):
    """Uses around the midnights of 29 March 2026, a day of 23 hours; now it is noon of the 31st."""
    acme = people.company(time_zone="Europe/Berlin")
    people.credits_for(acme, "100")
    for instant, more in (
        ("2026-03-28 22:59:59", {"work": Work(long_calls=3), "team_ref": EAST}),
        ("2026-03-28 23:00", {"work": Work(emails_with_text=5)}),
        ("2026-03-29 12:00", {"name": "Rivals", "ref": RIVALS, "user_ref": LEE}),
        ("2026-03-29 12:00", {"name": "Rivals", "ref": RIVALS, "action": "PREVIEW"}),
        ("2026-03-29 21:59:59", {"name": "Rivals", "ref": RIVALS, "integration_ref": CRM}),
        ("2026-03-29 22:00", {"name": "Pricing"}),
        ("2026-03-31 06:00", {"work": Work(calls_without_text=9, short_calls=1)}),
    ):
        clock.set(datetime.fromisoformat(f"{instant}+00:00"))
        charge(acme, **more)
    clock.set(datetime(2026, 3, 31, 12, tzinfo=UTC))
    return acme


def march(company):
    return zones.each_day(FIRST, LAST, ZoneInfo(company.time_zone))


def everything(company):
    read = metering.read(company=company, first=FIRST, last=LAST).uses
    kinds = (Dimension.TEAM, Dimension.USER, Dimension.INTEGRATION)
    return [
        read,
        *(metering.daily_by(kind, company=company, first=FIRST, last=LAST) for kind in kinds),
    ]


def spoil(statement: str, *parameters) -> None:
    with connection.cursor() as cursor:
        cursor.execute(statement, parameters)


def test_a_day_that_was_added_up_reads_as_its_events_did(berlin):
    before = everything(berlin)

    count = usage_days.add_up(company=berlin, days=march(berlin))

    assert count == 30
    assert UsageDay.objects.filter(company=berlin).count() == 30
    assert UsageSum.objects.filter(company=berlin).count() == 6
    assert everything(berlin) == before
    assert [(str(use.day), use.name, use.credits) for use in before[0]] == [
        ("2026-03-28", "Prices", Decimal("3.000")),
        ("2026-03-29", "Prices", Decimal("0.500")),
        ("2026-03-29", "Rivals", Decimal("2.000")),
        ("2026-03-30", "Pricing", Decimal("1.000")),
        ("2026-03-31", "Prices", Decimal("0.500")),
    ]
    assert reconciliation.check(company_id=berlin.pk) == []


def test_the_sums_hold_what_the_events_of_their_day_hold(berlin):
    usage_days.add_up(company=berlin, days=march(berlin))

    sums = UsageSum.objects.filter(day__starts_at=datetime(2026, 3, 28, 23, tzinfo=UTC))
    found = sums.order_by("feature_ref", "action", "user_ref")
    assert [
        (s.feature_name, s.action, s.user_ref, s.integration_ref, s.calls, s.emails, s.amount)
        for s in found
    ] == [
        ("Prices", "API_REQUEST", None, None, 0, 5, Decimal("0.500")),
        ("Rivals", "API_REQUEST", LEE, None, 1, 0, Decimal("1.000")),
        ("Rivals", "API_REQUEST", None, CRM, 1, 0, Decimal("1.000")),
        ("Rivals", "PREVIEW", None, None, 1, 0, Decimal("0.000")),
    ]


def test_pages_read_the_sums_and_the_check_names_a_day_whose_sums_are_wrong(berlin):
    usage_days.add_up(company=berlin, days=march(berlin))

    spoil("UPDATE credits_usagesum SET amount = 7 WHERE emails = 5")

    days = metering.daily(company=berlin, first=date(2026, 3, 29), last=date(2026, 3, 29))
    assert [use.credits for use in days] == [Decimal("7.000"), Decimal("2.000")]
    (breach,) = reconciliation.check(company_id=berlin.pk)
    assert (breach.invariant, breach.subject, breach.detail) == (
        "DAILY",
        "use from 2026-03-28 23:00:00+00 to 2026-03-29 22:00:00+00",
        "1 of the cached sums are not what the events add up to, or missing",
    )


def test_the_check_names_a_day_that_lost_a_sum(berlin):
    usage_days.add_up(company=berlin, days=march(berlin))

    spoil("DELETE FROM credits_usagesum WHERE user_ref = %s", LEE)

    assert [breach.invariant for breach in reconciliation.check()] == ["DAILY"]


def test_what_is_thrown_away_is_read_from_the_events(berlin):
    before = everything(berlin)
    usage_days.add_up(company=berlin, days=march(berlin))

    UsageDay.objects.filter(starts_at__gte=datetime(2026, 3, 28, 23, tzinfo=UTC)).delete()

    reading = metering.read(company=berlin, first=FIRST, last=LAST)
    assert [str(day.date) for day in reading.not_added_up] == [
        "2026-03-29",
        "2026-03-30",
        "2026-03-31",
    ]
    assert everything(berlin) == before


def test_the_day_under_way_is_not_added_up_nor_one_that_has_only_just_ended(clock, berlin):
    days = zones.each_day(date(2026, 3, 30), date(2026, 3, 31), BERLIN)
    midnight = datetime(2026, 3, 31, 22, tzinfo=UTC)

    first = usage_days.add_up(company=berlin, days=days)
    clock.set(midnight + timedelta(minutes=10, microseconds=-1))
    just_ended = usage_days.add_up(company=berlin, days=days)
    clock.set(midnight + timedelta(minutes=10))
    ended = usage_days.add_up(company=berlin, days=days)

    assert (first, just_ended, ended) == (1, 0, 1)


def test_a_long_history_is_added_up_in_pieces_the_newest_days_first(berlin):
    pieces = [
        usage_days.add_up(company=berlin, days=march(berlin), at_most=12),
        usage_days.add_up(company=berlin, days=march(berlin), at_most=12),
    ]
    oldest = UsageDay.objects.order_by("starts_at").first()
    pieces += [usage_days.add_up(company=berlin, days=march(berlin), at_most=12) for _ in "ab"]

    assert pieces == [12, 12, 6, 0]
    assert oldest.starts_at == datetime(2026, 3, 6, 23, tzinfo=UTC)
    assert UsageSum.objects.count() == 6


def test_another_zone_has_days_of_its_own(berlin):
    usage_days.add_up(company=berlin, days=march(berlin))
    berlin.time_zone = "America/New_York"
    berlin.save()

    moved = metering.read(company=berlin, first=FIRST, last=LAST)
    count = usage_days.add_up(company=berlin, days=march(berlin))

    assert [(str(use.day), use.name, use.credits) for use in moved.uses] == [
        ("2026-03-28", "Prices", Decimal("3.500")),
        ("2026-03-29", "Pricing", Decimal("1.000")),
        ("2026-03-29", "Rivals", Decimal("2.000")),
        ("2026-03-31", "Prices", Decimal("0.500")),
    ]
    assert len(moved.not_added_up) == 31
    assert count == 30
    assert metering.read(company=berlin, first=FIRST, last=LAST).uses == moved.uses
    assert reconciliation.check(company_id=berlin.pk) == []


def test_whoever_reads_the_page_adds_up_for_the_next_reader(berlin):
    first = overview.of(company=berlin)
    days_of_one_reader = UsageDay.objects.filter(company=berlin).count()

    second = overview.of(company=berlin)

    assert days_of_one_reader == usage_days.DAYS_PER_READ_MAX == 31
    assert second.use == first.use
    assert first.use.total == Decimal("7.000")


def test_the_job_adds_up_what_nobody_looked_at_in_pieces(berlin, monkeypatch):
    monkeypatch.setattr(usage_days, "DAYS_PER_COMPANY_MAX", 2)
    people.company("Without any use")
    now = datetime(2026, 3, 31, 12, tzinfo=UTC)

    runs = [usage_days.add_up_all(now=now) for _ in range(3)]

    assert runs == [2, 1, 0]
    assert UsageDay.objects.count() == 3


def test_the_job_stops_at_its_limit_and_goes_on_in_the_next_run(berlin, monkeypatch):
    monkeypatch.setattr(usage_days, "DAYS_PER_RUN_MAX", 2)
    globex = people.company("Globex")
    people.credits_for(globex, "1")
    charge(globex)
    now = datetime(2026, 4, 2, 12, tzinfo=UTC)
    spoil("UPDATE ledger_seeded_clock SET instant = %s", now)

    runs = [usage_days.add_up_all(now=now) for _ in range(5)]

    assert runs == [2, 2, 2, 1, 0]
    assert UsageDay.objects.filter(company=globex).count() == 2


def test_the_job_says_what_it_did(berlin):
    tasks.add_up_days()

    # It asks Python's clock which days there are; the ledger's says which are closed.
    assert JobRun.objects.get(name="add_up_days").summary == "3 days added up"


def test_a_charge_in_flight_over_midnight_is_in_the_sums_of_its_day(committed):
    with seeded_clock(datetime(2026, 3, 30, 12, tzinfo=UTC)) as clock:
        acme = people.company(time_zone="UTC")
        people.credits_for(acme, "10")
        clock.set(datetime(2026, 3, 30, 23, 59, 59, tzinfo=UTC))
        is_charged = threading.Event()
        may_commit = threading.Event()

        def charge_slowly():
            with transaction.atomic():
                charge(acme)
                is_charged.set()
                may_commit.wait(20)
            connection.close()

        other = threading.Thread(target=charge_slowly)
        other.start()
        is_charged.wait(20)
        clock.set(datetime(2026, 3, 31, 1, tzinfo=UTC))
        timer = threading.Timer(1.0, may_commit.set)
        timer.start()

        count = usage_days.add_up(
            company=acme, days=zones.each_day(date(2026, 3, 30), date(2026, 3, 30), ZoneInfo("UTC"))
        )
        may_commit.set()
        other.join()
        timer.join()

        assert count == 1
        assert [s.amount for s in UsageSum.objects.all()] == [Decimal("1.000")]
        assert reconciliation.check(company_id=acme.pk) == []


def test_two_who_add_up_the_same_day_do_it_once(committed):
    with seeded_clock(datetime(2026, 3, 30, 12, tzinfo=UTC)) as clock:
        acme = people.company(time_zone="UTC")
        people.credits_for(acme, "10")
        charge(acme)
        clock.set(datetime(2026, 3, 31, 12, tzinfo=UTC))
        days = zones.each_day(date(2026, 3, 29), date(2026, 3, 30), ZoneInfo("UTC"))
        with psycopg.connect(committed) as faster:
            faster.execute(
                "INSERT INTO credits_usageday (company_id, starts_at, ends_at) VALUES (%s, %s, %s)",
                [acme.pk, days[0].starts_at, days[0].ends_at],
            )
            timer = threading.Timer(1.0, faster.commit)
            timer.start()

            count = usage_days.add_up(company=acme, days=days)
            timer.join()

        assert count == 1
        assert UsageDay.objects.count() == 2
        assert UsageSum.objects.get().amount == Decimal("1.000")


def test_the_database_refuses_what_is_no_day_and_no_sum(berlin):
    usage_days.add_up(company=berlin, days=march(berlin))
    day = UsageDay.objects.latest("starts_at")
    one = UsageSum.objects.get(day=day)
    globex = people.company("Globex")

    assert copy_refused_by(day) == "usage_day_is_added_up_once"
    assert update_refused_by(day, ends_at=day.starts_at) == "usage_day_ends_after_it_starts"
    assert copy_refused_by(one) == "usage_sum_is_one_row_for_what_it_adds_up"
    known = "usage_sum_is_of_known_features_and_not_negative"
    assert update_refused_by(one, amount="-1") == known
    assert update_refused_by(one, action="WHIM") == known
    same_company = "credits_usagesum_day_id_same_company"
    assert update_refused_by(one, company_id=globex.pk) == same_company
