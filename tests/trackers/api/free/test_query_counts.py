"""No operation asks the database more, the more rows a company has."""

from __future__ import annotations

from datetime import timedelta

from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credits.models import ApiKey
from tests.support import conversations
from tests.support.conversations import record
from trackers import scanning

LISTS = (
    *("trackers", "backfills", "results", "results/lines?by=ACCOUNT", "conversations"),
    "results?judged=CONFIRMED",
)


def count_queries(program, path: str) -> int:
    with CaptureQueriesContext(connection) as captured:
        answer = program.client.get(f"/api/v1/{path}")
    assert answer.status_code == 200
    return len(captured)


def test_no_list_asks_more_the_more_rows_there_are(program, acme, tess, tracker, result):
    # The use of a key is noted once a minute, by a query of its own: not within this test.
    ApiKey.objects.update(last_used_at=timezone.now() + timedelta(days=1))
    program.post("backfills", {"tracker": str(tracker.pk)})
    few = {path: count_queries(program, path) for path in LISTS}

    now = timezone.now()
    for number in range(5):
        other = conversations.published(acme, tess, f"Other {number}")
        program.post("backfills", {"tracker": str(other.pk)})
        fresh = record(f"n{number}", started_at=now, account={"name": f"Account {number}"})
        conversations.ingest(acme, fresh, now=timezone.now())
        scanning.run_batch(
            version_id=other.current_version_id, backfill_id=None, clock=timezone.now
        )
    many = {path: count_queries(program, path) for path in LISTS}

    assert few == many
    assert max(many.values()) <= 8
    assert len(program.get("backfills").json()["items"]) == 6
