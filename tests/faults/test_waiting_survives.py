"""What waits for credits survives a worker killed at it, a lost queue and a database restart."""

from __future__ import annotations

import signal
from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.processes import celery_worker, kill, wait_until
from trackers import sweeping, waiting
from trackers.models import Scan
from trackers.waiting import Choice, Decision

CALLS = 60


def count(state: str) -> int:
    return Scan.objects.filter(state=state).count()


def test_every_row_that_waits_is_there_after_a_kill_and_a_lost_queue_and_is_charged_once(committed):
    acme = people.company()
    alice = people.alice(acme)
    people.credits_for(acme, "5")
    now = timezone.now()
    conversations.published(acme, alice, now=now - timedelta(days=60))
    calls = [
        conversations.record(f"call-{n}", started_at=now - timedelta(minutes=n))
        for n in range(CALLS)
    ]
    conversations.ingest(acme, *calls, now=now)

    with celery_worker(committed) as doomed:
        wait_until(lambda: count("WAITING") == CALLS - 10, "all that cannot be paid to wait")
        kill(doomed, signal.SIGKILL)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pgmq.q_live")
    # Those that can be paid may be read, or have been, when the worker dies.
    assert (count("DONE") + count("RUNNING"), count("WAITING")) == (10, 50)
    Scan.objects.filter(state="RUNNING").update(leased_until=timezone.now() - timedelta(seconds=1))
    sweeping.sweep(now=timezone.now())
    assert (count("DONE") + count("PENDING"), count("WAITING")) == (10, 50)
    assert Scan.objects.count() == CALLS
    assert [queue.calls for queue in waiting.queues(company=acme)] == [50]

    people.credits_for(acme, "100")
    decision = Decision(Choice.ALL)
    available = balances.now(company=acme).available
    shown = waiting.preview(company=acme, decision=decision, available=available)
    waiting.decide(company=acme, decision=decision, shown=shown, by=alice, now=timezone.now())
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM pgmq.q_live")
    sweeping.sweep(now=timezone.now())
    with celery_worker(committed):
        wait_until(lambda: count("DONE") == CALLS, "a new worker to read the rest")

    assert Scan.objects.count() == CALLS
    assert sum(event.calls for event in UsageEvent.objects.all()) == CALLS
    assert balances.now(company=acme).remaining == Decimal("75.000")
    assert reconciliation.check() == []
