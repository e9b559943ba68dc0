"""Runs of ``manage.py benchmark_trackers`` as a person would start it, on the tests' own server."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from config import databases
from config.embedded_postgres import PROJECT

SAMPLE = PROJECT / "tests" / "data" / "sample"
SHARED = PROJECT.parent / "shared" / "data" / "dev"


@dataclass
class Run:
    """A kept database and what the command printed about it."""

    report: dict
    findings: list[tuple]  # Tracker, external id, verdict, score, quotes.


@dataclass
class Done:
    """A command that ended."""

    pid: int
    returncode: int
    stdout: str
    stderr: str


def command(folder, *options, seconds=900, environment=None) -> Done:
    process = subprocess.Popen(
        [sys.executable, "manage.py", "benchmark_trackers", str(folder), *options],
        cwd=PROJECT,
        env=databases.environment(databases.dsn()) | (environment or {}),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        stdout, stderr = process.communicate(timeout=seconds)
    finally:
        process.kill()
    return Done(process.pid, process.returncode, stdout, stderr)


def benchmark(folder) -> Run:
    """Run it to its end and read what it found from the database it kept."""
    done = command(folder, "--json", "--keep")
    assert done.returncode == 0, done.stderr
    report = json.loads(done.stdout)
    # A run that keeps its database is found this way, so that one that drops it can be missed.
    assert len(scratch_databases_of(done.pid)) == 1
    try:
        return Run(report, findings_in(report["database"]))
    finally:
        name = str(conninfo_to_dict(report["database"])["dbname"])
        databases.drop(databases.dsn(), name)


def findings_in(address) -> list[tuple]:
    with psycopg.connect(address) as connection:
        return connection.execute(
            "SELECT tracker.name, conversation.external_id, scan.verdict, scan.score,"
            "   array_agg(utterance.external_id || quote.start || quote.end ORDER BY quote.rank)"
            " FROM trackers_scan scan"
            " JOIN trackers_tracker tracker ON tracker.id = scan.tracker_id"
            " JOIN trackers_conversation conversation ON conversation.id = scan.conversation_id"
            " LEFT JOIN trackers_quote quote ON quote.scan_id = scan.id"
            " LEFT JOIN trackers_utterance utterance ON utterance.id = quote.utterance_id"
            " GROUP BY 1, 2, 3, 4 ORDER BY 1, 2"
        ).fetchall()


def scratch_databases_of(pid: int) -> list[str]:
    """Return what a run of this process made and left; others may be running beside it."""
    with psycopg.connect(databases.named(databases.dsn(), "postgres")) as connection:
        rows = connection.execute(
            "SELECT datname FROM pg_database WHERE datname LIKE %s", [f"%benchmark%{pid}%"]
        )
        return [name for (name,) in rows]


@pytest.fixture(scope="session")
def sample_run(django_db_setup) -> Run:
    return benchmark(SAMPLE)


@pytest.fixture(scope="session")
def unlabelled_run(django_db_setup, tmp_path_factory) -> Run:
    folder = tmp_path_factory.mktemp("unlabelled")
    for name in ("conversations.jsonl", "trackers.jsonl"):
        shutil.copy(SAMPLE / name, folder)
    return benchmark(folder)


@pytest.fixture(scope="session")
def sample_folder() -> Path:
    return SAMPLE


@pytest.fixture(scope="session")
def shared_folder() -> Path:
    assert SHARED.is_dir(), f"There is no folder {SHARED}; this test needs its conversations."
    return SHARED


@pytest.fixture(scope="session")
def shared_run(django_db_setup, shared_folder) -> Run:
    return benchmark(shared_folder)
