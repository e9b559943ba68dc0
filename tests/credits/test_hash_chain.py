"""Each entry's hash covers the entry, its lots and the hash before, by a recipe of fixed bytes."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from uuid import UUID

import pytest
from django.db import connection

from credits import balances, charging, reconciliation
from credits.models import CreditGrant, CreditPool, Drawdown, LedgerEntry, UsageEvent
from tests.credits.conftest import NOON
from tests.support import hash_chain, people, statement
from tests.support.corrupting import CHANGED
from tests.support.people import days

# By version.
FIRST = {
    "1": "3da67e3951961dc2e17e4598eff1f8dda3155003ef4e58c2e240969a79871caa",
    "2": "693adce78e19e713dcbbc208a5cc637436a5127d3eb55cccde4cf2f2a5f3b86d",
}


def recomputed(company) -> list[bytes]:
    return hash_chain.hashes(
        LedgerEntry.objects.filter(company=company).values(),
        Drawdown.objects.filter(company=company).values(),
        CreditGrant.objects.filter(company=company).values(),
        UsageEvent.objects.filter(company=company).values(),
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


@pytest.fixture
def first():
    """Entry #1 of a company, its lot, and the grant it made effective."""
    id = UUID("019caebc-0000-7000-8000-000000000001")
    noon = datetime(2026, 3, 2, 12, tzinfo=UTC)
    row = {
        "id": 1,
        "company_id": 7,
        "sequence": 1,
        "kind": "GRANTED",
        "amount": Decimal(80),
        "balance_before": Decimal(0),
        "balance_after": Decimal(80),
        "occurred_at": noon,
        "recorded_at": datetime(2026, 3, 2, 12, 0, 0, 5, tzinfo=UTC),
        "cause": "ISSUE",
        "cause_ref": id,
        "grant_id": id,
        "corrects_sequence": None,
        "actor_ref": None,
    }
    lot = {"id": 1, "entry_id": 1, "grant_id": id, "amount": Decimal(80)}
    grant = {
        "id": id,
        "company_id": 7,
        "source": "PURCHASE",
        "amount": Decimal(80),
        "effective_at": noon,
        "requested_effective_at": datetime(2026, 3, 1, tzinfo=UTC),
        "expires_at": None,
        "priority": 100,
        "created_at": noon,
    }
    return row, lot, grant


@pytest.mark.parametrize("version", FIRST)
def test_the_first_hash_is_this_one(clock, first, version):
    """Literal bytes: a change of the recipe would disown every ledger there is."""
    row, lot, grant = first

    [in_python] = hash_chain.hashes([row], [lot], [grant], version=version)

    assert in_python.hex() == FIRST[version]
    assert in_sql(row, grant, version) == FIRST[version]


# What is paid for and what was done, as SQL, and the same as the columns of a usage event.
USES = {
    "everything is named": (
        (
            "ROW('TRACKER', 'Prëis|Frage', '019caebc-0000-7000-8000-00000000000a', 'BACKFILL',"
            " '019caebc-0000-7000-8000-00000000000b', '019caebc-0000-7000-8000-00000000000c',"
            " '019caebc-0000-7000-8000-00000000000d', '019caebc-0000-7000-8000-00000000000e',"
            " 'r|1')"
        ),
        "ROW(1, 2, 3, 4, 5)",
        (
            "USAGE|019caebc-0000-7000-8000-000000000009|TRACKER|12|Prëis|Frage|"
            "019caebc-0000-7000-8000-00000000000a|BACKFILL|019caebc-0000-7000-8000-00000000000b|"
            "019caebc-0000-7000-8000-00000000000c|019caebc-0000-7000-8000-00000000000d|"
            "019caebc-0000-7000-8000-00000000000e|3|r|1|1|2|3|4|5"
        ),
    ),
    "nothing that may be left out is": (
        "ROW('ASK', 'Ask', NULL, 'API_REQUEST', NULL, NULL, NULL, NULL, '')",
        "ROW(1, 0, 0, 0, NULL)",
        "USAGE|019caebc-0000-7000-8000-000000000009|ASK|3|Ask||API_REQUEST|||||0||1|0|0|0|",
    ),
}


@pytest.mark.django_db
@pytest.mark.parametrize("use", USES)
def test_what_was_used_has_these_bytes(use):
    used, done, text = USES[use]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT ledger_usage_text('019caebc-0000-7000-8000-000000000009',"
            f" {used}::ledger_use, {done}::ledger_work)"
        )
        assert cursor.fetchone() == (text,)


def rewritten_as_version_1(company) -> None:
    """Give every entry the hash it would have had before there was a version 2."""
    drawdowns = Drawdown.objects.filter(company=company).values()
    entries = list(LedgerEntry.objects.filter(company=company).order_by("sequence").values())
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for entry, hash in zip(
            entries, hash_chain.hashes(entries, drawdowns, version="1"), strict=True
        ):
            cursor.execute(
                "UPDATE credits_ledgerentry SET hash = %s WHERE id = %s", [hash, entry["id"]]
            )
            cursor.execute(
                "UPDATE credits_creditpool SET last_hash = %s WHERE company_id = %s",
                [hash, company.pk],
            )
        cursor.execute("SET LOCAL session_replication_role = origin")


def test_entries_from_before_version_2_stay_valid_and_are_continued(acme):
    statement.lot(acme, "First", "20")
    statement.charge(acme, "2.5")
    rewritten_as_version_1(acme)
    old = stored(acme)

    statement.charge(acme, "1")

    assert len(statement.of(acme)) == 3
    assert stored(acme)[:2] == old
    assert reconciliation.check() == []


def test_no_entry_goes_back_to_version_1(acme):
    """Or a changed use could be hidden by writing the hash anew, without it."""
    statement.lot(acme, "First", "20")
    statement.charge(acme, "2.5")
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        entry = LedgerEntry.objects.get(company=acme, sequence=2)
        [row] = LedgerEntry.objects.filter(pk=entry.pk).values()
        drawn = Drawdown.objects.filter(entry=entry).values()
        old = version_1_after(row, drawn, stored(acme)[0])
        cursor.execute("UPDATE credits_ledgerentry SET hash = %s WHERE id = %s", [old, entry.pk])
        cursor.execute(
            "UPDATE credits_creditpool SET last_hash = %s WHERE company_id = %s", [old, acme.pk]
        )
        cursor.execute("SET LOCAL session_replication_role = origin")

    breaches = reconciliation.check()

    assert [str(breach) for breach in breaches] == [f"I10 company {acme.pk} entry #2: {CHANGED}"]


def version_1_after(row, drawdowns, previous: bytes) -> bytes:
    with connection.cursor() as cursor:
        lots = sorted(drawdowns, key=lambda draw: draw["id"])
        cursor.execute(
            "SELECT ledger_entry_hash('1', %(company_id)s, %(sequence)s, %(kind)s, %(amount)s,"
            " %(balance_before)s, %(balance_after)s, %(occurred_at)s, %(recorded_at)s, %(cause)s,"
            " %(cause_ref)s::uuid, %(grant_id)s::uuid, NULL, %(actor_ref)s::uuid,"
            " ledger_drawdown_digest(%(grants)s::uuid[], %(amounts)s::numeric[]), %(previous)s)",
            row
            | {
                "grants": [draw["grant_id"] for draw in lots],
                "amounts": [draw["amount"] for draw in lots],
                "previous": previous,
            },
        )
        return bytes(cursor.fetchone()[0])


def in_sql(row, grant, version: str) -> str:
    digest = {
        "1": "ledger_drawdown_digest(ARRAY[%(grant_id)s::uuid], ARRAY[%(amount)s])",
        "2": "ledger_content_digest(ARRAY[%(grant_id)s::uuid], ARRAY[%(amount)s],"
        " ledger_terms_text(jsonb_populate_record(NULL::credits_creditgrant, %(grant)s)))",
    }[version]
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT encode(ledger_entry_hash(%(version)s, %(company_id)s, %(sequence)s, %(kind)s,"
            " %(amount)s, %(balance_before)s, %(balance_after)s, %(occurred_at)s, %(recorded_at)s,"
            " %(cause)s, %(cause_ref)s::uuid, %(grant_id)s::uuid, NULL, NULL,"
            f" {digest}, decode(repeat('00', 32), 'hex')), 'hex')",
            row | {"version": version, "grant": json.dumps(grant, default=str)},
        )
        return cursor.fetchone()[0]
