"""The whole queue is lost with 1,000 messages in it: all work is found again and charged once."""

from __future__ import annotations

import shutil
import signal
import socket
import subprocess
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from config.celery import app
from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.processes import celery_worker, wait_until
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
        assert cursor.fetchone()[0] == CALLS
        cursor.execute("TRUNCATE pgmq.q_live, pgmq.q_backfill, pgmq.q_maintenance")
    assert states() == {"PENDING": CALLS}

    sweeping.sweep(now=timezone.now())
    with celery_worker(committed):
        wait_until(lambda: states() == {"DONE": CALLS}, "a worker to read them all", seconds=900)

    assert_read_and_charged_once(acme)


@pytest.mark.debian
def test_redis_killed_with_1000_queued_is_made_good_by_the_sweep(committed, tmp_path, monkeypatch):
    acme, tracker = queued_calls()
    port = free_port()
    url = f"redis://127.0.0.1:{port}/0"
    with redis(port, tmp_path) as server, sending_to(url):
        wakes.scan(version_id=tracker.current_version_id, times=CALLS)
        assert length(url) == CALLS
        server.send_signal(signal.SIGKILL)
        server.wait()
    assert states() == {"PENDING": CALLS}

    with redis(port, tmp_path), sending_to(url):
        assert length(url) == 0
        with celery_worker(committed, environment={"CELERY_BROKER_URL": url}):
            sweeping.sweep(now=timezone.now())
            assert Scan.objects.exclude(state="PENDING").exists() or length(url) <= 1
            wait_until(lambda: states() == {"DONE": CALLS}, "a worker to read them", seconds=900)

    assert_read_and_charged_once(acme)


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


@contextmanager
def redis(port: int, folder):
    """Run Debian's Redis with its default persistence; yield its process."""
    program = shutil.which("redis-server")
    assert program, "Debian's redis-server is missing: apt-get install redis-server."
    command = [program, "--port", str(port), "--bind", "127.0.0.1", "--dir", str(folder)]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(port), "Redis")
        yield process
    finally:
        process.kill()
        process.wait()


def answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@contextmanager
def sending_to(url: str):
    """Let this process send its wakes to another broker, as a web process set to it would."""
    from kombu import pools

    before = {name: app.conf.get(name) for name in ("broker_url", "broker_transport_options")}
    app.conf.update(broker_url=url, broker_write_url=url, broker_transport_options={})
    app.pool.force_close_all()
    pools.reset()
    app._pool = None
    app.amqp._producer_pool = None
    try:
        yield
    finally:
        pools.reset()
        app._pool = None
        app.amqp._producer_pool = None
        app.conf.update(broker_write_url=None, **before)


def length(url: str) -> int:
    """Return how many messages the live queue holds."""
    import redis as client

    connection = client.Redis.from_url(url)
    try:
        return connection.llen("live")
    finally:
        connection.close()
