"""The whole queue is lost with 1,000 messages in it: all work is found again and charged once."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from config import databases
from config.embedded_postgres import PROJECT
from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.processes import celery_worker, kill, wait_until
from tests.support.rabbitmq import RabbitMQ
from trackers import sweeping, wakes
from trackers.models import Scan

CALLS = 1000


def queued_calls():
    """Return a company with 1,000 calls to read for a published tracker, and that tracker."""
    acme = people.company()
    people.credits_for(acme, "1000")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    fresh = now - timedelta(days=1)
    calls = [conversations.record(f"call-{n}", started_at=fresh) for n in range(CALLS)]
    conversations.ingest(acme, *calls, now=now)
    return acme, tracker


def states() -> dict[str, int]:
    found: dict[str, int] = {}
    for state in Scan.objects.values_list("state", flat=True):
        found[state] = found.get(state, 0) + 1
    return found


def assert_read_and_charged_once(company) -> None:
    assert states() == {"DONE": CALLS}
    assert sum(event.calls for event in UsageEvent.objects.all()) == CALLS
    assert balances.now(company=company).remaining == Decimal("500.000")
    assert balances.now(company=company).reserved == Decimal("0.000")
    assert reconciliation.check() == []


def test_a_truncated_queue_of_1000_is_made_good_by_the_sweep(committed):
    acme, tracker = queued_calls()
    wakes.scan(version_id=tracker.current_version_id, times=CALLS - 1)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pgmq.q_live")
        assert cursor.fetchone()[0] >= CALLS
        cursor.execute("TRUNCATE pgmq.q_live, pgmq.q_backfill, pgmq.q_maintenance")
    assert states() == {"PENDING": CALLS}

    sweeping.sweep(now=timezone.now())
    with celery_worker(committed):
        wait_until(lambda: states() == {"DONE": CALLS}, "a worker to read them all", seconds=900)

    assert_read_and_charged_once(acme)


@pytest.mark.debian
def test_a_killed_rabbitmq_that_lost_1000_messages_is_made_good_by_the_sweep(committed, tmp_path):
    acme, tracker = queued_calls()
    broker = RabbitMQ(tmp_path)
    asking = (
        f"from trackers import wakes; "
        f"wakes.scan(version_id={str(tracker.current_version_id)!r}, times={CALLS})"
    )
    with broker.running() as server:
        run(committed, broker, asking)
        assert broker.length("live") == CALLS
        kill(server, signal.SIGKILL)
    broker.lose_the_disk()
    assert states() == {"PENDING": CALLS}

    with broker.running(), celery_worker(committed, environment={"CELERY_BROKER_URL": broker.url}):
        assert broker.length("live") == 0
        run(committed, broker, SWEEPING)
        wait_until(lambda: states() == {"DONE": CALLS}, "a worker to read them all", seconds=900)

    assert_read_and_charged_once(acme)


SWEEPING = (
    "from django.utils import timezone; from trackers import sweeping; "
    "print(sweeping.sweep(now=timezone.now()))"
)


def run(dsn: str, broker: RabbitMQ, code: str) -> None:
    """Run code in a process that is set to the broker, as the web process or beat would be."""
    subprocess.run(
        [sys.executable, "manage.py", "shell", "--no-imports", "-c", code],
        cwd=PROJECT,
        env=databases.environment(dsn) | {"CELERY_BROKER_URL": broker.url},
        check=True,
    )
