"""The database refuses what breaks an invariant, whoever asks (DESIGN §3)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from credits import charging, grants
from credits.identifiers import new_id
from credits.ledger import Key, Use
from credits.models import (
    Correction,
    Drawdown,
    Hold,
    IdempotencyRecord,
    Integration,
    LedgerEntry,
    Membership,
    Rate,
    RateCard,
    Role,
    UsageEvent,
)
from credits.rating import Work
from tests.support import people
from tests.support.breaking import copy_refused_by, refused_by, update_refused_by

pytestmark = pytest.mark.django_db


UPSERT = (
    "INSERT INTO {table} SELECT * FROM {table} LIMIT 1"
    " ON CONFLICT (id) DO UPDATE SET company_id = excluded.company_id"
)


def use() -> Use:
    return Use("ASK", "Ask anything", None, "API_REQUEST")


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def grant(acme):
    return people.credits_for(acme, "10")


@pytest.fixture
def charged(acme, grant):
    event = charging.charge(company=acme, use=use(), work=Work(long_calls=1), rates=people.rates())
    return UsageEvent.objects.get(pk=event.pk)


@pytest.fixture
def entry(charged):
    """Entry #2: a charge of 1.0, from 10.0 to 9.0."""
    return LedgerEntry.objects.get(pk=charged.entry_id)


@pytest.fixture
def reservation(acme, grant):
    return charging.reserve(company=acme, amount=Decimal(2), use=use(), rates=people.rates())


def following(entry, **changes):
    """Columns of a sound entry #3 after the one given, with some of them spoiled."""
    sound = {
        "sequence": 3,
        "balance_before": "9",
        "amount": "-1",
        "balance_after": "8",
        "cause_ref": new_id(),
    }
    return sound | changes


def test_a_sound_entry_after_the_last_would_be_accepted(entry):
    names = "company_id, kind, occurred_at, recorded_at, cause, hash"
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.act = 'on'")
        cursor.execute(
            f"INSERT INTO credits_ledgerentry ({names}, sequence, balance_before, amount,"
            f" balance_after, cause_ref) SELECT {names}, 3, 9, -1, 8, %s"
            " FROM credits_ledgerentry WHERE id = %s",
            [new_id(), entry.pk],
        )
        assert cursor.rowcount == 1


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"balance_after": "8.5"}, "entry_after_is_before_plus_amount"),
        ({"amount": "-10", "balance_after": "-1"}, "entry_balance_is_never_below_zero"),
        ({"amount": "0", "balance_after": "9"}, "entry_amount_is_not_zero"),
        ({"amount": "1", "balance_after": "10"}, "entry_sign_follows_its_kind"),
        ({"kind": "GRANTED"}, "entry_sign_follows_its_kind"),
        ({"cause": "WHIM"}, "entry_cause_is_known"),
        ({"sequence": 2}, "entry_sequence_is_unique_in_a_company"),
        ({"sequence": 4}, "entry_continues_the_previous_one"),
        ({"balance_before": "9.5", "balance_after": "8.5"}, "entry_continues_the_previous_one"),
        ({"sequence": 0}, "entry_sequence_starts_at_one_from_zero"),
        ({"corrects_sequence": 1}, "entry_refund_names_what_it_refunds"),
        ({"kind": "ADJUSTED", "corrects_sequence": 99}, "entry_corrects_one_of_its_company"),
    ],
)
def test_an_entry_that_breaks_the_chain_is_refused(entry, changes, constraint):
    assert copy_refused_by(entry, **following(entry, **changes)) == constraint


def test_an_entry_is_not_recorded_before_it_occurred(entry):
    early = entry.occurred_at - timedelta(seconds=1)

    refused = copy_refused_by(entry, **following(entry, recorded_at=early))

    assert refused == "entry_is_recorded_when_or_after_it_occurred"


def test_one_cause_has_one_effect(entry):
    refused = copy_refused_by(entry, **following(entry, cause_ref=entry.cause_ref))

    assert refused == "entry_has_one_effect_per_cause"


def test_the_link_to_the_previous_entry_has_its_target():
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_get_constraintdef(oid) FROM pg_constraint"
            " WHERE conname = 'entry_link_to_the_previous_one'"
        )
        assert cursor.fetchone() == ("UNIQUE (company_id, sequence, balance_after)",)


@pytest.mark.parametrize("table", ["credits_ledgerentry", "credits_drawdown", "credits_usageevent"])
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE {table} SET company_id = company_id",
        "DELETE FROM {table}",
        "TRUNCATE {table} CASCADE",
        UPSERT,
    ],
)
def test_what_was_written_is_never_changed_or_removed(charged, table, statement):
    with connection.cursor() as cursor:
        # Copies need every column but the generated one.
        cursor.execute(
            "SELECT string_agg(column_name, ', ') FROM information_schema.columns"
            " WHERE table_name = %s AND is_generated = 'NEVER'",
            [table],
        )
        columns = cursor.fetchone()[0]
    spoiled = statement.format(table=table).replace(
        f"INTO {table} SELECT *",
        f"INTO {table} ({columns}) OVERRIDING SYSTEM VALUE SELECT {columns}",
    )

    assert refused_by(spoiled) == f"{table}_is_append_only"


def test_the_grant_s_figures_hold_each_other(grant):
    within = "grant_held_is_within_remaining_within_amount"
    assert update_refused_by(grant, held="11") == within
    assert update_refused_by(grant, held="-1") == within
    assert update_refused_by(grant, remaining="10.001") == within
    assert update_refused_by(grant, voided="1") in (
        "grant_withdrawals_are_within_amount",
        "grant_voided_amount_has_its_instant",
    )
    assert update_refused_by(grant, corrected_down="0.001") == "grant_withdrawals_are_within_amount"
    assert (
        update_refused_by(grant, remaining="9", voided="1") == "grant_voided_amount_has_its_instant"
    )


def test_the_grant_s_dates_and_state_hold_each_other(grant):
    assert (
        copy_refused_by(grant, id=new_id(), expires_at=grant.effective_at)
        == "grant_expires_after_it_starts"
    )
    assert (
        update_refused_by(grant, granted_at=None, is_open=False)
        == "grant_holds_nothing_before_it_is_granted"
    )
    assert (
        update_refused_by(grant, expired_at=grant.effective_at)
        == "grant_is_open_only_while_it_can_be_spent"
    )
    assert (
        update_refused_by(grant, cancelled_at=grant.effective_at, is_open=False)
        == "grant_is_cancelled_only_before_it_is_granted"
    )
    assert copy_refused_by(grant, id=new_id(), source="GIFT") == "grant_source_is_known"


def test_a_grant_of_nothing_is_refused(grant):
    refused = copy_refused_by(
        grant, id=new_id(), amount="0", remaining="0", is_open=False, granted_at=None
    )

    assert refused == "grant_amount_is_positive"


def test_introductory_credits_come_once(acme):
    first = people.credits_for(acme, "5", source="INTRODUCTORY")

    assert copy_refused_by(first, id=new_id()) == "introductory_credits_come_once"


def test_the_pool_covers_what_is_reserved(acme, grant):
    assert update_refused_by(acme.pool, reserved="11") == "pool_balance_covers_what_is_reserved"
    assert update_refused_by(acme.pool, reserved="-1") == "pool_balance_covers_what_is_reserved"
    assert update_refused_by(acme.pool, sequence=-1) == "pool_sequence_counts_up"


def test_a_reservation_s_figures_and_state_hold_each_other(reservation):
    closed = "reservation_is_open_until_it_is_closed"
    captured = "reservation_captured_names_its_usage"
    hour = "reservation_lapses_within_the_hour"
    late = reservation.opened_at + timedelta(minutes=60, microseconds=1)
    assert update_refused_by(reservation, state="RELEASED") == closed
    assert update_refused_by(reservation, state="DREAMT") == closed
    assert update_refused_by(reservation, captured="1") == captured
    assert update_refused_by(reservation, lapses_at=late) == hour
    assert update_refused_by(reservation, lapses_at=reservation.opened_at) == hour
    assert update_refused_by(reservation, amount="0") == "reservation_amount_is_positive"
    assert (
        update_refused_by(reservation, action="BRIBE") == "reservation_feature_and_action_are_known"
    )


def test_a_capture_is_within_its_reservation(reservation):
    charging.capture(reservation=reservation, work=Work(long_calls=1), rates=people.rates())

    assert (
        update_refused_by(reservation, captured="2.001")
        == "reservation_captures_no_more_than_it_holds"
    )


def test_a_hold_is_of_one_grant_and_of_something(reservation):
    hold = Hold.objects.get(reservation=reservation)

    assert copy_refused_by(hold) == "hold_names_a_grant_once_per_reservation"
    assert update_refused_by(hold, amount="0") == "hold_amount_is_positive"


def test_a_drawdown_is_of_one_grant_and_of_something(entry):
    drawdown = Drawdown.objects.get(entry=entry)

    assert copy_refused_by(drawdown) == "drawdown_names_a_grant_once_per_entry"
    assert copy_refused_by(drawdown, amount="0") == "drawdown_amount_is_not_zero"


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"amount": "0"}, "usage_has_an_entry_when_it_costs_something"),
        ({"entry_id": None}, "usage_has_an_entry_when_it_costs_something"),
        ({"action": "PREVIEW"}, "usage_of_free_actions_costs_nothing"),
        ({"action": "BRIBE"}, "usage_feature_and_action_are_known"),
        ({"request_count": 0}, "usage_request_count_is_positive"),
    ],
)
def test_usage_says_what_it_cost_and_why(charged, changes, constraint):
    assert copy_refused_by(charged, id=new_id(), **changes) == constraint


@pytest.fixture
def refunded(acme, charged):
    """A correction of the kind that names most: its entry, its use, its person."""
    charging.refund(usage_event=charged, by=people.vera(), reason="It answered nothing")
    return Correction.objects.get(company=acme)


@pytest.mark.parametrize(
    ("changes", "constraint"),
    [
        ({"kind": "REGRETTED"}, "correction_kind_is_known"),
        ({"reason": "mistake"}, "correction_says_why"),
        ({"reason": "   mistake     "}, "correction_says_why"),
        ({"by_id": None}, "correction_names_its_person"),
        ({"amount": "0"}, "correction_has_an_entry_when_it_moves_credits"),
        ({"entry_id": None}, "correction_has_an_entry_when_it_moves_credits"),
        ({"usage_event_id": None}, "correction_names_what_it_corrects"),
        ({"kind": "VOIDED"}, "correction_names_what_it_corrects"),
        ({"kind": "ADJUSTED"}, "correction_names_what_it_corrects"),
    ],
)
def test_a_correction_says_what_it_did_why_and_who(refunded, changes, constraint):
    assert update_refused_by(refunded, **changes) == constraint


def test_an_entry_has_one_correction(refunded):
    assert copy_refused_by(refunded, id=new_id()) == "credits_correction_entry_id_key"


def test_a_correction_names_rows_of_its_own_company_only(acme, refunded):
    foreign = people.credits_for(people.company("Globex"), "5")
    april = people.credits_for(acme, "1", effective_at=datetime(2100, 1, 1, tzinfo=UTC))
    grants.cancel(grant=april, by=None, reason="Seats changed")
    cancelled = Correction.objects.get(kind="CANCELLED")
    foreign_entry = LedgerEntry.objects.get(company_id=foreign.company_id)
    event = charging.charge(
        company=foreign.company, use=use(), work=Work(long_calls=1), rates=people.rates()
    )

    assert [
        update_refused_by(cancelled, grant_id=foreign.pk),
        update_refused_by(refunded, entry_id=foreign_entry.pk),
        update_refused_by(refunded, usage_event_id=event.pk),
    ] == [
        "credits_correction_grant_id_same_company",
        "credits_correction_entry_id_same_company",
        "credits_correction_usage_event_id_same_company",
    ]


def test_a_key_has_one_effect(acme, grant):
    key = Key.of("order-118", amount="1")
    charging.charge(company=acme, use=use(), work=Work(long_calls=1), rates=people.rates(), key=key)
    record = IdempotencyRecord.objects.get(company=acme)

    assert copy_refused_by(record) == "idempotency_key_has_one_effect"
    assert copy_refused_by(record, key="") == "idempotency_key_is_not_empty"


def test_roles_rates_and_integrations_are_what_they_may_be(acme):
    alice = people.alice(acme)
    membership = Membership.objects.get(user=alice)
    card = RateCard.objects.get()
    rate = Rate.objects.get(rate_card=card, item="EMAIL")
    integration = Integration.objects.create(company=acme, name="CRM", kind="API")

    assert update_refused_by(membership, role="OWNER") == "membership_role_is_known"
    assert copy_refused_by(membership, role=Role.VIEWER) == "a_person_has_one_role_in_a_company"
    assert copy_refused_by(rate) == "rate_card_prices_an_item_once"
    assert copy_refused_by(rate, amount="-0.1") == "rate_is_not_negative"
    assert copy_refused_by(rate, item="LUNCH") == "rate_item_is_known"
    assert copy_refused_by(integration, id=new_id()) == "integration_name_is_unique_in_a_company"
    fax = {"id": new_id(), "name": "Fax", "kind": "FAX"}
    assert copy_refused_by(integration, **fax) == "integration_kind_is_known"


@pytest.mark.parametrize("column", ["grant_id", "entry_id"])
def test_a_drawdown_names_rows_of_its_own_company_only(entry, column):
    other = people.company("Globex")
    foreign = people.credits_for(other, "5")
    foreign_entry = LedgerEntry.objects.get(company=other)
    drawdown = Drawdown.objects.get(entry=entry)
    value = {"grant_id": foreign.pk, "entry_id": foreign_entry.pk}[column]

    refused = copy_refused_by(drawdown, **{column: value})

    assert refused == f"credits_drawdown_{column}_same_company"


def test_rows_point_only_to_rows_of_their_own_company(charged, entry, reservation):
    other = people.company("Globex")
    foreign_grant = people.credits_for(other, "5")
    foreign_event = charging.charge(
        company=other, use=use(), work=Work(long_calls=1), rates=people.rates()
    )
    foreign_reservation = charging.reserve(
        company=other, amount=Decimal(1), use=use(), rates=people.rates()
    )
    hold = Hold.objects.get(reservation=reservation)
    now = reservation.opened_at

    assert (
        copy_refused_by(entry, **following(entry, grant_id=foreign_grant.pk))
        == "credits_ledgerentry_grant_id_same_company"
    )
    assert copy_refused_by(charged, id=new_id(), entry_id=foreign_event.entry_id) in (
        "credits_usageevent_entry_id_same_company",
        "credits_usageevent_entry_id_key",
    )
    assert (
        update_refused_by(hold, reservation_id=foreign_reservation.pk)
        == "credits_hold_reservation_id_same_company"
    )
    assert (
        update_refused_by(hold, grant_id=foreign_grant.pk) == "credits_hold_grant_id_same_company"
    )
    assert (
        update_refused_by(
            reservation, state="CAPTURED", closed_at=now, usage_event_id=foreign_event.pk
        )
        == "credits_reservation_usage_event_id_same_company"
    )
