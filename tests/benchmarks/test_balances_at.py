"""The balance at an instant, and a year of days, do not pay for the length of the ledger (issue 7).

``python -m pytest -m benchmark tests/benchmarks/test_balances_at.py -s`` prints each figure, and
what ``check_ledger`` takes on the same books, and a charge beside one in a database of a thousand
entries. ``BENCHMARK_ENTRIES`` is 5,000,000.
"""

from __future__ import annotations

import os
import statistics
import time
from datetime import timedelta

import psycopg
import pytest
from django.core.management import call_command
from django.utils import timezone

from config import databases as config_databases
from credits import balances
from credits.identifiers import new_id
from tests.benchmarks import books
from tests.benchmarks.test_charge_costs import CHARGE
from tests.support import databases
from tests.support.measuring import backend, cpu_seconds, load

pytestmark = pytest.mark.benchmark

ENTRIES = int(os.environ.get("BENCHMARK_ENTRIES", "5000000"))
FEW = 1000
ROUNDS = 200
CHECK_SECONDS_MAX = 60
SLICES, CHARGES, GROWTH_MAX = 9, 300, 1.2
NOW = timezone.now()
INSTANTS = {
    "long ago": NOW - timedelta(days=books.DAYS - 2),
    "half a year ago": NOW - timedelta(days=180),
    "yesterday": NOW - timedelta(days=1),
    "in a month": NOW + timedelta(days=30),
}


@pytest.fixture(scope="module")
def server(django_db_setup, django_db_blocker):
    with (
        django_db_blocker.unblock(),
        databases.own_server({"shared_buffers": "512MB"}) as server,
        config_databases.pointed_at(databases.address(server)),
    ):
        yield databases.address(server)


@pytest.fixture(scope="module")
def little(server):
    """Another database of the server, with a thousand entries: its address and the company."""
    with config_databases.scratch(server, "little") as scratch:
        with config_databases.pointed_at(scratch):
            company = books.company_with(FEW, "Little")
            books.analyze()
        yield scratch, company


@pytest.fixture(scope="module")
def companies(server, little):
    """Of five million entries a fifth is one company's, the rest in companies of 10,000."""
    with (
        config_databases.scratch(server, "benchmark") as scratch,
        config_databases.pointed_at(scratch),
    ):
        small = books.company_with(FEW, "Small")
        large = books.company_with(ENTRIES // 5, "Large")
        for number in range((ENTRIES - ENTRIES // 5) // 10_000):
            books.company_with(10_000, f"Middle {number}")
        books.analyze()
        yield small, large


def milliseconds(work) -> float:
    began = time.perf_counter()
    work()
    return (time.perf_counter() - began) * 1000


@pytest.mark.parametrize("name", INSTANTS)
def test_the_balance_at_an_instant_does_not_pay_for_the_ledger(companies, little, name):
    """Neither for its company's entries nor for all companies' in the database."""
    small, large = companies
    here, instant = config_databases.dsn(), INSTANTS[name]
    places = {"alone": little, "small": (here, small), "large": (here, large)}
    times: dict[str, list[float]] = {place: [] for place in places}
    for _ in range(SLICES):
        for place, (dsn, company) in places.items():
            with config_databases.pointed_at(dsn):
                found = [
                    milliseconds(lambda: balances.at(company=company, instant=instant))  # noqa: B023
                    for _ in range(ROUNDS // SLICES)
                ]
            times[place].extend(found[5:])  # The first few on a new connection make its plans.

    alone, small_one, large_one = (statistics.median(found) for found in times.values())
    print(
        f"\nat {name}: {large_one:.2f} ms for {ENTRIES // 5:,} of {ENTRIES:,} entries,"
        f" {small_one:.2f} for {FEW:,} of them, {alone:.2f} where there are {FEW:,} in all:"
        f" {large_one / small_one:.2f} and {large_one / alone:.2f}, {load()}"
    )
    assert large_one / small_one <= 1.5
    assert large_one / alone <= 1.5


def test_a_year_of_days_takes_at_most_twenty_milliseconds(companies):
    _, large = companies
    last = NOW.date()
    first = last - timedelta(days=364)

    server, began = backend(), time.process_time()
    before = cpu_seconds(server)

    times = [
        milliseconds(lambda: balances.daily(company=large, first=first, last=last))
        for _ in range(ROUNDS)
    ]

    # What other work on the machine disturbs little.
    worked = 1000 * (time.process_time() - began + cpu_seconds(server) - before) / ROUNDS
    median = statistics.median(times[20:])
    print(f"\na year of days: {median:.1f} ms, {worked:.1f} ms of it work, {load()}")
    assert worked <= 20


def test_check_ledger_takes_at_most_a_minute(companies):
    took = milliseconds(lambda: call_command("check_ledger")) / 1000

    print(f"check_ledger: {took:.0f} s for {ENTRIES:,} entries, {load()}")
    assert took <= CHECK_SECONDS_MAX


def test_a_charge_takes_as_long_after_five_million_entries(companies, little):
    """By turns in two databases of one server; without waiting for the disk, which hides much."""
    _, large = companies
    places = {
        f"{FEW:,} entries": little,
        f"{ENTRIES:,} entries": (config_databases.dsn(), large),
    }
    times: dict[str, list[float]] = {name: [] for name in places}
    for slice_number in range(SLICES + 1):
        for name, (dsn, company) in places.items():
            with psycopg.connect(dsn, autocommit=True) as client:
                client.execute("SET synchronous_commit = off")
                client.execute(CHARGE, [company.pk, new_id()])
                took = milliseconds(lambda: charge(client, company.pk))  # noqa: B023
            if slice_number:  # The first warms both up.
                times[name].append(took / CHARGES)

    few, many = (statistics.median(found) for found in times.values())
    print(f"\na charge: {many:.2f} ms ÷ {few:.2f} ms = {many / few:.2f}, {load()}")
    assert many / few <= GROWTH_MAX


def charge(client: psycopg.Connection, company_id: int) -> None:
    for _ in range(CHARGES):
        client.execute(CHARGE, [company_id, new_id()])
