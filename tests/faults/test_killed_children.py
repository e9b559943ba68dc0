"""Children of a real worker's pool, and the worker itself, killed with -9 while they read."""

from __future__ import annotations

import os
import signal
from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from credits import balances
from tests.faults import worker_kills
from tests.support import conversations, people
from tests.support.processes import celery_worker, wait_until
from trackers import claiming, wakes
from trackers.models import Scan


def test_killed_children_and_workers_lose_nothing_and_charge_nothing_twice(committed, tmp_path):
    seen = worker_kills.run(dsn=committed, kills=4, seed=1, file=tmp_path / "kills.jsonl")

    assert seen["killed"] == {"child": 3, "worker": 1}
    assert seen["scans"] == 4 * worker_kills.BATCH
    assert (seen["lost"], seen["double"], seen["done_uncharged"]) == (0, 0, 0)
    assert (seen["below_zero"], seen["audit"]) == (0, [])
    assert float(seen["off_by"]) == 0


def test_the_message_of_a_killed_child_comes_back_without_a_sweep(committed, tmp_path):
    """It asked for more than the child had taken: the rest is read by the next child."""
    acme = people.company()
    people.credits_for(acme, "1000")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    fresh = now - timedelta(days=1)
    conversations.ingest(
        acme, *(conversations.record(f"call {one}", started_at=fresh) for one in range(120))
    )
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE pgmq.q_live, pgmq.q_backfill, pgmq.q_maintenance")
    wakes.scan(version_id=tracker.current_version_id, times=1)
    busy = tmp_path / "busy"
    slow = worker_kills.SLOW | {"READING_FILE": str(busy)}

    with celery_worker(committed, concurrency=1, environment=slow):
        wait_until(busy.exists, "a child to be in the middle of a batch", seconds=300)
        taken = Scan.objects.filter(state="RUNNING").count()
        os.kill(int(busy.read_text()), signal.SIGKILL)
        wait_until(
            lambda: Scan.objects.filter(state="DONE").count() == 120 - taken,
            "the next child to read what the killed one had not taken",
            seconds=120,
        )

    assert taken == claiming.BATCH_SIZE_MAX == 100
    assert Scan.objects.filter(state="RUNNING").count() == 100
    assert balances.now(company=acme).remaining == Decimal("990.000")
