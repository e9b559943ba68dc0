"""Seats: who counts on which day, and what late ones are owed (SPEC §2)."""

from __future__ import annotations

import uuid
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest

from billing import allocations, contracts, purchases, seats
from billing.models import Allocation, Contract, Period, SeatCount, TopUp
from credits import balances, reconciliation
from credits.amounts import prorated_down
from credits.models import CreditGrant
from tests.support import contracts as given
from tests.support.contracts import NOW


@pytest.fixture
def kind(acme, clock):
    """Ten seats from 1 March, issued on the 2nd."""
    kind = given.seated(acme, "2026-03-01", 10)
    allocations.run(company=acme, now=NOW)
    return kind


@pytest.fixture
def contract(kind):
    return Contract.objects.get()


def owed(contract, now=NOW) -> str:
    return f"{contracts.owed_now(contract, now)}"


def counted(seats_: int, on: str, credits: str = "2000", name: str = "Seat") -> contracts.Seats:
    return contracts.Seats(name, Decimal(credits), seats_, date.fromisoformat(on))


def test_the_latest_row_before_a_day_counts_and_of_several_the_last_recorded(acme, vera):
    kind = given.seat_type(acme)
    given.count(kind, 5, "2026-03-01", by=vera)
    given.count(kind, 9, "2026-05-01", by=vera)
    given.count(kind, 7, "2026-03-01", by=vera, now=NOW + timedelta(hours=1))

    found = {
        day: [line.seats for line in seats.on(company=acme, day=date.fromisoformat(day))]
        for day in ("2026-02-28", "2026-03-01", "2026-04-30", "2026-05-01")
    }

    assert found == {
        "2026-02-28": [],
        "2026-03-01": [7],
        "2026-04-30": [7],
        "2026-05-01": [9],
    }
    assert SeatCount.objects.count() == 3


@pytest.mark.parametrize("number", [-1, 1_000_001])
def test_a_number_that_is_none_is_refused(acme, vera, number):
    with pytest.raises(seats.CountRefused):
        given.count(given.seat_type(acme), number, "2026-03-01", by=vera)


def test_a_late_correction_is_owed_in_full(contract, vera):
    contracts.count_seats(contract=contract, counted=counted(12, "2026-03-01"), by=vera, now=NOW)

    assert owed(contract) == "4000.000"


def test_seats_that_come_within_the_period_are_owed_for_its_rest(contract, vera):
    # 22 of March's 31 days: 2 × 2,000 × 22 ÷ 31 = 2,838.709…, rounded down to a thousandth.
    contracts.count_seats(contract=contract, counted=counted(12, "2026-03-10"), by=vera, now=NOW)

    assert owed(contract) == "0.000"
    assert owed(contract, datetime(2026, 3, 9, 23, 59, tzinfo=UTC)) == "0.000"
    assert owed(contract, datetime(2026, 3, 10, tzinfo=UTC)) == "2838.709"


def test_seats_that_go_and_come_within_the_period_are_not_owed_twice(contract, vera):
    for count, day in (
        (12, "2026-03-10"),
        (8, "2026-03-12"),
        (12, "2026-03-20"),
        (13, "2026-03-31"),
    ):
        given.count(given.SeatType.objects.get(), count, day, by=vera)

    # 2 × 2,000 × 22 ÷ 31, and 1 × 2,000 × 1 ÷ 31 for the thirteenth.
    assert owed(contract, datetime(2026, 3, 31, 12, tzinfo=UTC)) == "2903.225"


def test_a_count_within_the_period_that_was_corrected_is_owed_as_corrected(contract, vera):
    kind = given.SeatType.objects.get()
    given.count(kind, 20, "2026-03-10", by=vera)
    given.count(kind, 12, "2026-03-10", by=vera, now=NOW + timedelta(hours=1))

    # 2 × 2,000 × 22 ÷ 31, not 10 × 2,000 × 22 ÷ 31.
    assert owed(contract, datetime(2026, 3, 10, tzinfo=UTC)) == "2838.709"


def test_seats_that_were_issued_and_are_found_missing_are_not_owed_again(contract, vera):
    """Ten were issued though there were eight; the two come with two more later."""
    kind = given.SeatType.objects.get()
    given.count(kind, 8, "2026-03-01", by=vera, now=NOW + timedelta(hours=1))
    given.count(kind, 12, "2026-03-10", by=vera)

    # 2 × 2,000 × 22 ÷ 31, not 4 × 2,000 × 22 ÷ 31.
    assert owed(contract, datetime(2026, 3, 10, tzinfo=UTC)) == "2838.709"


def test_a_new_seat_type_is_owed_too(contract, vera):
    contracts.count_seats(
        contract=contract,
        counted=counted(2, "2026-03-01", "500.5", "Light seat"),
        by=vera,
        now=NOW,
    )

    assert owed(contract) == "1001.000"


def test_a_top_up_is_an_adjustment_until_the_period_s_end(acme, contract, vera):
    contracts.count_seats(contract=contract, counted=counted(12, "2026-03-01"), by=vera, now=NOW)

    given_ = contracts.top_up(
        contract=contract,
        owed=Decimal(4000),
        by=vera,
        reason="Two seats were recorded late",
        now=NOW,
        key=uuid.uuid4(),
    )

    assert given_.allocation == Allocation.objects.get(period_number=1)
    grant = CreditGrant.objects.get(source="ADJUSTMENT")
    assert (given_.grant, grant.amount, grant.created_by) == (grant, 4000, vera)
    assert grant.expires_at == datetime(2026, 4, 1, tzinfo=UTC)
    assert balances.now(company=acme).remaining == Decimal(24000)
    assert owed(contract) == "0.000"
    assert reconciliation.check() == []


def test_a_top_up_is_given_once(acme, contract, vera):
    contracts.count_seats(contract=contract, counted=counted(12, "2026-03-01"), by=vera, now=NOW)
    key = uuid.uuid4()
    wish = {"contract": contract, "by": vera, "reason": "Two seats came late", "now": NOW}

    first = contracts.top_up(owed=Decimal(4000), key=key, **wish)
    second = contracts.top_up(owed=Decimal(4000), key=key, **wish)
    with pytest.raises(contracts.NothingOwed):
        contracts.top_up(owed=Decimal(4000), key=uuid.uuid4(), **wish)

    assert first == second
    assert TopUp.objects.count() == 1
    assert balances.now(company=acme).remaining == Decimal(24000)


def test_a_top_up_of_another_amount_than_was_shown_gives_nothing(acme, contract, vera):
    contracts.count_seats(contract=contract, counted=counted(12, "2026-03-01"), by=vera, now=NOW)

    with pytest.raises(contracts.NothingOwed):
        contracts.top_up(
            contract=contract,
            owed=Decimal("4000.001"),
            by=vera,
            reason="Two seats came late",
            now=NOW,
            key=uuid.uuid4(),
        )
    with pytest.raises(purchases.ReasonMissing):
        contracts.top_up(
            contract=contract, owed=Decimal(4000), by=vera, reason="late", now=NOW, key=uuid.uuid4()
        )

    assert balances.now(company=acme).remaining == Decimal(20000)


def test_recording_seats_issues_anew_what_has_not_started(acme, clock, contract, vera):
    clock.set(datetime(2026, 3, 30, tzinfo=UTC))
    allocations.run(company=acme, now=clock())

    done = contracts.count_seats(
        contract=contract, counted=counted(12, "2026-04-01", "2500"), by=vera, now=clock()
    )

    assert [(one.period_number, one.amount) for one in done.written] == [(2, Decimal(30000))]
    # The running period keeps what it was issued with: no seats of it came late.
    assert done.owed == 0


def test_the_first_day_stays_once_periods_were_counted_from_it(contract, vera):
    with pytest.raises(contracts.StartIsFixed):
        contracts.change(
            contract=contract, terms=contracts.Terms(starts_on=date(2026, 2, 1)), by=vera, now=NOW
        )

    assert Contract.objects.get().starts_on == date(2026, 3, 1)


def test_the_period_s_length_stays_once_periods_were_counted(contract, vera):
    terms = contracts.Terms(starts_on=date(2026, 3, 1), period=Period.QUARTER)

    with pytest.raises(contracts.StartIsFixed):
        contracts.change(contract=contract, terms=terms, by=vera, now=NOW)

    assert Contract.objects.get().period == "MONTH"


def test_a_company_has_one_contract(acme, contract, vera):
    with pytest.raises(contracts.ContractExists):
        contracts.agree(
            company=acme,
            terms=contracts.Terms(starts_on=date(2026, 3, 1)),
            seat_counts=[],
            by=vera,
            now=NOW,
        )


def test_a_dry_run_says_what_would_be_written_and_leaves_nothing(acme, vera):
    wish = contracts.Terms(starts_on=date(2026, 2, 1), introductory_amount=Decimal(500))

    found = contracts.dry_run(
        lambda: contracts.agree(
            company=acme, terms=wish, seat_counts=[counted(3, "2026-02-01")], by=vera, now=NOW
        )
    )

    assert [(one.state, one.amount) for one in found.written] == [
        ("MISSED", Decimal(6000)),
        ("ISSUED", Decimal(6000)),
    ]
    assert not Contract.objects.exists()
    assert not CreditGrant.objects.exists()
    assert balances.now(company=acme).sequence == 0


@pytest.mark.parametrize(
    ("amount", "part", "whole", "expected"),
    [
        ("4000", 22, 31, "2838.709"),
        ("0.001", 1, 2, "0.000"),
        ("1", 1, 3, "0.333"),
        ("999999999.999", 30, 31, "967741935.482"),
        ("2000", 31, 31, "2000.000"),
    ],
)
def test_a_part_of_an_amount_is_rounded_down_once(amount, part, whole, expected):
    assert str(prorated_down(Decimal(amount), part, whole)) == expected
