"""The ledger's acts find rows by an index, in tables of any size and from the first row on.

A session keeps the plans it made while the tables were small, those of foreign keys' checks too.
"""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import connection

from credits import charging
from tests.support import statement

# What the ledger reads of the whole installation, and has a row or two of.
FEW_ROWS = {"credits_ratecard"}


@contextmanager
def whole_tables():
    """Collect the tables of the books that the block reads from end to end."""
    found: set[str] = set()
    before = scans()
    yield found
    found |= {table for table, times in scans().items() if times > before[table]} - FEW_ROWS


def scans() -> dict[str, int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_stat_get_xact_numscans(relid) FROM pg_stat_user_tables"
            " WHERE relname LIKE 'credits_%'"
        )
        return dict(cursor.fetchall())


@pytest.fixture
def acme(db):
    company = statement.company()
    statement.lot(company, "March", "10")
    with connection.cursor() as cursor:
        # A table that was never analyzed is taken for ten pages, and read by its indexes anyway.
        cursor.execute("ANALYZE")
        # Plans that earlier tests left in this session would be used again.
        cursor.execute("DISCARD PLANS")
    return company


def test_a_charge_reads_no_table_from_end_to_end(acme):
    with whole_tables() as tables:
        statement.charge(acme, "1")

    assert tables == set()


def test_a_hold_its_capture_and_its_release_read_no_table_from_end_to_end(acme):
    with whole_tables() as tables:
        first, second = statement.reserve(acme, "2"), statement.reserve(acme, "3")
        charging.capture(reservation=first, work=statement.work_of("1"), rates=statement.MILLS)
        charging.release(reservation=second)

    assert tables == set()


ACTS = "adjust_down adjust_up cancel capture charge extend issue read refund release reserve settle"


@pytest.mark.parametrize("act", [*ACTS.split(), "void"])
def test_each_act_plans_with_indexes(db, act):
    with connection.cursor() as cursor:
        cursor.execute("SELECT proconfig FROM pg_proc WHERE proname = %s", [f"ledger_{act}"])
        [(settings,)] = cursor.fetchall()
    assert settings[:3] == ["enable_seqscan=off", "enable_bitmapscan=off", "enable_sort=off"]


def test_a_charge_that_reads_tables_from_end_to_end_is_seen(acme):
    """With indexes off: which plan small tables get depends on what other tests left in them."""
    with connection.cursor() as cursor:
        cursor.execute("ALTER FUNCTION ledger_charge RESET ALL")
        for plan in ("indexscan", "indexonlyscan", "bitmapscan"):
            cursor.execute(f"SET LOCAL enable_{plan} = off")
    with whole_tables() as tables:
        statement.charge(acme, "1")

    assert {"credits_creditpool", "credits_creditgrant"} <= tables
