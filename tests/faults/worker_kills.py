"""Kill real Celery workers with -9 while they read: a child of the pool, or all of it, in turn."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import Counter
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

from django.utils import timezone

from credits import balances, reconciliation
from credits.models import LedgerEntry, UsageEvent
from tests.support import conversations, people
from tests.support.processes import celery_worker, kill, wait_until
from trackers import sweeping, wakes
from trackers.models import Scan

SLOW = {
    "TALLYSTICK_ANALYZER": "tests.faults.analyzers.SlowAnalyzer",
    "READING_SECONDS": "0.1",
}
BATCH = 60  # New calls before each kill, so that there is always something to be in the middle of.
PER_WORKER = 4  # Every fourth kill ends the whole worker; those between one of its children.


def run(*, dsn: str, kills: int, seed: int, file: Path) -> dict:
    """Kill so often in the middle of a batch; return what is there when all has been read."""
    dice, began = random.Random(seed), time.monotonic()
    acme = people.company()
    people.credits_for(acme, "1000000")
    tracker = conversations.published(
        acme, people.alice(acme), now=timezone.now() - timedelta(days=60)
    )
    killed, done = Counter(), 0
    with open(file, "w", buffering=1) as record:
        while done < kills:
            busy = file.with_suffix(".busy")
            slow = SLOW | {"READING_FILE": str(busy)}
            with celery_worker(dsn, concurrency=2, environment=slow) as worker:
                for number in range(PER_WORKER):
                    _more(acme, done)
                    _made_good(tracker)
                    time.sleep(dice.uniform(0, 0.3))
                    busy.unlink(missing_ok=True)
                    wait_until(busy.exists, "a worker to be in the middle of a batch", seconds=900)
                    whole = number == PER_WORKER - 1 or done + 1 == kills
                    what = "worker" if whole else "child"
                    kill(worker, signal.SIGKILL) if whole else _kill(busy)
                    killed[what] += 1
                    record.write(json.dumps({"kill": done, "seed": seed, "what": what}) + "\n")
                    done += 1
                    if whole:
                        break
    _made_good(tracker)
    with celery_worker(dsn, concurrency=2, environment=SLOW | {"READING_SECONDS": "0"}):
        wait_until(lambda: _all_done(tracker), "another worker to read the rest", seconds=900)
    seconds = round(time.monotonic() - began, 1)
    return judged(acme) | {"killed": killed, "seed": seed, "seconds": seconds}


def _more(company, number: int) -> None:
    fresh = timezone.now() - timedelta(days=1)
    names = [f"call-{number}-{one}" for one in range(BATCH)]
    conversations.ingest(company, *(conversations.record(name, started_at=fresh) for name in names))


def _made_good(tracker) -> None:
    """What five minutes, and the schedule, would do. Only what no process is on any more."""
    past = timezone.now() - timedelta(seconds=1)
    # The lease of a live worker runs out, too: it writes nothing then, which is part of the test.
    Scan.objects.filter(state="RUNNING").update(leased_until=past)
    # A kill is no fault of the conversation's: those that met five of them are given five more.
    Scan.objects.filter(state__in=["PENDING", "RUNNING"]).update(attempts=0)
    sweeping.sweep(now=timezone.now())
    wakes.scan(version_id=tracker.current_version_id, times=2)


def _kill(busy: Path) -> None:
    """Kill the child that reads, as the kernel does when memory runs out.

    Not one that waits for a task: it has the lock that its siblings wait for, and Celery's pool
    does not get over that (docs/reliability.md).
    """
    os.kill(int(busy.read_text()), signal.SIGKILL)


def _all_done(tracker) -> bool:
    left = Scan.objects.exclude(state="DONE")
    if left.exists():
        _sweep_the_dead()
    return not left.exists()


def _sweep_the_dead() -> None:
    sweeping.sweep(now=timezone.now())
    time.sleep(0.5)


def judged(company) -> dict:
    events = UsageEvent.objects.filter(company=company)
    read = Scan.objects.filter(company=company, state="DONE")
    charged = sum(event.calls for event in events)
    balance = balances.now(company=company)
    return {
        "scans": Scan.objects.count(),
        "lost": Scan.objects.exclude(state="DONE").count(),
        "double": charged - read.count(),
        "done_uncharged": read.filter(usage_event=None).count(),
        "below_zero": LedgerEntry.objects.filter(balance_after__lt=Decimal(0)).count(),
        "off_by": str(Decimal(1_000_000) - balance.remaining - charged * Decimal("0.5")),
        "audit": [str(breach) for breach in reconciliation.check()],
    }
