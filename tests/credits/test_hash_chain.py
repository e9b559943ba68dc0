"""Each entry's hash covers the entry, its lots and the hash before, by a recipe of fixed bytes."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

from django.db import connection

from credits import balances, charging
from credits.models import CreditPool, Drawdown, LedgerEntry
from tests.credits.conftest import NOON
from tests.support import hash_chain, people, statement
from tests.support.people import days

FIRST = "3da67e3951961dc2e17e4598eff1f8dda3155003ef4e58c2e240969a79871caa"


def recomputed(company) -> list[bytes]:
    return hash_chain.hashes(
        LedgerEntry.objects.filter(company=company).values(),
        Drawdown.objects.filter(company=company).values(),
    )


def stored(company) -> list[bytes]:
    entries = LedgerEntry.objects.filter(company=company).order_by("sequence")
    return [bytes(entry.hash) for entry in entries]


def test_a_history_of_every_kind_recomputes_to_the_stored_hashes(acme, clock):
    statement.lot(acme, "First", "2", expires_at=NOON + days(1))
    statement.lot(acme, "Second", "10.125", effective_at=NOON + timedelta(microseconds=7))
    clock.set(NOON + timedelta(hours=1, microseconds=120_000))
    charging.charge(
        company=acme,
        use=statement.use(),
        work=statement.work_of("2.5"),
        rates=statement.MILLS,
        by=people.alice(acme),
    )
    reservation = statement.reserve(acme, "3")
    statement.capture(reservation, "1.001")
    statement.lot(acme, "Third", "1", expires_at=NOON + days(2))
    clock.set(NOON + days(3))
    now = balances.now(company=acme)

    assert len(stored(acme)) == now.sequence == 6
    assert recomputed(acme) == stored(acme)
    assert bytes(CreditPool.objects.get(company=acme).last_hash) == stored(acme)[-1]
    assert len(statement.of(acme)) == 6


def test_the_first_hash_is_this_one(clock):
    """Literal bytes: a change of the recipe would disown every ledger there is."""
    row = {
        "id": 1,
        "company_id": 7,
        "sequence": 1,
        "kind": "GRANTED",
        "amount": Decimal(80),
        "balance_before": Decimal(0),
        "balance_after": Decimal(80),
        "occurred_at": datetime(2026, 3, 2, 12, tzinfo=UTC),
        "recorded_at": datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=UTC),
        "cause": "ISSUE",
        "cause_ref": "019caebc-0000-7000-8000-000000000001",
        "grant_id": "019caebc-0000-7000-8000-000000000001",
        "corrects_sequence": None,
        "actor_ref": None,
    }
    lot = {"id": 1, "entry_id": 1, "grant_id": row["grant_id"], "amount": Decimal(80)}

    assert hash_chain.hashes([row], [lot])[0].hex() == FIRST
    assert in_sql(row) == FIRST


def in_sql(row) -> str:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT encode(ledger_entry_hash(%(company_id)s, %(sequence)s, %(kind)s, %(amount)s,"
            " %(balance_before)s, %(balance_after)s, %(occurred_at)s, %(recorded_at)s, %(cause)s,"
            " %(cause_ref)s::uuid, %(grant_id)s::uuid, NULL, NULL,"
            " ledger_drawdown_digest(ARRAY[%(grant_id)s::uuid], ARRAY[%(amount)s]),"
            " decode(repeat('00', 32), 'hex')), 'hex')",
            row,
        )
        return cursor.fetchone()[0]
