"""The database refuses what a contract or a purchase may not say, whoever asks."""

from __future__ import annotations

from datetime import date, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from billing import allocations, purchases, seats, voiding
from billing.models import Allocation, AllocationLine, Contract, Purchase, SeatCount, TopUp
from credits.identifiers import new_id
from tests.support import contracts, people
from tests.support.breaking import copy_refused_by, refused_by, update_refused_by
from tests.support.contracts import NOW

LATER = NOW + timedelta(minutes=1)


@pytest.fixture
def requested(acme, vera):
    return contracts.requested(acme, vera, starts_on=date(2026, 3, 2), ends_on=date(2026, 3, 2))


@pytest.fixture
def approved(acme, vera):
    return contracts.approved(acme, vera)


@pytest.fixture
def fulfilled(acme, vera):
    return contracts.fulfilled(acme, vera, order_reference="PO-7")


@pytest.fixture
def allocation(acme, clock):
    contracts.seated(acme, "2026-03-01", 10)
    (written,) = allocations.run(company=acme, now=NOW)
    return written


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"period": "WEEK"}, "contract_period_is_known"),
        ({"ends_on": date(2025, 12, 31)}, "contract_ends_on_or_after_its_first_day"),
        ({"introductory_amount": 0}, "contract_introductory_amount_is_positive"),
        ({"introductory_days": 0}, "contract_lives_are_at_least_one"),
        ({"purchase_months": 0}, "contract_lives_are_at_least_one"),
        ({"approval_limit": -1}, "contract_approval_limit_is_not_negative"),
        (
            {"limit_before_raise": 1},
            "contract_limit_was_raised_by_a_person_from_a_lower_one",
        ),
    ],
)
def test_terms_that_make_no_sense_are_refused(acme, changes, constraint):
    terms = contracts.contract(acme, "2026-01-01")

    assert update_refused_by(terms, **changes) == constraint


def test_a_company_has_one_contract(acme):
    terms = contracts.contract(acme, "2026-01-01")

    assert copy_refused_by(terms, id=new_id()) == "billing_contract_company_id_key"


def test_a_seat_type_has_a_name_of_its_own_and_brings_something(acme):
    kind = contracts.seat_type(acme)

    assert copy_refused_by(kind, id=new_id()) == "seat_type_has_its_own_name_in_a_company"
    assert update_refused_by(kind, credits=0) == "seat_type_credits_are_positive"


def test_seat_counts_lines_and_top_ups_are_only_added(acme, vera, allocation):
    TopUp.objects.create(
        company=acme,
        allocation=allocation,
        amount=Decimal(1),
        grant=people.credits_for(acme, "1"),
        reason="Two seats came late",
        made_at=NOW,
        made_by=vera,
    )
    for model in (SeatCount, AllocationLine, TopUp):
        table = model._meta.db_table
        row = model.objects.get()

        assert update_refused_by(row, company_id=acme.pk) == f"{table}_is_append_only"
        assert refused_by(f"DELETE FROM {table}") == f"{table}_is_append_only"
        assert refused_by(f"TRUNCATE {table}") == f"{table}_is_append_only"


def test_a_period_is_allocated_once(allocation):
    other = {"id": new_id(), "grant_id": None, "state": "MISSED"}

    assert copy_refused_by(allocation, **other) == "a_period_is_allocated_once"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"state": "LOST"}, "allocation_state_is_known"),
        ({"period_number": 0}, "allocation_period_is_in_order"),
        ({"ends_on": date(2026, 2, 28)}, "allocation_period_is_in_order"),
        ({"ends_at": NOW - timedelta(days=9)}, "allocation_period_is_in_order"),
        ({"amount": 0}, "allocation_has_a_grant_when_it_brought_credits"),
        ({"amount": -1}, "allocation_has_a_grant_when_it_brought_credits"),
        ({"grant_id": None}, "allocation_has_a_grant_when_it_brought_credits"),
        ({"state": "MISSED"}, "allocation_has_a_grant_when_it_brought_credits"),
        ({"state": "CANCELLED"}, "allocation_cancellation_has_its_instant"),
        ({"cancelled_at": NOW}, "allocation_cancellation_has_its_instant"),
    ],
)
def test_an_allocation_that_contradicts_itself_is_refused(acme, allocation, changes, constraint):
    other = {"id": new_id(), "period_number": 9, "grant_id": people.credits_for(acme, "1").pk}

    assert copy_refused_by(allocation, **(other | changes)) == constraint


def test_an_allocation_says_what_it_said(allocation):
    assert update_refused_by(allocation, amount=1) == "allocation_is_only_cancelled"
    assert update_refused_by(allocation, state="MISSED") == "allocation_is_only_cancelled"
    assert refused_by("DELETE FROM billing_allocation") == "allocation_is_never_deleted"
    assert refused_by("TRUNCATE billing_allocation CASCADE") == "allocation_is_never_deleted"


def test_a_line_is_its_seats_times_their_credits(acme, allocation):
    line = AllocationLine.objects.get()
    other = seats.add_type(company=acme, name="Light", credits=Decimal(500))

    again = copy_refused_by(line, id=new_id())
    wrong = copy_refused_by(line, id=new_id(), seat_type_id=other.pk, seats=9)

    assert again == "a_seat_type_stands_once_in_an_allocation"
    assert wrong == "allocation_line_is_seats_times_credits"


def test_a_top_up_is_of_something(acme, vera, allocation):
    top_up = TopUp.objects.create(
        company=acme,
        allocation=allocation,
        amount=Decimal(1),
        grant=people.credits_for(acme, "1"),
        reason="Two seats came late",
        made_at=NOW,
        made_by=vera,
    )

    spoiled = {"id": new_id(), "grant_id": people.credits_for(acme, "1").pk, "amount": 0}

    assert copy_refused_by(top_up, **spoiled) == "top_up_amount_is_positive"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"state": "PAID"}, "purchase_state_follows_its_steps"),
        ({"ends_on": date(2026, 3, 1)}, "purchase_ends_on_or_after_its_first_day"),
        ({"approved_at": NOW}, "purchase_is_approved_by_and_at"),
        ({"fulfilled_at": NOW}, "purchase_is_fulfilled_by_and_at"),
        ({"cancelled_at": NOW}, "purchase_is_cancelled_by_and_at"),
        ({"cancel_reason": "Ordered twice"}, "purchase_is_cancelled_by_and_at"),
        ({"void_reason": "Ordered twice"}, "purchase_is_voided_by_and_at"),
        ({"state": "APPROVED"}, "purchase_state_follows_its_steps"),
        ({"state": "CANCELLED"}, "purchase_state_follows_its_steps"),
        ({"request_key": "k"}, "purchase_request_key_has_its_digest"),
    ],
)
def test_a_purchase_that_contradicts_itself_is_refused(requested, changes, constraint):
    assert update_refused_by(requested, **changes) == constraint


def test_each_step_has_its_person(requested, vera):
    assert update_refused_by(requested, approved_by_id=vera.pk) == "purchase_is_approved_by_and_at"
    assert (
        update_refused_by(requested, fulfilled_by_id=vera.pk) == "purchase_is_fulfilled_by_and_at"
    )
    assert (
        update_refused_by(requested, cancelled_by_id=vera.pk, cancelled_at=NOW)
        == "purchase_is_cancelled_by_and_at"
    )


def test_nothing_is_bought_of_nothing(requested):
    assert copy_refused_by(requested, id=new_id(), number=2, amount=0) == (
        "purchase_amount_is_positive"
    )


def test_nobody_but_a_person_fulfils_and_not_without_a_grant(acme, vera, approved):
    """I12: the row of a fulfilled purchase names who did it, and the credits it brought."""
    grant = people.credits_for(acme, "50000")
    done = {
        "state": "FULFILLED",
        "starts_on": date(2026, 3, 2),
        "ends_on": date(2026, 3, 2),
        "fulfilled_at": LATER,
        "fulfilled_by_id": vera.pk,
        "grant_id": grant.pk,
    }

    # PostgreSQL names the first it finds broken, in the order of their names.
    by_nobody = update_refused_by(approved, **done | {"fulfilled_by_id": None})
    without_instant = update_refused_by(approved, **done | {"fulfilled_at": None})
    by_nobody_at_no_time = update_refused_by(
        approved, **done | {"fulfilled_by_id": None, "fulfilled_at": None}
    )
    without_grant = update_refused_by(approved, **done | {"grant_id": None})
    without_days = update_refused_by(approved, **done | {"ends_on": None})

    person = "purchase_is_fulfilled_by_a_person_with_a_grant"
    assert by_nobody in (person, "purchase_is_fulfilled_by_and_at")
    assert without_instant == "purchase_is_fulfilled_by_and_at"
    assert by_nobody_at_no_time == person
    assert (without_grant, without_days) == (person, person)
    assert update_refused_by(approved, grant_id=grant.pk) == person
    assert Purchase.objects.get().state == "APPROVED"


def test_a_reversal_has_its_person_its_instant_and_its_reason(fulfilled, vera):
    whole = {"voided_at": NOW, "voided_by_id": vera.pk, "void_reason": "Ordered twice"}

    for missing in ("voided_at", "voided_by_id", "void_reason"):
        part = {name: value for name, value in whole.items() if name != missing}
        assert update_refused_by(fulfilled, **part) == "purchase_is_voided_by_and_at"


def test_only_what_was_fulfilled_is_voided(requested, vera):
    voided = {"voided_at": NOW, "voided_by_id": vera.pk, "void_reason": "Ordered twice"}

    assert update_refused_by(requested, **voided) == (
        "purchase_is_fulfilled_by_a_person_with_a_grant"
    )


def test_above_the_limit_nobody_approves_what_they_asked_for_or_fulfil(acme, vera, victor):
    rule = "purchase_above_the_limit_is_approved_by_a_second_person"
    requested = contracts.requested(acme, vera, "101")
    step = {"state": "APPROVED", "approved_at": NOW, "approval_limit": 100}

    assert update_refused_by(requested, **step, approved_by_id=vera.pk) == rule

    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_purchase SET state = 'APPROVED', approved_at = now(),"
            " approval_limit = 100, approved_by_id = %s",
            [victor.pk],
        )
    assert rule == update_refused_by(
        requested,
        state="FULFILLED",
        starts_on=date(2026, 3, 2),
        ends_on=date(2026, 3, 2),
        fulfilled_at=LATER,
        fulfilled_by_id=victor.pk,
        grant_id=people.credits_for(acme, "101").pk,
    )


def test_an_order_and_a_number_stand_once(acme, fulfilled):
    other = people.credits_for(acme, "1")

    assert copy_refused_by(fulfilled, id=new_id(), number=2, grant_id=other.pk) == (
        "order_reference_is_recorded_once"
    )
    assert copy_refused_by(
        fulfilled, id=new_id(), number=2, grant_id=other.pk, order_reference="Po-7"
    ) == ("order_reference_is_recorded_once")
    assert copy_refused_by(fulfilled, id=new_id(), grant_id=other.pk, order_key="po-8") == (
        "purchase_number_is_unique_in_a_company"
    )
    assert copy_refused_by(fulfilled, id=new_id(), number=2, order_key="po-8") == (
        "billing_purchase_grant_id_key"
    )


@pytest.mark.parametrize("changes", [{"order_key": ""}, {"order_reference": ""}])
def test_an_order_reference_has_its_key(fulfilled, changes):
    refused = copy_refused_by(fulfilled, id=new_id(), number=9, **changes)

    assert refused == "order_reference_has_its_key"


def test_a_request_s_key_stands_once(acme, requested):
    key = {"request_key": "k", "request_sha256": b"1"}
    with connection.cursor() as cursor:
        cursor.execute("UPDATE billing_purchase SET request_key = 'k', request_sha256 = '1'")

    assert copy_refused_by(requested, id=new_id(), number=2, **key) == (
        "purchase_request_key_is_used_once"
    )


def test_a_final_state_is_never_left(fulfilled, acme, vera):
    only_forward = "purchase_state_only_moves_forward"
    cancelled = contracts.requested(acme, vera)
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE billing_purchase SET state = 'CANCELLED', cancelled_at = now(),"
            " cancelled_by_id = %s, cancel_reason = 'Ordered twice' WHERE id = %s",
            [vera.pk, cancelled.pk],
        )
    approved = contracts.approved(acme, vera)

    for row, states in (
        (fulfilled, ("REQUESTED", "APPROVED", "CANCELLED")),
        (cancelled, ("REQUESTED", "APPROVED", "FULFILLED")),
        (approved, ("REQUESTED",)),
    ):
        for state in states:
            assert update_refused_by(row, state=state) == only_forward
    assert refused_by("DELETE FROM billing_purchase") == "purchase_is_never_deleted"
    assert refused_by("TRUNCATE billing_purchase CASCADE") == "purchase_is_never_deleted"


@pytest.mark.parametrize(
    "changes",
    [
        {"amount": 1},
        {"number": 9},
        {"approval_limit": 1},
        {"approved_at": LATER},
        {"fulfilled_at": LATER},
        {"starts_on": date(2026, 1, 1)},
        {"requested_at": LATER},
        {"order_reference": "PO-8"},
    ],
)
def test_what_was_done_is_not_rewritten(fulfilled, changes):
    assert update_refused_by(fulfilled, **changes) == "purchase_steps_are_not_rewritten"


def test_why_a_purchase_was_reversed_and_what_it_replaces_stay(acme, vera, fulfilled):
    voiding.void(purchase=fulfilled, by=vera, reason="Ordered twice", now=NOW)
    again = contracts.requested(acme, vera, replaces=fulfilled)
    cancelled = purchases.cancel(purchase=again, by=vera, reason="Not needed", now=NOW)
    rule = "purchase_steps_are_not_rewritten"

    assert update_refused_by(fulfilled, void_reason="Because I say so") == rule
    assert update_refused_by(cancelled, replaces_id=None) == rule
    assert update_refused_by(cancelled, cancel_reason="Because I say so") == rule
    assert update_refused_by(cancelled, order_reference="PO-9") == rule


def test_a_contract_s_rows_name_rows_of_their_own_company(acme, allocation):
    beta = people.company("Beta")
    foreign = people.credits_for(beta, "1")
    kind = contracts.seat_type(beta)
    terms = Contract.objects.get(company=acme)

    assert update_refused_by(terms, introductory_grant_id=foreign.pk) == (
        "billing_contract_introductory_grant_id_same_company"
    )
    assert copy_refused_by(
        Allocation.objects.get(), id=new_id(), period_number=9, grant_id=foreign.pk
    ) == ("billing_allocation_grant_id_same_company")
    assert copy_refused_by(SeatCount.objects.get(), id=new_id(), seat_type_id=kind.pk) == (
        "billing_seatcount_seat_type_id_same_company"
    )
