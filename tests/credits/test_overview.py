"""The credits page's figures (SPEC §2), each literal, on histories short enough to add up."""

from __future__ import annotations

import threading
import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from config.demo.clock import seeded_clock
from credits import charging, overview
from credits.ledger import Use
from credits.models import Company, CreditGrant, Source
from credits.overview import GrantState
from credits.rating import Work
from tests.support import people

# Noon of 10 November in UTC; Berlin's clocks went back on 25 October, a day of 25 hours.
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)
SEPTEMBER = datetime(2026, 9, 1, tzinfo=UTC)


@pytest.fixture
def clock(db):
    with seeded_clock(SEPTEMBER) as clock:
        yield clock


def feature(name: str = "Pricing objection", *, ref: uuid.UUID | None = None) -> Use:
    return Use("TRACKER", name, ref or uuid.uuid4(), "CONTINUOUS")


def charge(company: Company, use: Use, **work: int) -> None:
    charging.charge(company=company, use=use, work=Work(**work), rates=people.rates())


def test_days_are_the_company_s_own_and_a_day_of_25_hours_is_one_day(clock):
    berlin = people.company(time_zone="Europe/Berlin")
    people.credits_for(berlin, "100")
    tracker = feature()
    for instant, work in [
        (datetime(2026, 9, 11, 21, 59, 59, tzinfo=UTC), {"long_calls": 1}),  # 60 days ago
        (datetime(2026, 9, 11, 22, tzinfo=UTC), {"long_calls": 2}),  # 12 Sep 0:00
        (datetime(2026, 10, 11, 21, 59, 59, tzinfo=UTC), {"short_calls": 1}),  # 11 Oct 23:59:59
        (datetime(2026, 10, 11, 22, tzinfo=UTC), {"emails_with_text": 3}),  # 12 Oct 0:00
        (datetime(2026, 10, 24, 22, tzinfo=UTC), {"long_calls": 1}),  # 25 Oct 0:00 CEST
        (datetime(2026, 10, 25, 22, 59, 59, tzinfo=UTC), {"long_calls": 1}),  # 23:59:59 CET
        (datetime(2026, 10, 25, 23, tzinfo=UTC), {"short_calls": 1}),  # 26 Oct 0:00
        (NOW, {"emails_with_text": 1}),
    ]:
        clock.set(instant)
        charge(berlin, tracker, **work)

    use = overview.of(company=berlin).use

    assert use.since == date(2026, 10, 12)
    assert use.total == Decimal("2.900")
    assert use.previous_total == Decimal("2.500")
    assert len(use.daily.periods) == 90
    assert [(day.first, day.total) for day in use.daily.periods if day.total] == [
        (date(2026, 9, 11), Decimal("1.000")),
        (date(2026, 9, 12), Decimal("2.000")),
        (date(2026, 10, 11), Decimal("0.500")),
        (date(2026, 10, 12), Decimal("0.300")),
        (date(2026, 10, 25), Decimal("2.000")),
        (date(2026, 10, 26), Decimal("0.500")),
        (date(2026, 11, 10), Decimal("0.100")),
    ]


def test_remaining_is_what_is_available_and_what_is_held(clock):
    acme = people.company()
    people.credits_for(acme, "60")
    people.credits_for(acme, "40")
    charge(acme, feature(), long_calls=6, emails_with_text=4)
    charging.reserve(company=acme, amount=Decimal("1.5"), use=feature(), rates=people.rates())

    seen = overview.of(company=acme)

    assert seen.remaining == Decimal("93.600")
    assert seen.total == Decimal("100.000")
    assert seen.reserved == Decimal("1.500")
    assert seen.available == Decimal("92.100")
    assert (seen.instant, seen.sequence) == (SEPTEMBER, 3)


def test_reading_settles_what_time_has_done(clock):
    acme = people.company()
    people.credits_for(acme, "60", expires_at=SEPTEMBER + people.days(5))
    people.credits_for(acme, "7", effective_at=SEPTEMBER + people.days(8))
    clock.set(SEPTEMBER + people.days(9))

    seen = overview.of(company=acme)

    assert seen.remaining == Decimal("7.000")
    assert seen.total == Decimal("7.000")
    assert [(e.sequence, e.kind, e.amount, e.occurred_at) for e in seen.entries] == [
        (3, "ADJUSTED", Decimal("7.000"), SEPTEMBER + people.days(8)),
        (2, "EXPIRED", Decimal("-60.000"), SEPTEMBER + people.days(5)),
        (1, "ADJUSTED", Decimal("60.000"), SEPTEMBER),
    ]


def test_grants_stand_in_spending_order_with_past_and_future_ones_apart(clock):
    acme = people.company()
    for_ever = people.credits_for(acme, "3")
    soon = people.credits_for(acme, "2", expires_at=SEPTEMBER + people.days(40))
    spent = people.credits_for(acme, "1", expires_at=SEPTEMBER + people.days(10))
    clock.advance(timedelta(seconds=1))
    lost = people.credits_for(acme, "5", expires_at=SEPTEMBER + people.days(20))
    coming = people.credits_for(acme, "9", effective_at=SEPTEMBER + people.days(90))
    clock.set(SEPTEMBER + people.days(1))
    charge(acme, feature(), long_calls=1)
    clock.set(SEPTEMBER + people.days(30))

    seen = overview.of(company=acme)

    assert [(one.grant.pk, one.state, one.grant.remaining) for one in seen.grants] == [
        (soon.pk, GrantState.ACTIVE, Decimal("2.000")),
        (for_ever.pk, GrantState.ACTIVE, Decimal("3.000")),
    ]
    assert [(one.grant.pk, one.state, one.grant.remaining) for one in seen.past] == [
        (lost.pk, GrantState.EXPIRED, Decimal("0.000")),
        (spent.pk, GrantState.USED_UP, Decimal("0.000")),
    ]
    assert [(one.grant.pk, one.state) for one in seen.scheduled] == [
        (coming.pk, GrantState.SCHEDULED)
    ]
    assert sum(one.grant.remaining for one in seen.grants) == seen.remaining == Decimal("5.000")


def test_more_grants_than_fit_the_page_still_add_up(clock):
    acme = people.company()
    for days in range(1, 24):
        people.credits_for(acme, "1.5", expires_at=SEPTEMBER + people.days(days))

    seen = overview.of(company=acme)

    assert len(seen.grants) == 20
    assert seen.unlisted == Decimal("4.500")
    assert sum(one.grant.remaining for one in seen.grants) + seen.unlisted == seen.remaining
    assert seen.remaining == Decimal("34.500")


def test_an_expired_grant_keeps_what_is_held_and_is_no_longer_active(clock):
    acme = people.company()
    people.credits_for(acme, "5", expires_at=SEPTEMBER + timedelta(minutes=10))
    charging.reserve(company=acme, amount=Decimal("1.5"), use=feature(), rates=people.rates())
    clock.advance(timedelta(minutes=10))

    seen = overview.of(company=acme)

    assert (seen.remaining, seen.reserved, seen.available, seen.total) == (
        Decimal("1.500"),
        Decimal("1.500"),
        Decimal("0.000"),
        Decimal("1.500"),
    )
    assert [(one.state, one.grant.remaining) for one in seen.grants] == [
        (GrantState.EXPIRED, Decimal("1.500"))
    ]
    assert seen.next_expiry is None


def test_a_voided_grant_is_voided_whatever_else_it_was():
    voided = CreditGrant(voided_at=NOW, granted_at=NOW, expired_at=NOW)

    assert overview.state_of(voided) == GrantState.VOIDED


def test_the_next_expiry_adds_up_all_grants_that_end_then(clock):
    acme = people.company()
    end = SEPTEMBER + people.days(40)
    people.credits_for(acme, "2", expires_at=end)
    people.credits_for(acme, "3.5", expires_at=end, source=Source.INTRODUCTORY)
    people.credits_for(acme, "8", expires_at=end + people.days(1))
    people.credits_for(acme, "13")

    expiry = overview.of(company=acme).next_expiry

    assert (expiry.amount, expiry.expires_at) == (Decimal("5.500"), end)
    assert {grant.get_source_display() for grant in expiry.grants} == {
        "Adjustment",
        "Introductory",
    }


def test_a_renamed_tracker_is_one_feature_under_its_newest_name(clock):
    acme = people.company()
    people.credits_for(acme, "100")
    ref = uuid.uuid4()
    charge(acme, feature("Price complaints", ref=ref), long_calls=3)
    clock.advance(people.days(1))
    charge(acme, feature("Budget", ref=ref), emails_with_text=10)
    charge(acme, feature("Competitors"), long_calls=1)

    use = overview.of(company=acme).use

    assert [(f.name, f.calls, f.emails, f.credits, f.share) for f in use.features] == [
        ("Budget", 3, 10, Decimal("4.000"), Decimal("0.8")),
        ("Competitors", 1, 0, Decimal("1.000"), Decimal("0.2")),
    ]
    assert [series.name for series in use.daily.series] == ["Budget", "Competitors"]
    assert use.others is None


def test_ten_features_are_named_and_the_rest_is_one_figure(clock):
    acme = people.company()
    people.credits_for(acme, "100")
    for calls in range(1, 13):
        charge(acme, feature(f"Tracker {calls}"), long_calls=calls)

    use = overview.of(company=acme).use

    assert [f.name for f in use.features] == [f"Tracker {calls}" for calls in range(12, 2, -1)]
    assert use.others == Decimal("3.000")
    assert sum(f.credits for f in use.features) + use.others == use.total == Decimal("78.000")
    assert use.daily.periods[-1].amounts == tuple(Decimal(sum_) for sum_ in (12, 11, 10, 9, 8, 28))


def test_free_use_is_no_line(clock):
    acme = people.company()
    people.credits_for(acme, "1")
    charging.charge(
        company=acme,
        use=Use("TRACKER", "Preview only", uuid.uuid4(), "PREVIEW"),
        work=Work(long_calls=1),
        rates=people.rates(),
        is_free=True,
    )

    use = overview.of(company=acme).use

    assert (use.features, use.daily.series, use.total) == ((), (), Decimal("0.000"))


def test_an_empty_company_has_nothing_and_says_so(clock):
    seen = overview.of(company=people.company())

    assert (seen.remaining, seen.total, seen.reserved) == (Decimal(0), Decimal(0), Decimal(0))
    assert (seen.sequence, seen.grants, seen.scheduled, seen.entries) == (0, (), (), ())
    assert seen.next_expiry is None
    assert not seen.waiting


def test_companies_are_listed_with_what_they_have_left_after_settling(clock):
    acme, globex = people.company("Acme"), people.company("Globex")
    people.credits_for(acme, "10", expires_at=SEPTEMBER + people.days(1))
    people.credits_for(globex, "4")
    charging.reserve(company=globex, amount=Decimal(1), use=feature(), rates=people.rates())
    clock.advance(timedelta(minutes=5))
    before = overview.of_companies(companies=(acme, globex))
    clock.set(SEPTEMBER + people.days(1))

    after = overview.of_companies(companies=(acme, globex))

    assert [(line.company, line.remaining, line.reserved) for line in before] == [
        (acme, Decimal("10.000"), Decimal("0.000")),
        (globex, Decimal("4.000"), Decimal("1.000")),
    ]
    assert [(line.remaining, line.reserved) for line in after] == [
        (Decimal("0.000"), Decimal("0.000")),
        (Decimal("4.000"), Decimal("0.000")),
    ]


def charge_meanwhile(*, company):
    """Stand in the place of ``CREDIT_DEMAND``: another connection charges while the page reads."""

    def charge_and_leave():
        charge(company, feature(), long_calls=1)
        connection.close()

    other = threading.Thread(target=charge_and_leave)
    other.start()
    other.join()
    return []


def test_a_charge_that_commits_while_the_page_is_read_is_wholly_in_or_wholly_out(
    committed, settings
):
    settings.CREDIT_DEMAND = ["tests.credits.test_overview.charge_meanwhile"]
    acme = people.company()
    people.credits_for(acme, "10")

    seen = overview.of(company=acme)
    next_time = overview.of(company=acme)

    assert (seen.sequence, seen.remaining) == (1, Decimal("10.000"))
    assert [entry.sequence for entry in seen.entries] == [1]
    assert (next_time.sequence, next_time.remaining) == (2, Decimal("9.000"))
    assert [entry.sequence for entry in next_time.entries] == [2, 1]
