"""How fast reports and pages are at a million rows (SPEC §4; measured, not asserted elsewhere).

``python -m pytest -m benchmark -s`` prints each figure. The machine may be busy with other work,
so every figure is a ratio of two things measured in turn, and the median of several rounds.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import psycopg
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse
from django.utils import timezone

from config import databases as config_databases
from config.embedded_postgres import PROJECT
from credits import usage_days
from credits.reports import files
from credits.reports.base import DayRange
from credits.reports.usage import CreditUsageReport
from tests.benchmarks import history
from tests.support import databases, people
from tests.support.browsing import signed_in

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("BENCHMARK_ROWS", "1000000"))
STOCK_ROWS = 20_000
FEW_ROWS = 1000
ROUNDS = 5
EVERYTHING = DayRange()
# As a server of one's own is set up: nothing is lost in a power cut.
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
PAGES = {
    "credits page": "credits_page",
    "usage": "credits_usageevent_changelist",
    "ledger": "credits_ledgerentry_changelist",
    "drawdowns": "credits_drawdown_changelist",
    "grants": "credits_creditgrant_changelist",
    "reservations": "credits_reservation_changelist",
}


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), databases.own_server(DURABLE) as server:
        dsn = databases.address(server)
        with (
            config_databases.pointed_at(dsn),
            config_databases.scratch(dsn, "benchmark") as scratch,
            config_databases.pointed_at(scratch),
        ):
            yield server


@pytest.fixture(scope="module")
def large(server):
    began = time.monotonic()
    company = history.company_with(ROWS, "Large")
    history.analyze()
    print(f"\n{ROWS:,} uses and entries over {history.DAYS} days, {time.monotonic() - began:.0f} s")
    return company


@pytest.fixture(scope="module")
def small(server):
    return history.company_with(FEW_ROWS, "Small")


def seconds(work) -> float:
    began = time.monotonic()
    work()
    return time.monotonic() - began


def export(company, days=EVERYTHING) -> None:
    with tempfile.TemporaryFile() as file:
        files.write(CreditUsageReport(company=company), days, file)


def row_count(company) -> int:
    """Count what there is now: charging beside a report, measured earlier or later, adds to it."""
    return CreditUsageReport(company=company).totals(EVERYTHING).row_count


def select_of(company) -> str:
    """Return the report's own SELECT with its parameters in their places."""
    report = CreditUsageReport(company=company)
    sql, parameters = report.statement(report.rows(EVERYTHING))
    with connection.cursor() as cursor:
        return psycopg.ClientCursor(cursor.connection).mogrify(sql, parameters)


def test_a_csv_of_a_million_rows_is_as_fast_as_psql(server, large):
    psql = server._programs() / "psql"
    with tempfile.TemporaryDirectory() as folder:
        script = Path(folder) / "copy.sql"
        target = Path(folder) / "psql.csv"
        one_line = select_of(large).replace("\n", " ")
        script.write_text(
            f"SET TimeZone = 'Europe/Berlin';\n\\copy ({one_line}) to '{target}' csv\n"
        )
        command = [psql, "-q", "-X", "-v", "ON_ERROR_STOP=1", "-f", script]
        command += [config_databases.dsn()]
        export(large)
        ratios = []
        for _ in range(ROUNDS):
            theirs = seconds(lambda: subprocess.run(command, check=True))
            ours = seconds(lambda: export(large))
            ratios.append(theirs / ours)
            print(f"psql {theirs:.2f} s, export {ours:.2f} s, ratio {ratios[-1]:.2f}")
        assert len(target.read_bytes().splitlines()) == row_count(large)

    ratio = statistics.median(ratios)
    print(f"CSV of {ROWS:,} rows ÷ psql \\copy of the same SELECT: {ratio:.2f} (wanted ≥ 0.8)")
    assert ratio >= 0.8


def test_it_is_fifteen_times_as_fast_as_the_stock_export(large):
    first = timezone.now().date() - timedelta(days=int(history.DAYS * STOCK_ROWS / ROWS))
    some = CreditUsageReport(company=large).rows(DayRange(first, timezone.now().date()))
    some_count, all_count = some.count(), row_count(large)
    ratios = []
    for _ in range(3):
        stock = seconds(lambda: CreditUsageReport(company=large).export(some).export("csv"))
        ours = seconds(lambda: export(large))
        ratios.append((all_count / ours) / (some_count / stock))
        print(
            f"stock {some_count / stock:,.0f} rows/s over {some_count:,}, "
            f"export {all_count / ours:,.0f} rows/s over {all_count:,}, ratio {ratios[-1]:.1f}"
        )

    ratio = statistics.median(ratios)
    print(f"Rows a second ÷ stock Resource.export(): {ratio:.1f} (wanted ≥ 15)")
    assert ratio >= 15


def in_a_process_of_its_own(company, file_format) -> list[float]:
    """Return the seconds and the processor's seconds of one export, and its most memory in MiB."""
    command = [sys.executable, "-m", "tests.benchmarks.exporter", str(company.pk), file_format]
    environment = config_databases.environment(config_databases.dsn())
    done = subprocess.run(
        command, cwd=PROJECT, env=environment, check=True, capture_output=True, text=True
    )
    return [float(figure) for figure in done.stdout.split()]


@pytest.mark.parametrize("file_format", ["csv", "json", "xlsx"])
def test_memory_does_not_grow_with_the_rows(large, small, file_format):
    _, _, few = in_a_process_of_its_own(small, file_format)
    took, worked, many = in_a_process_of_its_own(large, file_format)

    print(
        f"{file_format} of {ROWS:,} rows: {took:.1f} s, {worked:.1f} s of it our processor's, "
        f"{many:.0f} MiB, {many - few:+.1f} against {FEW_ROWS:,} rows (wanted ≤ 30)"
    )
    assert many - few <= 30


@contextmanager
def charging(company):
    """Keep a process charging; give a function that counts its charges in a span of time."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.charger", str(company.pk)],
        cwd=PROJECT,
        env=config_databases.environment(config_databases.dsn()),
        stdout=subprocess.PIPE,
        text=True,
    )
    instants = []
    reader = threading.Thread(target=lambda: instants.extend(map(float, process.stdout)))
    reader.start()
    try:
        yield instants
    finally:
        process.kill()
        process.wait()
        reader.join()
        process.stdout.close()


def test_charging_goes_on_while_the_report_is_made(large):
    spans = {"without": [], "with": []}
    with charging(large) as instants:
        time.sleep(5)
        for _ in range(ROUNDS):
            began = time.monotonic()
            export(large)
            ended = time.monotonic()
            spans["with"].append((began, ended))
            time.sleep(ended - began)
            spans["without"].append((ended, time.monotonic()))

    def rate(span):
        return sum(span[0] <= at < span[1] for at in instants) / (span[1] - span[0])

    ratios = [
        rate(during) / rate(after)
        for during, after in zip(spans["with"], spans["without"], strict=True)
    ]
    rates = ", ".join(
        f"{rate(during):.0f}/{rate(after):.0f}"
        for during, after in zip(spans["with"], spans["without"], strict=True)
    )
    ratio = statistics.median(ratios)
    print(f"charges/s with/without a report of the same company: {rates}")
    print(f"Charging while it runs ÷ without: {ratio:.2f} (wanted ≥ 0.8)")
    assert ratio >= 0.8


def test_pages_are_as_fast_with_a_million_rows(large, small):
    clients = {company: signed_in(people.alice(company)) for company in (large, small)}
    page = reverse("admin:credits_page")
    # Each of the first readers adds a month of closed days up; the job of the hour does the rest.
    looks = [seconds(lambda: clients[large].get(page)) * 1000 for _ in range(3)]
    print(f"\nfirst looks at the credits page: {', '.join(f'{look:.0f}' for look in looks)} ms")
    job = seconds(lambda: usage_days.add_up_all(now=timezone.now()))
    print(f"adding up the rest of the {history.DAYS} days: {job * 1000:.0f} ms")
    failed = {}
    for name, url_name in PAGES.items():
        url = reverse(f"admin:{url_name}")
        times = {large: [], small: []}
        for _ in range(9):
            for company, client in clients.items():
                times[company].append(seconds(lambda: client.get(url)))  # noqa: B023
        with CaptureQueriesContext(connection) as queries:
            assert clients[large].get(url).status_code == 200
        ratio = statistics.median(times[large][1:]) / statistics.median(times[small][1:])
        medians = [f"{statistics.median(times[company][1:]) * 1000:.0f} ms" for company in times]
        print(f"{name}: {medians[0]} ÷ {medians[1]} = {ratio:.2f}, {len(queries)} queries")
        if ratio > 1.5 or len(queries) > 12:
            failed[name] = (round(ratio, 2), len(queries))

    assert failed == {}
