"""What waits for a lock decides by what is so when it gets it, not by what was so before."""

from __future__ import annotations

import threading
import time
from contextlib import contextmanager
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.utils import timezone

from credits import balances, charging, reconciliation
from credits.ledger import InsufficientCredits
from credits.models import UsageEvent
from credits.rating import Work
from tests.support import conversations, people, statement
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, scanning
from trackers.models import Scan

HELD_SECONDS = 1.5


@contextmanager
def other_session(dsn: str, *statements: tuple[str, list]):
    """Run statements in another session, which commits them a moment later."""
    with psycopg.connect(dsn) as other:
        for sql, values in statements:
            other.execute(sql, values)
        timer = threading.Timer(HELD_SECONDS, other.commit)
        timer.start()
        try:
            yield
        finally:
            timer.join()


def test_a_charge_that_waited_past_an_expiry_is_refused(committed):
    acme = people.company()
    people.credits_for(acme, "10", expires_at=timezone.now() + timedelta(seconds=0.7))
    lock = "SELECT 1 FROM credits_creditpool WHERE company_id = %s FOR NO KEY UPDATE"

    with other_session(committed, (lock, [acme.pk])):
        began = time.monotonic()
        with pytest.raises(InsufficientCredits):
            charging.charge(
                company=acme, use=statement.use(), work=Work(long_calls=1), rates=people.rates()
            )

    assert time.monotonic() - began > HELD_SECONDS / 2
    assert balances.now(company=acme).remaining == Decimal(0)
    assert reconciliation.check(company_id=acme.pk) == []


def test_results_that_waited_for_a_stop_are_thrown_away(committed, monkeypatch):
    acme = people.company()
    admin = people.alice(acme)
    people.credits_for(acme, "10")
    now = timezone.now()
    tracker = conversations.published(acme, admin, now=now - timedelta(days=10))
    conversations.ingest(acme, record("c1", started_at=now - timedelta(days=30)))
    backfill = backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=90),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=admin,
        now=now,
    )
    stop = (
        "UPDATE trackers_backfill SET state = 'STOPPED', ended_at = now() WHERE id = %s",
        [backfill.pk],
    )
    sessions = []

    def stop_meanwhile():
        session = other_session(committed, stop)
        session.__enter__()
        sessions.append(session)

    scripted = ScriptedAnalyzer()
    scripted.on_read = stop_meanwhile
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)

    scanning.run_batch(
        version_id=tracker.current_version_id, backfill_id=backfill.pk, clock=timezone.now
    )

    for session in sessions:
        session.__exit__(None, None, None)
    assert len(sessions) == 1
    assert list(Scan.objects.values_list("state", flat=True)) == ["SKIPPED"]
    assert UsageEvent.objects.count() == 0
    assert balances.now(company=acme).available == Decimal("10.000")
    assert reconciliation.check(company_id=acme.pk) == []
