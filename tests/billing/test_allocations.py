"""Allocations: each period's seats, once, three days ahead, in the company's days (SPEC §2)."""

from __future__ import annotations

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from django.db import connection

from billing import allocations, contracts, seats
from billing.models import Allocation, Contract
from credits import balances, grants, reconciliation
from credits.models import Company, CreditGrant, LedgerEntry
from tests.support import contracts as given
from tests.support import people, statement


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


def test_the_running_period_is_issued_from_its_seats(acme, clock):
    given.seated(acme, "2026-03-01", 10)

    written = run(acme, clock, "2026-03-02T12:00")

    assert written == ["#1 ISSUED 2026-03-01 – 2026-03-31 20000.0"]
    grant = CreditGrant.objects.get()
    assert (grant.source, grant.amount, grant.created_by) == ("ALLOCATION", 20000, None)
    # Midnight is past, so it counts from now; it ends when the next period starts.
    assert grant.effective_at == at("2026-03-02T12:00")
    assert grant.expires_at == at("2026-04-01T00:00")
    assert (grant.reference, grant.reason) == ("Period 1", "10 Seat × 2,000.0")
    assert balances.now(company=acme).remaining == Decimal(20000)


def test_an_allocation_shows_how_it_was_computed(acme, clock, vera):
    given.seated(acme, "2026-03-01", 10)
    given.count(given.seat_type(acme, "Light seat", "500.5"), 3, "2026-03-01", by=vera)

    run(acme, clock, "2026-03-02T12:00")

    lines = Allocation.objects.get().lines.order_by("seat_name")
    assert [(one.seat_name, one.seats, one.credits, one.amount) for one in lines] == [
        ("Light seat", 3, Decimal("500.500"), Decimal("1501.500")),
        ("Seat", 10, Decimal("2000.000"), Decimal("20000.000")),
    ]
    assert Allocation.objects.get().amount == Decimal("21501.500")


def test_the_next_period_is_issued_three_days_ahead_and_not_a_minute_earlier(acme, clock):
    given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-02T12:00")

    assert run(acme, clock, "2026-03-28T23:59") == []
    assert run(acme, clock, "2026-03-29T00:00") == ["#2 ISSUED 2026-04-01 – 2026-04-30 20000.0"]
    assert run(acme, clock, "2026-03-29T01:00") == []


def test_the_change_of_period_needs_no_job(acme, clock):
    given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-02T12:00")
    run(acme, clock, "2026-03-30T00:00")

    clock.set(at("2026-04-05T00:00"))

    assert statement.of(acme) == ["02 Mar 12:00 Added +20000.0 = 20000.0 (Period 1 +20000.0)"]
    assert balances.now(company=acme).remaining == Decimal(20000)
    assert statement.of(acme)[1:] == [
        "01 Apr 00:00 Added +20000.0 = 40000.0 (Period 2 +20000.0)",
        "01 Apr 00:00 Expired -20000.0 = 20000.0 (Period 1 -20000.0)",
    ]


def test_a_contract_of_31_january_clamps_to_each_month_and_returns(acme, clock):
    given.seated(acme, "2026-01-31", 1)

    written = [
        *run(acme, clock, "2026-03-02T12:00"),
        *run(acme, clock, "2026-03-28T00:00"),
        *run(acme, clock, "2026-04-27T00:00"),
    ]

    assert written == [
        "#1 MISSED 2026-01-31 – 2026-02-27 2000.0",
        "#2 ISSUED 2026-02-28 – 2026-03-30 2000.0",
        "#3 ISSUED 2026-03-31 – 2026-04-29 2000.0",
        "#4 ISSUED 2026-04-30 – 2026-05-30 2000.0",
    ]


def test_a_leap_february_ends_on_its_29th(acme, clock):
    given.seated(acme, "2028-01-31", 1)

    written = [
        *run(acme, clock, "2028-01-31T00:00"),
        *run(acme, clock, "2028-02-28T00:00"),
        *run(acme, clock, "2028-03-29T00:00"),
    ]

    assert written == [
        "#1 ISSUED 2028-01-31 – 2028-02-28 2000.0",
        "#2 ISSUED 2028-02-29 – 2028-03-30 2000.0",
        "#3 ISSUED 2028-03-31 – 2028-04-29 2000.0",
    ]


@pytest.mark.parametrize(
    ("period", "expected"),
    [
        ("QUARTER", "#1 ISSUED 2026-03-01 – 2026-05-31 2000.0"),
        ("YEAR", "#1 ISSUED 2026-03-01 – 2027-02-28 2000.0"),
    ],
)
def test_a_period_may_be_longer_than_a_month(acme, clock, period, expected):
    given.seated(acme, "2026-03-01", 1, period=period)

    assert run(acme, clock, "2026-03-02T12:00") == [expected]


def test_running_again_and_unrelated_events_change_nothing(acme, clock, vera):
    kind = given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-30T12:00")
    before = list(Allocation.objects.order_by("id").values())

    people.credits_for(acme, "5")
    statement.charge(acme, "3")
    given.count(kind, 99, "2026-06-01", by=vera)
    given.seated(people.company("Beta"), "2026-03-01", 4)
    for minute in range(5):
        assert run(acme, clock, f"2026-03-30T12:{minute:02}") == []

    assert list(Allocation.objects.order_by("id").values()) == before
    assert LedgerEntry.objects.filter(company=acme, kind="GRANTED").count() >= 1


def test_seats_that_change_before_the_start_are_issued_anew(acme, clock, vera):
    kind = given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-02T12:00")
    run(acme, clock, "2026-03-29T12:00")
    first = Allocation.objects.get(period_number=2)

    given.count(kind, 12, "2026-04-01", by=vera, now=clock())
    written = run(acme, clock, "2026-03-30T12:00")

    assert written == ["#2 ISSUED 2026-04-01 – 2026-04-30 24000.0"]
    states = Allocation.objects.filter(period_number=2).order_by("id")
    assert [(one.state, one.amount) for one in states] == [("CANCELLED", 20000), ("ISSUED", 24000)]
    assert CreditGrant.objects.get(pk=first.grant_id).cancelled_at is not None
    clock.set(at("2026-04-01T00:00"))
    # Only the second became effective, and only once.
    assert balances.now(company=acme).remaining == Decimal(24000)
    assert reconciliation.check() == []


def test_changed_credits_a_seat_are_issued_anew_too(acme, clock):
    kind = given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-29T12:00")

    seats.set_credits(seat_type=kind, credits=Decimal("1500.5"))

    assert run(acme, clock, "2026-03-30T12:00") == ["#2 ISSUED 2026-04-01 – 2026-04-30 15005.0"]


def test_seats_that_go_and_come_back_before_the_start_end_as_they_were(acme, clock, vera):
    kind = given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-29T12:00")

    given.count(kind, 0, "2026-04-01", by=vera, now=clock())
    assert run(acme, clock, "2026-03-30T12:00") == ["#2 ISSUED 2026-04-01 – 2026-04-30 0.0"]
    given.count(kind, 10, "2026-04-01", by=vera, now=clock())
    assert run(acme, clock, "2026-03-30T13:00") == ["#2 ISSUED 2026-04-01 – 2026-04-30 20000.0"]

    clock.set(at("2026-04-02T00:00"))
    assert balances.now(company=acme).remaining == Decimal(20000)


def test_fewer_seats_after_the_start_take_nothing_back(acme, clock, vera):
    kind = given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-02T12:00")

    given.count(kind, 4, "2026-03-01", by=vera, now=clock())

    assert run(acme, clock, "2026-03-03T12:00") == []
    assert balances.now(company=acme).remaining == Decimal(20000)
    assert contracts.owed_now(Contract.objects.get(), clock()) == 0


def test_a_beat_that_was_down_for_three_periods_writes_them_as_missed(acme, clock):
    given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-02T12:00")

    written = run(acme, clock, "2026-07-10T08:00")

    assert written == [
        "#2 MISSED 2026-04-01 – 2026-04-30 20000.0",
        "#3 MISSED 2026-05-01 – 2026-05-31 20000.0",
        "#4 MISSED 2026-06-01 – 2026-06-30 20000.0",
        "#5 ISSUED 2026-07-01 – 2026-07-31 20000.0",
    ]
    assert CreditGrant.objects.count() == 2
    assert balances.now(company=acme).remaining == Decimal(20000)
    assert CreditGrant.objects.latest("created_at").expires_at == at("2026-08-01T00:00")
    assert reconciliation.check() == []


def test_a_beat_that_comes_back_within_three_days_of_the_next_period_issues_both(acme, clock):
    given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-02T12:00")

    assert run(acme, clock, "2026-04-28T08:00") == [
        "#2 ISSUED 2026-04-01 – 2026-04-30 20000.0",
        "#3 ISSUED 2026-05-01 – 2026-05-31 20000.0",
    ]


def test_a_period_that_ends_at_this_very_instant_is_missed(acme, clock):
    given.seated(acme, "2026-03-01", 10)

    assert run(acme, clock, "2026-04-01T00:00") == [
        "#1 MISSED 2026-03-01 – 2026-03-31 20000.0",
        "#2 ISSUED 2026-04-01 – 2026-04-30 20000.0",
    ]


def test_nothing_is_allocated_after_the_contract_s_end(acme, clock):
    given.seated(acme, "2026-03-01", 10, ends_on=date(2026, 4, 1))

    written = [*run(acme, clock, "2026-03-02T12:00"), *run(acme, clock, "2026-09-01T00:00")]

    # The second period starts on the contract's last day, the third would start after it.
    assert written == [
        "#1 ISSUED 2026-03-01 – 2026-03-31 20000.0",
        "#2 MISSED 2026-04-01 – 2026-04-30 20000.0",
    ]


def test_a_contract_that_ends_before_the_next_period_takes_its_allocation_along(acme, clock, vera):
    given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-29T12:00")
    contract = Contract.objects.get()
    terms = contracts.terms_of(contract)

    ended = contracts.change(
        contract=contract,
        terms=contracts.Terms(starts_on=terms.starts_on, ends_on=date(2026, 3, 31)),
        by=vera,
        now=clock(),
    )
    clock.set(at("2026-04-02T00:00"))

    assert ended.written == ()
    assert balances.now(company=acme).remaining == 0
    assert run(acme, clock, "2026-04-02T00:00") == []
    contracts.change(contract=contract, terms=terms, by=vera, now=clock())
    assert balances.now(company=acme).remaining == Decimal(20000)


def test_a_period_without_seats_is_issued_with_nothing(acme, clock):
    given.contract(acme, "2026-03-01")

    assert run(acme, clock, "2026-03-02T12:00") == ["#1 ISSUED 2026-03-01 – 2026-03-31 0.0"]
    assert not CreditGrant.objects.exists()


def test_a_grant_that_a_person_cancelled_stays_cancelled(acme, clock, vera):
    kind = given.seated(acme, "2026-03-01", 10)
    run(acme, clock, "2026-03-29T12:00")
    coming = Allocation.objects.get(period_number=2).grant
    grants.cancel(grant=coming, by=vera, reason="They pause in April")

    given.count(kind, 12, "2026-04-01", by=vera, now=clock())

    assert run(acme, clock, "2026-03-30T12:00") == []


def test_introductory_credits_come_once_with_the_life_of_the_contract(acme, clock):
    given.seated(acme, "2026-03-10", 1, introductory_amount=Decimal(5000))

    assert run(acme, clock, "2026-03-06T23:59") == []
    assert not CreditGrant.objects.exists()
    run(acme, clock, "2026-03-07T00:00")
    run(acme, clock, "2026-03-08T00:00")

    grant = CreditGrant.objects.get(source="INTRODUCTORY")
    assert grant.amount == Decimal(5000)
    assert grant.effective_at == at("2026-03-10T00:00")
    assert grant.expires_at == at("2026-06-08T00:00")
    assert Contract.objects.get().introductory_grant == grant


def test_introductory_credits_of_a_contract_entered_late_live_from_today(acme, clock):
    given.seated(acme, "2026-01-01", 1, introductory_amount=Decimal(5000), introductory_days=30)

    run(acme, clock, "2026-03-02T12:00")

    grant = CreditGrant.objects.get(source="INTRODUCTORY")
    assert grant.effective_at == at("2026-03-02T12:00")
    assert grant.expires_at == at("2026-04-01T00:00")


def test_introductory_credits_given_by_hand_are_not_given_again(acme, clock):
    people.credits_for(acme, "100", source="INTRODUCTORY")
    given.seated(acme, "2026-03-01", 1, introductory_amount=Decimal(5000))

    run(acme, clock, "2026-03-02T12:00")

    assert CreditGrant.objects.filter(source="INTRODUCTORY").count() == 1


def test_introductory_credits_that_a_person_cancelled_do_not_come_back(acme, clock, vera):
    given.seated(acme, "2026-03-04", 1, introductory_amount=Decimal(5000))
    run(acme, clock, "2026-03-02T12:00")
    grants.cancel(grant=Contract.objects.get().introductory_grant, by=vera, reason="Not agreed on")

    run(acme, clock, "2026-03-02T13:00")

    assert CreditGrant.objects.filter(source="INTRODUCTORY").count() == 1


def test_one_company_s_trouble_does_not_keep_the_others_from_theirs(
    acme, clock, monkeypatch, caplog
):
    beta = people.company("Beta")
    for company in (acme, beta):
        given.seated(company, "2026-03-01", 1)
    Company.objects.filter(pk=acme.pk).update(time_zone="Nowhere/Land")

    with pytest.raises(allocations.AllocationsFailed, match=str(acme.pk)):
        allocations.run_all(now=clock())

    assert balances.now(company=beta).remaining == Decimal(2000)
    assert not Allocation.objects.filter(company=acme).exists()


def test_a_company_without_a_contract_gets_nothing(acme, clock):
    assert allocations.run(company=acme, now=clock()) == []
    assert allocations.run_all(now=clock()) == 0


LIES = {
    "its grant is of 2000.000 INTRODUCTORY, not of 2000.000": (
        "UPDATE credits_creditgrant SET source = 'INTRODUCTORY' WHERE reference = 'Period 2'"
    ),
    "is of 2000.000, its seats bring 0": "DELETE FROM billing_allocationline",
    "does not start where the period before ended": (
        "UPDATE billing_allocation SET starts_at = starts_at + interval '1 hour'"
        " WHERE period_number = 2"
    ),
}


@pytest.mark.parametrize("detail", LIES)
def test_the_check_of_the_books_finds_an_allocation_that_lies(acme, clock, detail):
    given.seated(acme, "2026-02-01", 1)
    run(acme, clock, "2026-03-02T12:00")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute(LIES[detail])
        cursor.execute("SET LOCAL session_replication_role = DEFAULT")

    found = [one for one in reconciliation.check() if one.subject.startswith("allocation")]

    assert {one.invariant for one in found} == {"I15"}
    assert detail in {one.detail for one in found}


def test_a_period_that_starts_this_instant_is_not_issued_anew(acme, clock, vera):
    kind = given.seated(acme, "2026-04-01", 0)  # For no seats: no grant stands in the way.
    run(acme, clock, "2026-03-30T12:00")
    given.count(kind, 5, "2026-04-01", by=vera)

    written = run(acme, clock, "2026-04-01T00:00")

    assert written == []
    assert [line(one) for one in Allocation.objects.all()] == [
        "#1 ISSUED 2026-04-01 – 2026-04-30 0.0"
    ]
    assert contracts.owed_now(Contract.objects.get(), clock()) == 10000
