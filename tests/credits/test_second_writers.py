"""Nothing but the ledger's acts writes pools and grants, and a grant's terms stay (DESIGN §3)."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import DataError, connection, transaction

from credits import charging, grants, sql_files
from credits.identifiers import new_id
from credits.ledger import InsufficientCredits, Key
from credits.models import (
    Correction,
    CreditGrant,
    CreditPool,
    Drawdown,
    Hold,
    IdempotencyRecord,
    LedgerEntry,
    Reservation,
    Source,
    UsageEvent,
    WrittenByTheLedger,
)
from tests.credits.conftest import NOON
from tests.support import people, statement
from tests.support.breaking import copy_refused_by, refused_by

TERMS = {
    "company_id": "company_id + 1",
    "source": "'PURCHASE'",
    "amount": "amount + 1",
    "priority": "priority + 1",
    "effective_at": "effective_at - interval '1 day'",
    "requested_effective_at": "effective_at - interval '1 day'",
    "expires_at": "expires_at + interval '1 day'",
    "created_at": "created_at - interval '1 day'",
    "terms_hash": "sha256('')",
}


@pytest.fixture
def march(acme):
    return statement.lot(
        acme, "March", "10", source=Source.ALLOCATION, expires_at=NOON + timedelta(days=30)
    )


@pytest.mark.parametrize("model", [CreditPool, CreditGrant, Reservation, Hold, Correction])
def test_python_has_no_second_writer(acme, march, model):
    statement.reserve(acme, "1")
    grants.void(grant=march, by=people.vera(), reason="Recorded twice by mistake")
    row = model.objects.get(company=acme)

    with pytest.raises(WrittenByTheLedger, match="call one of them"):
        row.save()
    with pytest.raises(WrittenByTheLedger):
        row.save(update_fields=["company"])
    with pytest.raises(WrittenByTheLedger):
        row.delete()
    with pytest.raises(WrittenByTheLedger):
        model.objects.create(company=acme)


@pytest.mark.parametrize("term", TERMS)
@pytest.mark.parametrize("in_an_act", [True, False])
def test_a_grant_s_terms_are_fixed_even_for_the_ledger(march, term, in_an_act):
    change = f"UPDATE credits_creditgrant SET {term} = {TERMS[term]}"

    assert refused_by(change, in_an_act=in_an_act) == "grant_terms_are_fixed"


@pytest.mark.parametrize(
    "change",
    [
        "remaining = remaining - 1",
        "held = held + 1",
        "voided = voided + 1",
        "corrected_down = corrected_down + 1",
        "is_open = false",
        "granted_at = NULL",
        "expired_at = now()",
        "voided_at = now()",
        "cancelled_at = now()",
    ],
)
def test_a_grant_s_figures_are_written_in_an_act_only(march, change):
    refused = refused_by(f"UPDATE credits_creditgrant SET {change}", in_an_act=False)

    assert refused == "grant_is_written_by_the_ledger"


def test_a_grant_is_neither_made_nor_removed_outside_an_act(march):
    made = copy_refused_by(march, in_an_act=False, id=new_id(), remaining="0", is_open=False)
    removed = refused_by("DELETE FROM credits_creditgrant", in_an_act=False)

    assert (made, removed) == ("grant_is_written_by_the_ledger",) * 2


@pytest.mark.parametrize(
    "change",
    [
        "UPDATE credits_creditpool SET balance = balance + 1",
        "UPDATE credits_creditpool SET next_due_at = NULL",
        "DELETE FROM credits_creditpool",
    ],
)
def test_a_pool_is_written_in_an_act_only(march, change):
    assert refused_by(change, in_an_act=False) == "pool_is_written_by_the_ledger"


def test_a_pool_is_opened_by_the_ledger_only(acme):
    refused = copy_refused_by(CreditPool.objects.get(company=acme), in_an_act=False)

    assert refused == "pool_is_written_by_the_ledger"


@pytest.mark.parametrize("free", [False, True])
def test_what_is_in_the_books_is_added_in_an_act_only(acme, march, free):
    event = charging.charge(
        company=acme,
        use=statement.use(),
        work=statement.work_of("1"),
        rates=statement.MILLS,
        is_free=free,
        key=Key.of("order-118"),
    )
    rows = [event, IdempotencyRecord.objects.get(), *LedgerEntry.objects.all()]
    rows += Drawdown.objects.all()

    refused = {
        (type(row).__name__, copy_refused_by(row, in_an_act=False, **_anew(row))) for row in rows
    }

    assert refused == {
        ("UsageEvent", "credits_usageevent_is_written_by_the_ledger"),
        ("IdempotencyRecord", "credits_idempotencyrecord_is_written_by_the_ledger"),
        ("LedgerEntry", "credits_ledgerentry_is_written_by_the_ledger"),
        ("Drawdown", "credits_drawdown_is_written_by_the_ledger"),
    }


def _anew(row) -> dict:
    """Columns that a second row of the kind needs, so that no constraint refuses it."""
    match row:
        case UsageEvent():
            return {"id": new_id()}
        case LedgerEntry():
            return {"cause_ref": new_id(), "sequence": row.sequence + 9}
        case IdempotencyRecord():
            return {"key": "order-119"}
    return {}


def test_every_kind_of_key_that_the_acts_remember_is_theirs_alone():
    functions = sql_files.written().functions
    kept = {
        kind
        for function in functions.values()
        for kind in re.findall(r"ledger_remember\(\s*context, '(\w+)'", function.body)
    }
    guarded = re.findall(r"'([A-Z]+)'", functions["ledger_guard_key"].body)

    assert set(guarded) - {"on"} == kept
    assert kept == {"ISSUE", "CHARGE", "RESERVE", "CANCEL", "VOID", "ADJUST", "REFUND"}


@pytest.mark.django_db
def test_every_act_looks_for_tables_in_the_schema_it_was_installed_in():
    acts = {
        name
        for name, function in sql_files.written().functions.items()
        if "ledger_begin(" in function.body or "ledger_read(" in function.body
    } | {"ledger_read", "ledger_keep_rate"}

    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT proname FROM pg_proc WHERE 'search_path=public, pg_temp' = ANY (proconfig)"
        )
        assert {name for (name,) in cursor.fetchall()} == acts
    assert len(acts) == 19


def test_a_temporary_table_does_not_stand_before_the_ledger_s(acme, march):
    with connection.cursor() as cursor:
        cursor.execute("CREATE TEMPORARY TABLE credits_creditpool AS TABLE credits_creditpool")
        cursor.execute("CREATE TEMPORARY TABLE credits_creditgrant AS TABLE credits_creditgrant")
        cursor.execute("UPDATE pg_temp.credits_creditpool SET balance = 1000")
        cursor.execute("UPDATE pg_temp.credits_creditgrant SET amount = 1000, remaining = 1000")

    with pytest.raises(InsufficientCredits):
        statement.charge(acme, "11")

    event = statement.charge(acme, "4")
    with connection.cursor() as cursor:
        cursor.execute("DROP TABLE pg_temp.credits_creditpool, pg_temp.credits_creditgrant")
    assert event.available == 6
    assert CreditPool.objects.get(company=acme).balance == 6


def test_what_a_person_wrote_about_a_grant_can_be_erased(march):
    CreditGrant.objects.update(reason="Erased on request", reference="")

    assert CreditGrant.objects.get().reason == "Erased on request"


def _refused_grant(company):
    with pytest.raises(grants.GrantExpiresBeforeItStarts):
        statement.lot(company, "Refused", "1", expires_at=NOON)


def _refused_charge(company):
    with pytest.raises(InsufficientCredits):
        statement.charge(company, "900")


def _repeated_adjustment(company):
    for _ in range(2):
        grants.adjust(
            company=company,
            amount=Decimal(1),
            by=people.vera(),
            reason="Goodwill after an outage",
            key=Key.of("form 1"),
        )


ACTS = {
    "a charge": lambda company: statement.charge(company, "1"),
    "a refused charge": _refused_charge,
    "a refused grant": _refused_grant,
    "a void": lambda company: grants.void(
        grant=CreditGrant.objects.get(), by=people.vera(), reason="Recorded by mistake"
    ),
    "a repeated adjustment": _repeated_adjustment,
    "a new company": lambda company: statement.company(),
}


@pytest.mark.parametrize("act", ACTS)
def test_after_an_act_the_guards_are_closed_again_in_its_transaction(acme, march, act):
    ACTS[act](acme)

    refused = refused_by("UPDATE credits_creditpool SET balance = 0", in_an_act=False)

    assert refused == "pool_is_written_by_the_ledger"


# Each function that takes an amount; {} is where it stands.
TAKE_AMOUNTS = {
    "issue": (
        "ledger_issue({company}, NULL, '{id}', 'PURCHASE', {amount}, NULL, NULL, 100, '', '', NULL)"
    ),
    "charge": (
        "ledger_charge({company}, NULL, '{id}', {amount},"
        " ROW('ASK', 'Ask', NULL, 'API_REQUEST', NULL, NULL, NULL, NULL, ''),"
        " ROW(1, 0, 0, 0, NULL))"
    ),
    "reserve": (
        "ledger_reserve({company}, NULL, '{id}', {amount}, '5 minutes',"
        " ROW('ASK', 'Ask', NULL, 'API_REQUEST', NULL, NULL, NULL, NULL, ''), 1)"
    ),
    "capture": ("ledger_capture({company}, NULL, '{id}', '{id}', {amount}, ROW(1, 0, 0, 0, NULL))"),
    "adjust up": (
        "ledger_adjust_up({company}, NULL, '{id}', {amount}, NULL, 100,"
        " ROW('{id}', 'Because it is so', NULL))"
    ),
    "adjust down": (
        "ledger_adjust_down({company}, NULL, NULL, {amount}, ROW('{id}', 'Because it is so', NULL))"
    ),
    "refund": (
        "ledger_refund({company}, NULL, '{id}', {amount}, ROW('{id}', 'Because it is so', NULL),"
        " NULL, NULL, 100)"
    ),
}
NO_AMOUNTS = ["'NaN'", "'Infinity'", "'-Infinity'", "-1", "0.0001", "1e15"]


@pytest.mark.parametrize("amount", NO_AMOUNTS)
@pytest.mark.parametrize("function", TAKE_AMOUNTS)
def test_what_is_no_amount_of_credits_is_refused_by_every_function(acme, march, function, amount):
    call = TAKE_AMOUNTS[function].format(company=acme.pk, id=new_id(), amount=f"{amount}::numeric")

    with (
        pytest.raises(DataError, match="is no amount of credits"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(f"SELECT {call}")

    assert statement.of(acme) == ["02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)"]


@pytest.mark.parametrize("dates", ["'infinity', NULL", "'-infinity', NULL", "NULL, 'infinity'"])
def test_a_grant_s_dates_are_instants(acme, dates):
    with (
        pytest.raises(DataError, match="is no instant; leave it out for without end"),
        transaction.atomic(),
        connection.cursor() as cursor,
    ):
        cursor.execute(
            f"SELECT ledger_issue(%s, NULL, %s, 'PURCHASE', 1, {dates}, 100, '', '', NULL)",
            [acme.pk, new_id()],
        )

    assert statement.of(acme) == []


def test_the_largest_amount_is_still_one(acme):
    statement.lot(acme, "All there can be", "999999999999999.999")

    assert CreditPool.objects.get(company=acme).balance == Decimal("999999999999999.999")
