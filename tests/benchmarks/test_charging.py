"""How fast the ledger charges, beside the least a database can do and beside other packages.

``python -m pytest -m benchmark tests/benchmarks/test_charging.py -s`` prints a table (issue 7).
Every row of it has its turn in each round, so that what else the machine does slows all of them;
figures are medians of rounds. The server is our own, with fsync on. The bare insert is pgbench's:
one row, one column of each kind a charge writes, a prepared statement, no Python.

The other packages have an environment of their own, which ``docs/development.md`` says how to make.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
from contextlib import ExitStack
from decimal import Decimal
from typing import NamedTuple

import psycopg
import pytest
from django.db import connection

from config import databases as config_databases
from config.embedded_postgres import PROJECT
from credits.models import LedgerEntry, UsageEvent
from tests.benchmarks import charging_clients
from tests.benchmarks.crowd import Crowd, Slice
from tests.support import databases, measuring, people

pytestmark = pytest.mark.benchmark

ROUNDS = int(os.environ.get("BENCHMARK_ROUNDS", "5"))
SECONDS = float(os.environ.get("BENCHMARK_SECONDS", "3"))
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB", "max_connections": "250"}
RIVALS = PROJECT / ".rivals" / "bin" / "python"
BARE = "INSERT INTO bare_row (company_id, amount, at, ref) VALUES (1, 0.1, now(), uuidv7());"
BARE_TABLES = (
    """CREATE TABLE bare_row (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
        company_id bigint NOT NULL, amount numeric NOT NULL, at timestamptz NOT NULL,
        ref uuid NOT NULL)""",
    """CREATE TABLE bare_entry (LIKE credits_ledgerentry INCLUDING DEFAULTS INCLUDING IDENTITY
        INCLUDING GENERATED, PRIMARY KEY (id))""",
    """CREATE TABLE bare_event (LIKE credits_usageevent INCLUDING DEFAULTS INCLUDING GENERATED,
        PRIMARY KEY (id))""",
)
OURS = {
    "charge": "charge, one hot company",
    "charge_spread": "charge, 1,000 companies",
    "reserve_and_capture": "reserve and capture",
    "batch_of_100": "batch of 100: reserve and capture",
    "batch_of_1000": "batch of 1,000: reserve and capture",
    "bare_batch_of_100": "bare insert of 100 in 2 tables",
    "bare_batch_of_1000": "bare insert of 1,000 in 2 tables",
}
CLIENTS = {
    "bare": (1, 8, 32),
    "charge": (1, 8, 32),
    "charge_spread": (1, 8, 32),
    "reserve_and_capture": (1, 8),
    "dj_wallet": (1, 8),
    "hordak": (1, 8),
}


class Row(NamedTuple):
    work: str
    clients: int


class Aim(NamedTuple):
    """What one row shall reach of another, in events a second."""

    row: Row
    of: Row
    at_least: float


AIMS = (
    Aim(Row("charge", 1), Row("bare", 1), 0.6),
    Aim(Row("charge_spread", 32), Row("bare", 32), 0.4),
    Aim(Row("batch_of_1000", 1), Row("bare_batch_of_1000", 1), 0.6),
    Aim(Row("charge", 8), Row("dj_wallet", 8), 10),
    Aim(Row("charge", 8), Row("hordak", 8), 15),
)


@pytest.fixture
def server(django_db_setup, django_db_blocker):
    with (
        django_db_blocker.unblock(),
        databases.own_server(DURABLE) as server,
        config_databases.pointed_at(databases.address(server)),
        databases.cloned("charging"),
    ):
        yield server


@pytest.fixture
def companies(server):
    people.credits_for(people.company(charging_clients.HOT), "100000000")
    for number in range(charging_clients.COMPANIES):
        company = people.company(f"{charging_clients.SPREAD} {number:04}")
        people.credits_for(company, "1000000")
    with connection.cursor() as cursor:
        for statement in BARE_TABLES:
            cursor.execute(statement)
        cursor.execute("VACUUM ANALYZE")


def rivals(dsn: str, stack: ExitStack) -> dict[str, Crowd]:
    """Start the other packages' clients on a database of theirs, on the same server."""
    if not RIVALS.exists():
        pytest.fail("The other packages are not installed; docs/development.md says how.")
    with psycopg.connect(dsn, autocommit=True) as server:
        server.execute("CREATE DATABASE rivals")
    env = os.environ | {"RIVALS_DSN": config_databases.named(dsn, "rivals")}
    module = "tests.benchmarks.rivals.clients"
    subprocess.run([RIVALS, "-m", module, "prepare"], cwd=PROJECT, env=env, check=True)
    return {
        name: stack.enter_context(Crowd(str(RIVALS), module, name, "8", env=env))
        for name in ("dj_wallet", "hordak")
    }


class Pgbench:
    """The bare insert, in turn with the others."""

    def __init__(self, program, dsn: str, folder) -> None:
        self._program = program
        self._script = folder / "bare.sql"
        self._script.write_text(BARE)
        self._address = psycopg.conninfo.conninfo_to_dict(dsn)

    def work(self, clients: int, seconds: float) -> Slice:
        command = [self._program, "-n", "-M", "prepared", "-f", self._script, "-c", str(clients)]
        command += ["-j", str(min(clients, 2)), "-T", str(max(1, round(seconds)))]
        command += ["-h", self._address["host"], "-U", "postgres", self._address["dbname"]]
        said = subprocess.run(command, capture_output=True, text=True, check=True).stdout
        return Slice(
            events=int(found(said, "number of transactions actually processed: ")),
            seconds=int(found(said, "number of transactions actually processed: "))
            / float(found(said, "tps = ")),
        )


def found(text: str, label: str) -> str:
    return text.partition(label)[2].split()[0].partition("/")[0]


def test_the_ledger_s_speed_beside_bare_inserts_and_other_packages(companies, server, tmp_path):
    counted = {"charge": 0, "charge_spread": 0}
    with ExitStack() as stack:
        dsn = config_databases.dsn()
        env = config_databases.environment(dsn)
        crowds = {"bare": Pgbench(server._programs() / "pgbench", dsn, tmp_path)}
        for name in OURS:
            size = str(max(CLIENTS.get(name, (1,))))
            module = "tests.benchmarks.charging_clients"
            crowd = Crowd(sys.executable, module, name, size, env=env)
            crowds[name] = stack.enter_context(crowd)
        crowds |= rivals(dsn, stack)
        rows = [Row(name, clients) for name in crowds for clients in CLIENTS.get(name, (1,))]
        rates: dict[Row, list[float]] = {row: [] for row in rows}
        for _ in range(ROUNDS):
            for row in rows:
                done = crowds[row.work].work(row.clients, SECONDS)
                rates[row].append(done.rate)
                if row.work in counted:
                    counted[row.work] += done.events
    report({row: statistics.median(one) for row, one in rates.items()})
    nothing_is_lost(counted)


def report(medians: dict[Row, float]) -> None:
    print(f"\n{measuring.load()}; medians of {ROUNDS} slices of {SECONDS:g} s")
    for row, rate in medians.items():
        share = rate / medians[Row("bare", row.clients)]
        label = OURS.get(row.work, row.work)
        print(f"{label:36} {row.clients:3} clients {rate:12,.0f} events/s  {share:8.2f} of bare")
    for aim in AIMS:
        ratio = medians[aim.row] / medians[aim.of]
        word = "reached" if ratio >= aim.at_least else "MISSED"
        print(f"{aim.row} ÷ {aim.of}: {ratio:.2f}, aim {aim.at_least:g}: {word}")


def nothing_is_lost(counted: dict[str, int]) -> None:
    """Every charge that a client was told of is an entry, 0.1 each, and the books are whole."""
    singles = UsageEvent.objects.filter(amount=Decimal("0.1"), company__name__startswith="Spread")
    # Each client made one charge before it said that it was ready.
    assert singles.count() == counted["charge_spread"] + max(CLIENTS["charge_spread"])
    assert LedgerEntry.objects.filter(kind="CONSUMED").count() == UsageEvent.objects.count()
