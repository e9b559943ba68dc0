"""Two beats at once settle each expiry once, and do a periodic job once.

The test holds the row that both need until both wait for it, so that they surely meet.
"""

from __future__ import annotations

import json
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import psycopg
import pytest

from config import databases
from config.demo.clock import seeded_clock
from config.embedded_postgres import PROJECT
from credits import exports, reconciliation
from credits.models import JobRun
from tests.support import people, statement
from tests.support.exporting import asked_for, company_with_use
from tests.support.people import days
from tests.support.planting import plant
from tests.support.processes import wait_until

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
TODAY = datetime(2026, 3, 2, tzinfo=UTC)


def two_at_once(dsn: str, act: str, hold: str, *, release: str) -> list:
    """Run two schedulers that meet at the row ``hold`` locks; return what each was told."""
    command = [sys.executable, "-m", "tests.concurrency.scheduler", act, NOON.isoformat()]
    with psycopg.connect(dsn) as holder, psycopg.connect(dsn, autocommit=True) as watcher:
        holder.execute(hold)
        processes = [
            subprocess.Popen(
                command,
                cwd=PROJECT,
                env=databases.environment(dsn),
                stdout=subprocess.PIPE,
            )
            for _ in range(2)
        ]
        wait_until(lambda: waiting(watcher) == 2, "both schedulers to wait for the row")
        holder.execute(release)
    return sorted(json.loads(process.communicate(timeout=60)[0]) for process in processes)


def waiting(watcher: psycopg.Connection) -> int:
    return watcher.execute(
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    ).fetchone()[0]


@pytest.fixture
def due(committed):
    """Two companies with as much to settle; yields the first, whose row the test will hold."""
    with seeded_clock(NOON) as clock:
        first, second = statement.company(), statement.company()
        for company in (first, second):
            statement.lot(company, "March", "10", expires_at=NOON + days(1))
            statement.lot(company, "April", "4", effective_at=NOON + days(1))
        clock.set(NOON + days(1) - timedelta(minutes=1))
        statement.reserve(first, "3", minutes=15)
        clock.set(NOON + days(2))
        yield first, second


def settle_twice(dsn: str, first) -> list:
    """Let both read what is due before either settles anything."""
    hold = f"SELECT FROM credits_creditpool WHERE company_id = {first.pk} FOR UPDATE"
    return two_at_once(dsn, "settle", hold, release="COMMIT")


def test_what_two_schedulers_find_due_at_once_is_written_once(committed, due):
    first, second = due

    told = settle_twice(committed, first)

    assert told == [2, 2]
    assert statement.of(first) == [
        "02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)",
        "03 Mar 12:00 Added +4.0 = 14.0 (April +4.0)",
        "03 Mar 12:00 Expired -7.0 = 7.0 (March -7.0)",
        "03 Mar 12:14 Expired -3.0 = 4.0 (March -3.0)",
    ]
    assert statement.of(second) == [
        "02 Mar 12:00 Added +10.0 = 10.0 (March +10.0)",
        "03 Mar 12:00 Added +4.0 = 14.0 (April +4.0)",
        "03 Mar 12:00 Expired -10.0 = 4.0 (March -10.0)",
    ]


def test_a_pool_that_is_read_before_it_is_locked_is_found_out(committed, due):
    plant(
        "ledger_begin",
        " WHERE company_id = p_company FOR NO KEY UPDATE;",
        " WHERE company_id = p_company;"
        " PERFORM FROM credits_creditpool WHERE company_id = p_company FOR NO KEY UPDATE;",
    )
    first, _ = due

    settle_twice(committed, first)

    # The second writes back the pool as it was before the first.
    found = {breach.invariant for breach in reconciliation.check(company_id=first.pk)}
    assert found == {"I1", "I2", "I4"}


@pytest.mark.parametrize(
    ("hold", "release"),
    [
        (
            "INSERT INTO credits_jobrun (name, period, summary) VALUES ('nightly', now(), '')",
            "ROLLBACK",
        ),
        ("SELECT FROM credits_jobrun WHERE name = 'nightly' FOR UPDATE", "COMMIT"),
    ],
    ids=["that never ran", "of yesterday"],
)
def test_a_job_that_two_schedulers_claim_at_once_is_one_s(committed, hold, release):
    if release == "COMMIT":
        JobRun.objects.create(name="nightly", period=TODAY - days(1))

    told = two_at_once(committed, "claim", hold, release=release)

    assert told == [False, True]
    assert JobRun.objects.get(name="nightly").period == TODAY


def test_two_schedulers_remove_old_exports_once(committed, settings, monkeypatch, tmp_path):
    settings.EXPORTS = tmp_path
    monkeypatch.setenv("TALLYSTICK_EXPORTS", str(tmp_path))
    company = company_with_use(count=1)
    old = NOON - days(8)
    job = exports.prepare(
        job_id=asked_for(company, people.alice(company), now=old).pk, clock=lambda: old
    )
    JobRun.objects.create(name="exports", period=TODAY)
    file = exports.path_of(job)
    assert file.exists()

    told = two_at_once(
        committed,
        "clean",
        "SELECT FROM credits_jobrun WHERE name = 'exports' FOR UPDATE",
        release="COMMIT",
    )

    assert told == [-1, 1]
    assert not file.exists()
