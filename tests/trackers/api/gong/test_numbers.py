"""A call is found by its number without reading the company's other calls."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from tests.support import conversations, people
from trackers.api.gong import numbers

pytestmark = pytest.mark.django_db
START = datetime(2026, 10, 1, tzinfo=UTC)


def test_a_number_of_ours_is_found_by_an_index_of_the_company_and_the_number():
    acme = people.company()
    conversations.ingest(
        acme,
        *(
            conversations.record(f"call {n}", started_at=START + timedelta(minutes=n))
            for n in range(60)
        ),
    )
    made = acme.conversations.order_by("pk")[30]

    with CaptureQueriesContext(connection) as asked:
        found = numbers.calls_named([numbers.of(made.pk)], company=acme)

    assert found == [made.pk]
    with connection.cursor() as cursor:
        # Of so few rows reading all is cheaper; of a year's it is not, and no other index helps.
        cursor.execute("ANALYZE trackers_conversation")
        cursor.execute("SET LOCAL enable_seqscan = off")
        cursor.execute(f"EXPLAIN (COSTS OFF) {asked.captured_queries[-1]['sql']}")
        plan = "\n".join(line for (line,) in cursor.fetchall())
    assert "conversation_by_number" in plan
    condition = next(line for line in plan.splitlines() if "Index Cond" in line)
    assert "company_id" in condition
    assert '"right"' in condition
