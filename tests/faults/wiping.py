"""Truncate the queue's tables while a real worker works, with 1,000 messages in them each time.

More come as the worker takes some, so that there are as many at the very wipe.
"""

from __future__ import annotations

import json
import random
import time
from datetime import timedelta
from pathlib import Path

from django.db import connection, transaction
from django.utils import timezone

from tests.faults import worker_kills
from tests.support import conversations, people
from tests.support.processes import celery_worker, wait_until
from trackers import sweeping, wakes
from trackers.models import Scan

MESSAGES = 1000
CALLS = 100  # New work before each wipe.


def run(*, dsn: str, wipes: int, seed: int, file: Path) -> dict:
    """Wipe so often; return what is there when the sweep has found everything again."""
    dice, began = random.Random(seed), time.monotonic()
    acme = people.company()
    people.credits_for(acme, "1000000")
    tracker = conversations.published(
        acme, people.alice(acme), now=timezone.now() - timedelta(days=60)
    )
    fresh = timezone.now() - timedelta(days=1)
    with open(file, "w", buffering=1) as record, celery_worker(dsn, concurrency=2):
        for number in range(wipes):
            names = [f"call-{number}-{one}" for one in range(CALLS)]
            conversations.ingest(
                acme, *(conversations.record(name, started_at=fresh) for name in names)
            )
            time.sleep(dice.uniform(0, 0.5))
            queued = _wiped(tracker)
            left = Scan.objects.exclude(state="DONE").count()
            line = {"wipe": number, "seed": seed, "queued": queued, "unread": left}
            record.write(json.dumps(line) + "\n")
            wait_until(_swept, "the sweep and the worker to read all", seconds=600)
    seen = worker_kills.judged(acme)
    return seen | {"wipes": wipes, "seed": seed, "seconds": round(time.monotonic() - began, 1)}


def _wiped(tracker) -> int:
    """Truncate the queue once it is full, all at one time; return how many messages it had."""
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            # Whoever takes or sends a message waits meanwhile, so that what is counted is lost.
            cursor.execute("LOCK TABLE pgmq.q_live, pgmq.q_backfill, pgmq.q_maintenance")
            cursor.execute("SELECT count(*) FROM pgmq.q_live")
            (queued,) = cursor.fetchone()
            if queued >= MESSAGES:
                cursor.execute("TRUNCATE pgmq.q_live, pgmq.q_backfill, pgmq.q_maintenance")
                return queued
        wakes.scan(version_id=tracker.current_version_id, times=MESSAGES - queued + 100)


def _swept() -> bool:
    """Sweep as the schedule would, until all is read."""
    if not Scan.objects.exclude(state="DONE").exists():
        return True
    sweeping.sweep(now=timezone.now())
    time.sleep(0.5)
    return False
