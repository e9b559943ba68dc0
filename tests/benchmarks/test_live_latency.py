"""A backfill never starves live trackers: how long a new call waits, beside 100,000 old ones.

``python -m pytest -m benchmark tests/benchmarks/test_live_latency.py -s`` prints the figures. The
workers are those of the product, started as it starts them, with the offline analyzer.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import time
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from django.utils import timezone

from config import databases as config_databases
from config.demo import supervisor
from config.embedded_postgres import PROJECT
from tests.support import conversations, databases, people
from tests.support.processes import kill, wait_until
from trackers import backfill_progress, backfills, ingestion
from trackers.models import Backfill, Scan

pytestmark = pytest.mark.benchmark

CONVERSATIONS = int(os.environ.get("BENCHMARK_CONVERSATIONS", "100000"))
PROBES = int(os.environ.get("BENCHMARK_PROBES", "40"))
RATIO_MAX = 2
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
WORDS = (
    "We looked at the proposal and it is more than we planned to spend this year.",
    "The pilot went well and the team would like to keep what they have now.",
    "Could you send the figures for the larger plan before the end of the month?",
    "Let us look at how the warehouse in the south handles returns first.",
    "Our finance lead asked whether the second year would cost the same.",
)


@pytest.fixture
def dsn(django_db_setup, django_db_blocker):
    """A cluster of its own, as durable as one's own is."""
    with django_db_blocker.unblock(), databases.own_server(DURABLE) as server:
        address = databases.address(server)
        with (
            config_databases.pointed_at(address),
            databases.cloned("latency") as dsn,
        ):
            yield dsn


@contextmanager
def workers(dsn: str):
    """Start the product's workers; end each by its process id."""
    with ExitStack() as stack:
        for service in supervisor.services(8000):
            if "worker" not in service.name:
                continue
            process = subprocess.Popen(
                service.command,
                cwd=PROJECT,
                env=config_databases.environment(dsn),
                start_new_session=True,
                preexec_fn=lambda by=service.niceness: os.nice(by),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
            )
            stack.callback(kill, process, 9)
        yield


def call(name: str, started_at):
    turns = [
        {"id": f"u{n}", "speaker": "cr"[n % 2], "start": 4.0 * n, "text": WORDS[n % len(WORDS)]}
        for n in range(10)
    ]
    return conversations.record(name, started_at=started_at, utterances=turns)


def waited(company, name: str) -> float:
    """Take one new call in; return the seconds until its result is there."""
    now = timezone.now()
    began = time.perf_counter()
    conversations.ingest(company, call(name, now), now=now)
    # By its own key: asking for it by name would read all the others, again and again.
    scan_id = Scan.objects.get(company=company, conversation__external_id=name).pk
    while Scan.objects.get(pk=scan_id).state != "DONE":
        assert time.perf_counter() - began < 120, f"{name} was not read."
        time.sleep(0.002)
    return time.perf_counter() - began


def measured(company, name: str) -> list[float]:
    waited(company, f"{name} warm-up")
    found = []
    for number in range(PROBES):
        found.append(waited(company, f"{name} {number}"))
        time.sleep(0.1)
    return found


def test_a_new_call_waits_at_most_twice_as_long_beside_a_backfill_of_100_000(dsn):
    acme = people.company()
    alice = people.alice(acme)
    people.credits_for(acme, "1000000")
    old = timezone.now() - timedelta(days=30)
    records = (call(f"old {n}", old - timedelta(minutes=n)) for n in range(CONVERSATIONS))
    for _ in ingestion.ingest(company=acme, records=records, now=timezone.now()):
        pass
    # As usual the tracker that reads what is new is the one whose history is read.
    tracker = conversations.published(acme, alice, "Live", include_calls=True)

    with workers(dsn):
        idle = measured(acme, "idle")
        backfill = backfills.launch(
            tracker_id=tracker.pk,
            from_at=old - timedelta(days=365),
            to_at=old + timedelta(days=1),
            ceiling=None,
            rates=people.rates(),
            by=alice,
            now=timezone.now(),
        )
        wait_until(lambda: backfill_progress.of(backfill).done > 200, "it to run", seconds=300)
        before, began = backfill_progress.of(backfill).done, time.perf_counter()
        busy = measured(acme, "busy")
        pace = (backfill_progress.of(backfill).done - before) / (time.perf_counter() - began)
        still = Backfill.objects.get(pk=backfill.pk).state

    print(f"\n{CONVERSATIONS:,} conversations, {PROBES} new calls each; backfill {pace:,.0f}/s")
    for name, seconds in (("idle", idle), ("beside the backfill", busy)):
        print(
            f"{name}: median {statistics.median(seconds) * 1000:.0f} ms,"
            f" 90 % within {statistics.quantiles(seconds, n=10)[-1] * 1000:.0f} ms"
        )
    ratio = statistics.median(busy) / statistics.median(idle)
    print(f"ratio of the medians: {ratio:.2f}")
    assert still == "RUNNING"
    assert pace > 0
    assert ratio <= RATIO_MAX
