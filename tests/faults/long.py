"""The long runs of the fault tests: ``python -m tests.faults.long NAME --count N --seed S``.

Names: ``processes`` (children killed at every point and at random), ``workers`` (Celery's pool
children and whole workers), ``restarts`` (the database, stopped at once under load), ``wipes``
(the queue's tables truncated with 1,000 messages). Each has a PostgreSQL server of its own, prints
lost, double, below zero and the audit, and appends its result to ``--file`` as one JSON line.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
COUNTS = {"processes": 2000, "workers": 200, "restarts": 30, "wipes": 20}


def processes(server, dsn: str, count: int, seed: int, folder: Path) -> dict:
    command = [sys.executable, "-m", "tests.faults.killing", "--kills", str(count)]
    command += ["--seed", str(seed), "--file", str(folder / "processes.jsonl")]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    return json.loads(done.stdout)


def workers(server, dsn: str, count: int, seed: int, folder: Path) -> dict:
    from tests.faults import worker_kills

    return worker_kills.run(dsn=dsn, kills=count, seed=seed, file=folder / "workers.jsonl")


def restarts(server, dsn: str, count: int, seed: int, folder: Path) -> dict:
    from tests.faults import restarting

    return restarting.run(
        server=server, dsn=dsn, folder=folder, restarts=count, clients=8, seed=seed
    )


def wipes(server, dsn: str, count: int, seed: int, folder: Path) -> dict:
    from tests.faults import wiping

    return wiping.run(dsn=dsn, wipes=count, seed=seed, file=folder / "wipes.jsonl")


RUNS = {"processes": processes, "workers": workers, "restarts": restarts, "wipes": wipes}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("name", choices=RUNS)
    parser.add_argument("--count", type=int)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--file", type=Path, default=Path("faults.jsonl"))
    options = parser.parse_args()
    # The settings want an address before there is a server; it is replaced below.
    os.environ.setdefault("DATABASE_URL", "postgres://postgres@localhost/none")
    from tests.support.commands import SECRET_KEY

    os.environ.setdefault("TALLYSTICK_SECRET_KEY", SECRET_KEY)
    os.environ.setdefault("TALLYSTICK_ALLOWED_HOSTS", "localhost")
    os.environ.setdefault("TALLYSTICK_HTTPS", "false")
    django.setup()
    from config import databases
    from tests.support import databases as test_databases

    folder = Path(tempfile.mkdtemp(prefix=f"tallystick-{options.name}-"))
    began = time.time()
    # A server that keeps what it acknowledges, as in production.
    durable = {"fsync": "on", "synchronous_commit": "on"}
    with test_databases.migrated_server(durable) as server:
        address = test_databases.address(server)
        test_databases.tell_processes(address)
        with databases.pointed_at(address), test_databases.cloned("faults") as dsn:
            os.environ["DATABASE_URL"] = databases.url(dsn)
            count = options.count or COUNTS[options.name]
            seen = RUNS[options.name](server, dsn, count, options.seed, folder)
    seen |= {"run": options.name, "began": round(began), "raw": str(folder)}
    seen |= {"machine": f"{platform.machine()}, {os.cpu_count()} cores", "load": os.getloadavg()}
    with open(options.file, "a") as file:
        file.write(json.dumps(seen) + "\n")
    for name, value in seen.items():
        print(f"{name}: {value}")


if __name__ == "__main__":
    main()
