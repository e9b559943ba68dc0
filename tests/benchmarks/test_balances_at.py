"""The balance at an instant, and a year of days, do not pay for the length of the ledger (issue 7).

``python -m pytest -m benchmark tests/benchmarks/test_balances_at.py -s`` prints each figure, and
what ``check_ledger`` takes on the same books. ``BENCHMARK_ENTRIES`` is 5,000,000.
"""

from __future__ import annotations

import os
import statistics
import time
from datetime import timedelta

import pytest
from django.core.management import call_command
from django.utils import timezone

from config import databases as config_databases
from credits import balances
from tests.benchmarks import books
from tests.support import databases
from tests.support.measuring import backend, cpu_seconds, load

pytestmark = pytest.mark.benchmark

ENTRIES = int(os.environ.get("BENCHMARK_ENTRIES", "5000000"))
FEW = 1000
ROUNDS = 200
CHECK_SECONDS_MAX = 60
NOW = timezone.now()
INSTANTS = {
    "long ago": NOW - timedelta(days=books.DAYS - 2),
    "half a year ago": NOW - timedelta(days=180),
    "yesterday": NOW - timedelta(days=1),
    "in a month": NOW + timedelta(days=30),
}


@pytest.fixture(scope="module")
def companies(django_db_setup, django_db_blocker):
    """Of five million entries a tenth is one company's, the rest in companies of 10,000."""
    with django_db_blocker.unblock(), databases.own_server({"shared_buffers": "512MB"}) as server:
        dsn = databases.address(server)
        with (
            config_databases.pointed_at(dsn),
            config_databases.scratch(dsn, "benchmark") as scratch,
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
def test_the_balance_at_an_instant_does_not_pay_for_the_ledger(companies, name):
    times = {company: [] for company in companies}
    for _ in range(ROUNDS):
        for company in companies:
            instant = INSTANTS[name]
            times[company].append(
                milliseconds(lambda: balances.at(company=company, instant=instant))  # noqa: B023
            )

    small, large = (statistics.median(times[company][20:]) for company in companies)
    print(f"\nat {name}: {large:.2f} ms ÷ {small:.2f} ms = {large / small:.2f}, {load()}")
    assert large / small <= 1.5


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
