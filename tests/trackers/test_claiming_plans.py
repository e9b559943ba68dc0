"""What a worker looks at to find its next work does not grow with what is queued beside it."""

from __future__ import annotations

import json
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import backfills, claiming
from trackers.models import Conversation, Scan

pytestmark = pytest.mark.django_db

QUEUED = 10_000


def queue(scan: Scan) -> None:
    """Queue the same for many calls that are older, by copies of a scan and of its call."""
    copy_call(scan.conversation_id)
    rest = _copied("trackers_scan")
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO trackers_scan"
            f" (id, conversation_id, conversation_started_at, {rest})"
            "  SELECT uuidv7(), call.id,"
            "         scan.conversation_started_at - row_number() OVER () * interval '1 minute',"
            f"        {', '.join(f'scan.{name}' for name in rest.split(', '))}"
            "  FROM trackers_scan AS scan, trackers_conversation AS call"
            "  WHERE scan.id = %s AND call.external_id LIKE 'old %%'",
            [scan.pk],
        )
        cursor.execute("ANALYZE trackers_scan, trackers_conversation")


def copy_call(conversation_id) -> None:
    call = _copied("trackers_conversation")
    with connection.cursor() as cursor:
        cursor.execute(
            f"INSERT INTO trackers_conversation (id, external_id, {call})"
            f" SELECT uuidv7(), 'old ' || number, {call}"
            "  FROM trackers_conversation, generate_series(1, %s) AS number WHERE id = %s",
            [QUEUED, conversation_id],
        )


def _copied(table: str) -> str:
    own = ("id", "external_id", "conversation_id", "conversation_started_at")
    return ", ".join(name for name in _columns(table) if name not in own)


def _columns(table: str) -> list[str]:
    with connection.cursor() as cursor:
        return [one.name for one in connection.introspection.get_table_description(cursor, table)]


@pytest.fixture
def tracker(acme, alice, now):
    """A published tracker, and a call of last month that it has not read."""
    people.credits_for(acme, "6000")
    conversations.ingest(acme, record("old", started_at=now - timedelta(days=30)), now=now)
    return conversations.published(acme, alice, "Price", now=now - timedelta(days=1))


@pytest.fixture
def launch(tracker, alice, now):
    def launching():
        return backfills.launch(
            tracker_id=tracker.pk,
            from_at=now - timedelta(days=90),
            to_at=now - timedelta(days=1),
            ceiling=None,
            rates=people.rates(),
            by=alice,
            now=now,
        )

    return launching


@pytest.fixture
def backfill(launch):
    """The tracker's backfill with one call."""
    return launch()


def passed_over(work) -> int:
    """Return how many queued scans the statements of some work read in vain."""
    with CaptureQueriesContext(connection) as captured:
        work()
    found = 0
    for one in captured.captured_queries:
        if "trackers_scan" in one["sql"] and "SELECT" in one["sql"] and "due_at" in one["sql"]:
            with connection.cursor() as cursor:
                cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {one['sql']}")
                (plan,) = cursor.fetchone()
            plan = json.loads(plan) if isinstance(plan, str) else plan
            found += _removed(plan[0]["Plan"])
    return found


def _removed(node) -> int:
    mine = node.get("Rows Removed by Filter", 0) * node["Actual Loops"]
    return mine + sum(_removed(child) for child in node.get("Plans", []))


def due(now, version_id, backfill_id=None, among=None):
    def look():
        claiming.has_work(version_id=version_id, backfill_id=backfill_id, now=now)
        claiming._lock_due(version_id, backfill_id, now, 100, among)

    return look


def test_what_is_new_is_not_looked_for_behind_the_tracker_s_own_backfill(acme, backfill, now):
    queue(Scan.objects.get())
    conversations.ingest(acme, record("new", started_at=now), now=now)

    assert passed_over(due(now, backfill.version_id)) < 10


def test_a_backfill_that_has_just_begun_is_known_to_be_long(acme, tracker, launch, now):
    """Nobody waits for autovacuum: until it comes by, all plans would look equally good."""
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE trackers_scan, trackers_conversation")
    copy_call(Conversation.objects.get().pk)
    backfill = launch()
    conversations.ingest(acme, record("new", started_at=now), now=now)

    assert backfill.conversation_count == QUEUED + 1
    assert passed_over(due(now, backfill.version_id)) < 10
    with connection.cursor() as cursor:
        cursor.execute("SELECT reltuples FROM pg_class WHERE relname = 'trackers_scan'")
        [(known,)] = cursor.fetchall()
    assert known > QUEUED


def test_a_backfill_is_not_looked_for_behind_what_is_new(acme, backfill, now):
    conversations.ingest(acme, record("new", started_at=now), now=now)
    queue(Scan.objects.get(conversation__external_id="new"))

    assert passed_over(due(now, backfill.version_id, backfill.pk)) < 10


def test_what_another_tracker_has_queued_of_named_calls_is_found_by_their_names(acme, alice, now):
    tracker = conversations.published(acme, alice, "Price", now=now - timedelta(days=1))
    names = [f"new {number}" for number in range(100)]
    conversations.ingest(acme, *(record(name, started_at=now) for name in names), now=now)
    new = list(Scan.objects.order_by("pk"))
    queue(new[0])

    looked = due(now, tracker.current_version_id, among=[one.conversation_id for one in new])

    assert passed_over(looked) < 10
