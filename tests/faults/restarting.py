"""Restart the database under clients that keep their own record of what was acknowledged.

At every restart one commit is surely ambiguous: a client behind a proxy sends a charge, the reply
is thrown away once the commit is seen, and only then is the server stopped at once. That client
asks again by its key.
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from collections import Counter
from contextlib import ExitStack, contextmanager
from decimal import Decimal
from pathlib import Path

import psycopg
from django.db import connection
from psycopg.conninfo import make_conninfo

from config import databases
from config.embedded_postgres import PROJECT, Server
from credits import reconciliation
from credits.models import LedgerEntry, UsageEvent
from tests.support import people
from tests.support.commands import open_folder
from tests.support.lost_replies import LosingProxy
from tests.support.processes import wait_until

DURABLE = {"fsync": "on", "synchronous_commit": "on"}


def run(*, server: Server, dsn: str, folder: Path, restarts: int, clients: int, seed: int) -> dict:
    """Restart so often; return what the clients' records and the database say together."""
    dice = random.Random(seed)
    acme = people.company()
    people.credits_for(acme, "100000")
    until, gate = folder / "until", folder / "gate"
    files = [folder / f"client-{number}" for number in range(clients)]
    lost = folder / "client-lost"
    began = time.monotonic()
    with ExitStack() as stack:
        socket_folder = stack.enter_context(open_folder())
        proxy = LosingProxy(socket_folder, server.socket)
        stack.callback(proxy.close)
        behind = make_conninfo(dsn, host=str(socket_folder))
        processes = [
            stack.enter_context(_client(dsn, acme, f"direct-{number}", file, until))
            for number, file in enumerate(files)
        ]
        processes.append(stack.enter_context(_client(behind, acme, "lost", lost, until, gate)))
        stack.callback(until.touch)
        Path(f"{gate}1").touch()
        wait_until(lambda: _is_acknowledged(lost, "lost 1"), "the first answer", seconds=600)
        record = stack.enter_context((folder / "restarts.jsonl").open("w"))
        for number in range(2, restarts + 2):
            after = round(dice.uniform(0.2, 1.0), 4)
            time.sleep(after)
            _restart(server, dsn, proxy, gate, number)
            line = {"restart": number - 1, "seed": seed, "after": after, "lost": f"lost {number}"}
            record.write(json.dumps(line) + "\n")
            wait_until(
                lambda key=f"lost {number}": _is_acknowledged(lost, key),
                "the lost answer to be had by its key",
                seconds=600,
            )
        until.touch()
        for process in processes:
            assert process.wait(timeout=600) == 0
    seconds = round(time.monotonic() - began, 1)
    return _judged(acme, [*files, lost]) | {"restarts": restarts, "seed": seed, "seconds": seconds}


def _restart(server: Server, dsn: str, proxy: LosingProxy, gate: Path, number: int) -> None:
    connection.close()
    proxy.is_losing.set()
    Path(f"{gate}{number}").touch()
    with psycopg.connect(dsn, autocommit=True) as watcher:
        query = "SELECT count(*) FROM credits_idempotencyrecord WHERE key = %s"
        wait_until(
            lambda: watcher.execute(query, [f"lost {number}"]).fetchone()[0] == 1,
            "the commit whose reply is lost",
            seconds=600,
        )
    server.stop("immediate")
    proxy.is_losing.clear()
    proxy.cut()
    server.start()


def _judged(company, files: list[Path]) -> dict:
    """Hold the clients' own records against the rows: the audit alone cannot see a lost commit."""
    lines = [json.loads(line) for file in files for line in file.read_text().splitlines()]
    answers = [line for line in lines if "acknowledged" in line]
    sent = {line["key"] for line in lines if "sent" in line}
    events = list(UsageEvent.objects.filter(company=company).values_list("pk", "request_id"))
    there = {str(pk) for pk, _ in events}
    by_key = Counter(key for _, key in events)
    return {
        "sent": len(sent),
        "acknowledged": len(answers),
        "asked_again": sum(line["tries"] > 1 for line in answers),
        "resolved_by_key": sum(line["resolved_by_key"] for line in answers),
        "lost": sum(line["acknowledged"] not in there for line in answers),
        "double": sum(count > 1 for count in by_key.values()),
        "not_asked_for": len(by_key.keys() - sent),
        "below_zero": LedgerEntry.objects.filter(
            company=company, balance_after__lt=Decimal(0)
        ).count(),
        "audit": [str(breach) for breach in reconciliation.check()],
    }


def _is_acknowledged(file: Path, key: str) -> bool:
    return file.exists() and any(
        line.get("key") == key and "acknowledged" in line
        for line in map(json.loads, filter(str.strip, _whole_lines(file)))
    )


def _whole_lines(file: Path) -> list[str]:
    return file.read_text().split("\n")[:-1]


@contextmanager
def _client(dsn: str, company, name: str, file: Path, until: Path, gate: Path | None = None):
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.client", str(company.pk), name, str(file), str(until)]
        + ([str(gate)] if gate else []),
        cwd=PROJECT,
        env=databases.environment(dsn) | {"DJANGO_SETTINGS_MODULE": "config.settings"},
    )
    try:
        yield process
    finally:
        process.kill()
        process.wait()
