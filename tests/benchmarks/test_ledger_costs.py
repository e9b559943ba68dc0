"""What each guard of the ledger costs a charge: the same charge in databases that lack one of them.

``python -m pytest -m benchmark tests/benchmarks/test_ledger_costs.py -s`` prints each figure. The
calls are made in turn, one in each database, and what is compared is the processor's time of the
server's processes, which other work on the machine disturbs little; the median of the slices'
differences. The cluster forgets (no fsync): on disks that wait for each commit, a guard's share
of the whole is smaller.
"""

from __future__ import annotations

import os
import statistics
from contextlib import ExitStack
from pathlib import Path

import psycopg
import pytest
from django.db import connection

from credits.identifiers import new_id
from tests.support import databases, people
from tests.support.measuring import load

pytestmark = pytest.mark.benchmark

CALLS = int(os.environ.get("BENCHMARK_CALLS", "4000"))
SLICES = 8
CHARGE = (
    "SELECT * FROM ledger_charge(%s, NULL, %s, 0.1,"
    " ROW('ASK', 'Ask', NULL, 'API_REQUEST', NULL, NULL, NULL, NULL, '')::ledger_use,"
    " ROW(1, 0, 1, 0, 1)::ledger_work)"
)
_KEYS = """
    DO $$ DECLARE key record; BEGIN
        FOR key IN SELECT conname, conrelid::regclass AS name FROM pg_constraint
                    WHERE conname LIKE '%same_company' AND conrelid IN (
                          'credits_ledgerentry'::regclass, 'credits_drawdown'::regclass,
                          'credits_usageevent'::regclass)
        LOOP EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', key.name, key.conname); END LOOP;
    END $$
"""
_HASH = """
    CREATE OR REPLACE FUNCTION ledger_entry_hash(p_version text, p_company bigint,
        p_sequence bigint, p_kind text, p_amount numeric, p_before numeric, p_after numeric,
        p_occurred_at timestamptz, p_recorded_at timestamptz, p_cause text, p_cause_ref uuid,
        p_grant uuid, p_corrects bigint, p_actor uuid, p_digest bytea, p_previous bytea)
    RETURNS bytea LANGUAGE sql STABLE AS $$ SELECT p_previous $$;
    CREATE OR REPLACE FUNCTION ledger_content_digest(p_grants uuid[], p_amounts numeric[],
        p_facts text) RETURNS bytea LANGUAGE sql IMMUTABLE AS $$ SELECT '\\x00'::bytea $$;
    CREATE OR REPLACE FUNCTION ledger_usage_text(p_usage uuid, p_use ledger_use,
        p_work ledger_work) RETURNS text LANGUAGE sql STABLE AS $$ SELECT '' $$
"""
_USAGE = """
    CREATE OR REPLACE FUNCTION ledger_meter(context ledger_context, p_usage uuid,
        p_amount numeric, p_use ledger_use, p_work ledger_work)
    RETURNS void LANGUAGE plpgsql AS $$ BEGIN END $$
"""
WITHOUT = {
    "everything": "SELECT 1",
    "everything, again": "SELECT 1",
    "no composite keys": _KEYS,
    "no link to the previous entry": (
        "ALTER TABLE credits_ledgerentry DROP CONSTRAINT entry_continues_the_previous_one"
    ),
    "no guard of what is added": """
        DROP TRIGGER credits_ledgerentry_is_added_in_an_act ON credits_ledgerentry;
        DROP TRIGGER credits_drawdown_is_added_in_an_act ON credits_drawdown;
        DROP TRIGGER credits_usageevent_is_added_in_an_act ON credits_usageevent
    """,
    "no path of its own": "ALTER FUNCTION ledger_charge RESET search_path",
    "no hash": _HASH,
    "no usage row": _USAGE,
}


@pytest.fixture
def charges(django_db_setup, django_db_blocker):
    """A way to charge once in each database, by its name."""
    with django_db_blocker.unblock(), ExitStack() as stack:
        found = {}
        for number, (name, change) in enumerate(WITHOUT.items()):
            dsn = stack.enter_context(databases.cloned(f"costs_{os.getpid()}_{number}"))
            company = people.company()
            people.credits_for(company, "1000000")
            with connection.cursor() as cursor:
                cursor.execute(change)
            connection.close()
            session = stack.enter_context(psycopg.connect(dsn, autocommit=True))
            found[name] = (session, company.pk)
        yield found


def charge(session, company_id) -> None:
    [(outcome, *_)] = session.execute(CHARGE, [company_id, new_id()]).fetchall()
    assert outcome == "OK"


def worked(session) -> float:
    """Return the processor's time of the session's process on the server, in microseconds."""
    path = Path(f"/proc/{session.info.backend_pid}/schedstat")
    return int(path.read_text().split()[0]) / 1000


def test_what_each_guard_costs(charges):
    for one in charges.values():
        for _ in range(1000):
            charge(*one)
        # As autovacuum does within a minute: what was planned for empty tables is planned anew.
        one[0].execute("ANALYZE")
        for _ in range(20):
            charge(*one)
    slices = []
    for _ in range(SLICES):
        before = {name: worked(session) for name, (session, _) in charges.items()}
        for _ in range(CALLS // SLICES):
            for one in charges.values():
                charge(*one)
        slices.append(
            {
                name: (worked(session) - before[name]) / (CALLS // SLICES)
                for name, (session, _) in charges.items()
            }
        )

    print(f"\n{CALLS:,} charges in each, {SLICES} slices, {load()}")
    for name in charges:
        median = statistics.median(one[name] for one in slices)
        saved = statistics.median(1 - one[name] / one["everything"] for one in slices)
        print(f"{name}: {median:.0f} µs, {saved:+.1%} saved")
