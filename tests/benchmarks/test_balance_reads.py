"""What reading the balance by API costs: the question every client asks before it does anything.

``python -m pytest -m benchmark tests/benchmarks/test_balance_reads.py -s`` prints each figure, by
the clock and by processor time. Requests go through the whole of Django's handler, middleware
included, on one connection that stays open: a server that opens one a request, or a client in the
same process, would add as much to both sides of a ratio and flatter it.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import psycopg
import pytest
from django.core.handlers.base import BaseHandler
from django.test import RequestFactory
from django.urls import path
from rest_framework.response import Response

from config import databases as config_databases
from config.embedded_postgres import PROJECT
from config.urls import urlpatterns as served
from credits.api import balance
from credits.models import CreditPool
from tests.benchmarks import history
from tests.benchmarks.writer import FLAT_OUT
from tests.support import api, databases, measuring, people

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("BENCHMARK_ROWS", "1000000"))
SLICES = int(os.environ.get("BENCHMARK_SLICES", "31"))
REQUESTS = 40
ROUNDS, READS = 6, 200
SPEED_MIN = 0.6
GROWTH_MAX = 1.1
WAIT_MAX = 3
WRITERS = 8
# Charges a second of each writer: together 40, where a company's programs may ask 3 times.
STEADY = "5"
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
UNLIMITED = 1_000_000
BALANCE, CONSTANT = "/api/v1/balance", "/api/v1/constant"


class ConstantView(balance.BalanceView):
    """The same view, but for the work: same key, tallies, parameters, headers and renderer."""

    def get(self, request):
        return Response(balance.NOW_EXAMPLE)


urlpatterns = [path("api/v1/constant", ConstantView.as_view()), *served]


@pytest.fixture
def dsn(django_db_setup, django_db_blocker):
    """A cluster of its own, as durable as one's own is."""
    cluster = databases.own_server(DURABLE, start_from=databases.kept_cluster())
    with django_db_blocker.unblock(), cluster as server:
        address = databases.address(server)
        with config_databases.pointed_at(address), databases.cloned("balances") as dsn:
            yield dsn


@pytest.fixture(autouse=True)
def _unlimited(settings):
    settings.ROOT_URLCONF = __name__
    settings.API_REQUESTS_PER_DAY = UNLIMITED


@pytest.fixture
def admit(dsn):
    """Forget the requests of the last second, untimed and beside: three are let in each second."""
    with psycopg.connect(dsn, autocommit=True) as beside:
        yield lambda: beside.execute("UPDATE credits_requesttally SET recent_at = '{}'")


@dataclass(frozen=True, slots=True)
class Reader:
    """A program with a key, at a handler of the product's own."""

    handler: BaseHandler
    key: str

    @classmethod
    def of(cls, company) -> Reader:
        handler = BaseHandler()
        handler.load_middleware()
        return cls(handler, api.key(company).text)

    def read(self, address: str):
        request = RequestFactory(headers={"authorization": f"Bearer {self.key}"}).get(address)
        response = self.handler.get_response(request)
        assert response.status_code == 200, response.content
        return response


Slice = tuple[float, float, float]


def slice_of(act: Callable[[], object], admit: Callable[[], object]) -> Slice:
    """Return seconds a request: by the clock, of this process, of the database's process.

    The first two are medians: beside other work a request now and then waits for a core.
    """
    database = measuring.backend()
    clocks, heres = [], []
    there = measuring.cpu_seconds(database)
    for _ in range(REQUESTS):
        admit()
        began, began_here = time.perf_counter(), time.process_time()
        act()
        heres.append(time.process_time() - began_here)
        clocks.append(time.perf_counter() - began)
    there = measuring.cpu_seconds(database) - there
    return statistics.median(clocks), statistics.median(heres), there / REQUESTS


def ratios(
    acts: dict[str, Callable[[], object]], admit: Callable[[], object]
) -> tuple[float, float]:
    """Return the first act's time ÷ the second's, by the clock and by processor time.

    Short slices in turn, so that a busy machine slows both; by the clock it is the median of their
    ratios. The kernel counts the database's time in hundredths of a second, which only means show.
    """
    found: dict[str, list[Slice]] = {name: [] for name in acts}
    for act in acts.values():
        slice_of(act, admit)  # What is loaded once is loaded.
    for _ in range(SLICES):
        for name, act in acts.items():
            found[name].append(slice_of(act, admit))
    processor = []
    for name, slices in found.items():
        clocks, heres, theres = zip(*slices, strict=True)
        processor.append(statistics.median(heres) + statistics.mean(theres))
        print(f"\n{name}: {statistics.median(clocks) * 1e6:,.0f} µs,", end=" ")
        print(f"{processor[-1] * 1e6:,.0f} of processor", end="")
    first, second = found.values()
    by_clock = statistics.median(mine[0] / its[0] for mine, its in zip(first, second, strict=True))
    by_processor = processor[0] / processor[1]
    print(f"\n{' ÷ '.join(acts)}: {by_clock:.2f} by the clock, {by_processor:.2f} by processor")
    print(f"{SLICES} slices of {REQUESTS}, {measuring.load()}")
    return by_clock, by_processor


def test_the_balance_is_read_at_six_tenths_of_the_speed_of_a_constant(dsn, admit):
    acme = people.company()
    people.credits_for(acme, "1000")
    reader = Reader.of(acme)
    reads = {"constant": CONSTANT, "balance": BALANCE}

    by_clock, by_processor = ratios(
        {name: partial(reader.read, address) for name, address in reads.items()}, admit
    )

    assert by_clock >= SPEED_MIN
    assert by_processor >= SPEED_MIN


def test_the_balance_is_read_as_fast_with_a_million_ledger_rows_as_with_a_thousand(dsn, admit):
    few, many = history.company_with(1_000, "Few"), history.company_with(ROWS, "Many")
    history.analyze()
    assert CreditPool.objects.get(company=many).sequence == ROWS + 1
    readers = {f"{ROWS:,} rows": Reader.of(many), "1k rows": Reader.of(few)}

    by_clock, _ = ratios(
        {name: partial(reader.read, BALANCE) for name, reader in readers.items()}, admit
    )

    assert by_clock <= GROWTH_MAX


class Writers:
    """Eight processes that charge one company or the other, at a pace, or rest."""

    def __init__(self, dsn: str) -> None:
        command = [sys.executable, "-m", "tests.benchmarks.writer"]
        self._all = [
            subprocess.Popen(
                command,
                cwd=PROJECT,
                env=config_databases.environment(dsn),
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(WRITERS)
        ]

    def charge(self, company, pace: str) -> int:
        """Let all charge a company from now on; return how many charges they made until now."""
        for one in self._all:
            one.stdin.write(f"{company.pk} {pace}\n")
            one.stdin.flush()
        return sum(int(one.stdout.readline()) for one in self._all)

    def end(self) -> None:
        for one in self._all:
            one.stdin.close()
            one.wait(timeout=60)
            one.stdout.close()


@pytest.fixture
def writers(dsn):
    made = Writers(dsn)
    try:
        yield made
    finally:
        made.end()


def p99(seconds: list[float]) -> float:
    return statistics.quantiles(seconds, n=100)[98] * 1e3


@pytest.mark.parametrize("pace", [STEADY, FLAT_OUT], ids=["steady", "flat_out"])
def test_reading_waits_for_no_writer(dsn, admit, writers, pace):
    """Compare p99 while eight charge this company with p99 at rest, and while they charge another.

    At a steady pace, more than ten times what a company's programs may ask by API, at rest is what
    counts. Flat out, eight processes and their connections also want both cores for themselves:
    what the ledger adds shows against the same eight charging another company.
    """
    acme, other = people.company("Acme"), people.company("Other")
    for company in (acme, other):
        people.credits_for(company, "1000000")
    reader = Reader.of(acme)
    phases = {"at rest": (acme, "0"), "another's": (other, pace), "this one's": (acme, pace)}
    found: dict[str, list[float]] = {name: [] for name in phases}
    made = dict.fromkeys(phases, 0)
    writers.charge(acme, "0")
    slice_of(lambda: reader.read(BALANCE), admit)

    began = time.monotonic()
    for _ in range(ROUNDS):
        for name, (company, its_pace) in phases.items():
            writers.charge(company, its_pace)
            for _ in range(READS):
                admit()
                sent = time.perf_counter()
                reader.read(BALANCE)
                found[name].append(time.perf_counter() - sent)
            made[name] += writers.charge(acme, "0")
    seconds = (time.monotonic() - began) / len(phases)

    for name, times in found.items():
        median = statistics.median(times) * 1e3
        print(
            f"\n{name}: p99 {p99(times):.1f} ms, median {median:.1f}, {made[name]} charges", end=""
        )
    print(f"\n≈ {seconds:.0f} s each, {measuring.load()}")
    assert made["this one's"] > 0
    assert made["another's"] > 0
    assert p99(found["this one's"]) <= WAIT_MAX * p99(
        found["at rest" if pace == STEADY else "another's"]
    )
