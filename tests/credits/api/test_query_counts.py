"""No operation asks the database more, the more rows a company has."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from credits import charging
from credits.identifiers import new_id
from credits.ledger import Use
from credits.models import ApiKey, CreditGrant, Integration, UsageEvent
from credits.rating import Work
from tests.support import api, people, statement

V1 = "/api/v1"


@pytest.fixture
def program(acme):
    return api.of(acme, by=api.admin(acme))


def use(company, number: int) -> None:
    """Something used by a tracker and an integration of its own, from a grant of its own."""
    statement.lot(company, f"lot {number}", "1")
    desk = Integration.objects.create(company=company, name=f"Desk {number}", kind="API")
    charging.charge(
        company=company,
        use=Use("TRACKER", f"use {number}", new_id(), "BACKFILL", desk.pk),
        work=Work(emails_with_text=10),
        rates=people.rates(),
    )


def count_queries(program, url) -> int:
    with CaptureQueriesContext(
        connection,
    ) as captured:
        answer = program.get(url)
    assert answer.status_code == 200
    return len(captured)


def test_no_operation_asks_more_the_more_rows_there_are(acme, program):
    """1 row and 200: the same number of queries, which is given."""
    use(acme, 0)
    # The use of a key is noted once a minute, by a query of its own: not within this test.
    ApiKey.objects.update(last_used_at=timezone.now() + timedelta(days=1))
    urls = {
        "balance": 3,
        "grants?limit=200": 4,
        "ledger?limit=200": 5,
        "usage?limit=200": 4,
        "usage?group_by=integration": 5,
        "usage?group_by=tracker": 5,
        "purchases?limit=200": 4,
        "rate-card": 5,
        "ledger/1": 5,
        f"grants/{CreditGrant.objects.get(company=acme).pk}": 4,
        f"usage/{UsageEvent.objects.get(company=acme).pk}": 3,
    }
    few = {url: count_queries(program, f"{V1}/{url}") for url in urls}

    for number in range(1, 200):
        use(acme, number)

    many = {url: count_queries(program, f"{V1}/{url}") for url in urls}
    assert few == many == urls
    assert len(program.get(f"{V1}/usage", {"limit": 200}).json()["items"]) == 200
