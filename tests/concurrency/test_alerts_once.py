"""Two schedulers that look at a company at once tell its admins once."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

from django.db import connection, transaction

from credits import alerts, charging
from credits.ledger import Use
from credits.models import Alert, AlertMail, AlertState
from credits.rating import Work
from tests.support import people

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def test_two_that_look_at_once_tell_once(committed):
    """Both wait for the row that remembers, which the test holds until both are there."""
    acme = people.company()
    people.alice(acme)
    people.credits_for(acme, "100")
    alerts.evaluate(company_id=acme.pk, now=NOW)
    use = Use("ASK", "Ask anything", None, "API_REQUEST")
    charging.charge(
        company=acme, use=use, work=Work(long_calls=90, request_count=1), rates=people.rates()
    )
    found, ready = [], threading.Barrier(3)

    def look() -> None:
        try:
            connection.ensure_connection()
            ready.wait(timeout=30)
            found.append(alerts.evaluate(company_id=acme.pk, now=NOW))
        finally:
            connection.close()

    schedulers = [threading.Thread(target=look) for _ in range(2)]
    with transaction.atomic():
        AlertState.objects.select_for_update().get(company=acme)
        for scheduler in schedulers:
            scheduler.start()
        ready.wait(timeout=30)
        wait_for(2)
    for scheduler in schedulers:
        scheduler.join()

    assert sorted(alert is None for alert in found) == [False, True]
    assert (Alert.objects.count(), AlertMail.objects.count()) == (1, 1)


def wait_for(count: int) -> None:
    """Return once so many others wait for a lock."""
    with connection.cursor() as cursor:
        for _ in range(1000):
            cursor.execute(
                "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
                " AND datname = current_database()"
            )
            if cursor.fetchone()[0] == count:
                return
            cursor.execute("SELECT pg_sleep(0.02)")
    raise AssertionError("The two never waited for the row.")
