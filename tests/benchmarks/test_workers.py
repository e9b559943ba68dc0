"""What a second worker process adds, and what memory a worker keeps (issue 4).

``python -m pytest -m benchmark tests/benchmarks/test_workers.py -s`` prints the figures. Workers
are real Celery processes with the offline analyzer; ``ps`` shows them at work. Two of them on two
idle cores shall scan 1.5 times as fast as one (aim 1.8); the server needs its share of the cores.
``BENCHMARK_CONVERSATIONS`` and ``BENCHMARK_WORDS`` say what is scanned. The memory over as many
scans as the issue names takes several minutes on idle cores:
``BENCHMARK_SCANS=100000 nice python -m pytest -m benchmark tests/benchmarks/test_workers.py -s
-k memory``.
"""

from __future__ import annotations

import os
import subprocess
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from config import databases as config_databases
from tests.benchmarks.test_scanning import call
from tests.support import conversations, databases, measuring, people, processes
from trackers import backfill_progress, backfills, ingestion
from trackers.models import Backfill

pytestmark = pytest.mark.benchmark

CONVERSATIONS = int(os.environ.get("BENCHMARK_CONVERSATIONS", "6000"))
SCANS = int(os.environ.get("BENCHMARK_SCANS", "12000"))
ROUNDS = 3
RATIO_MIN, RATIO_AIM = 1.5, 1.8
GROWTH_MB_MAX = 20
MEMORY_EVERY = 20_000  # Scans between two figures that are printed.
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}


@pytest.fixture
def dsn(django_db_setup, django_db_blocker):
    with (
        django_db_blocker.unblock(),
        databases.own_server(DURABLE) as server,
        config_databases.pointed_at(databases.address(server)),
        databases.cloned("workers") as dsn,
    ):
        yield dsn


@pytest.fixture
def acme(dsn):
    acme = people.company()
    people.credits_for(acme, "10000000")
    old = timezone.now() - timedelta(days=30)
    for _ in ingestion.ingest(
        company=acme,
        records=(call(number, old) for number in range(CONVERSATIONS)),
        now=timezone.now(),
    ):
        pass
    return acme


def scanned(acme, alice, name: str) -> tuple[int, float]:
    """Scan all by a backfill of a new tracker; return how many a clock saw done in what time.

    Whatever comes before the first batch is written is not looked at: starting, calibrating.
    """
    tracker = conversations.published(acme, alice, name)
    now = timezone.now()
    backfill = backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=365),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )
    processes.wait_until(lambda: done(backfill) >= 100, "the first batch", seconds=300)
    first, began = done(backfill), time.perf_counter()
    processes.wait_until(lambda: done(backfill) >= CONVERSATIONS, "the last batch", seconds=3000)
    assert Backfill.objects.get(pk=backfill.pk).conversation_count == CONVERSATIONS
    return CONVERSATIONS - first, time.perf_counter() - began


def done(backfill: Backfill) -> int:
    return backfill_progress.of(backfill).done


def children(worker: subprocess.Popen) -> list[int]:
    """Return the processes that do a worker's tasks."""
    listed = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(worker.pid)], capture_output=True, text=True, check=True
    )
    return [int(pid) for pid in listed.stdout.split()]


def show(worker: subprocess.Popen) -> None:
    columns = ["ps", "-o", "pid,ppid,time,rss,args", "--pid", str(worker.pid)]
    print(
        subprocess.run(
            [*columns, "--ppid", str(worker.pid)], capture_output=True, text=True, check=True
        ).stdout
    )


def test_two_worker_processes_scan_at_least_one_and_a_half_times_as_fast(dsn, acme):
    alice = people.alice(acme)
    rates: dict[int, list[float]] = {1: [], 2: []}
    with processes.celery_worker(dsn, concurrency=1):
        scanned(acme, alice, "Stores the vectors")
    for place in range(ROUNDS):
        for count in (1, 2):
            with processes.celery_worker(dsn, concurrency=count) as worker:
                number, seconds = scanned(acme, alice, f"Round {place} by {count}")
                show(worker)
                assert len(children(worker)) == count
            rates[count].append(number / seconds)
            print(f"{count} process(es): {rates[count][-1]:,.0f} a second; {measuring.load()}")

    ratios = sorted(two / one for one, two in zip(rates[1], rates[2], strict=True))
    ratio = ratios[ROUNDS // 2]
    print(f"two processes ÷ one: {ratio:.2f} (wanted ≥ {RATIO_MIN}, aim {RATIO_AIM})")
    assert ratio >= RATIO_MIN


def test_a_worker_s_memory_stays_flat(dsn, acme):
    alice = people.alice(acme)
    with processes.celery_worker(dsn, concurrency=1) as worker:
        scanned(acme, alice, "Warm-up")
        (child,) = children(worker)
        found = [(0, measuring.resident_mb(child))]
        print(f"{found[0][1]:.0f} MB after a warm-up of {CONVERSATIONS:,} scans")
        while found[-1][0] < SCANS:
            count = found[-1][0] + CONVERSATIONS
            scanned(acme, alice, f"{count} scans")
            found.append((count, measuring.resident_mb(child)))
            if count % MEMORY_EVERY < CONVERSATIONS or count >= SCANS:
                print(f"{found[-1][1]:.0f} MB after {count:,} more", flush=True)
        assert children(worker) == [child]

    grown = max(size for _, size in found) - found[0][1]
    print(f"at most {grown:.0f} MB more (wanted ≤ {GROWTH_MB_MAX} MB); {measuring.load()}")
    assert grown <= GROWTH_MB_MAX
