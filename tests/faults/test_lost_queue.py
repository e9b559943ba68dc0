"""The whole queue is lost with 1,000 messages in it: all work is found again and charged once."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

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
        assert cursor.fetchone()[0] >= CALLS
        cursor.execute("TRUNCATE pgmq.q_live, pgmq.q_backfill, pgmq.q_maintenance")
    assert states() == {"PENDING": CALLS}

    sweeping.sweep(now=timezone.now())
    with celery_worker(committed):
        wait_until(lambda: states() == {"DONE": CALLS}, "a worker to read them all", seconds=900)

    assert_read_and_charged_once(acme)
