"""What waits for a lock decides by what is so when it gets it, not by what was so before."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta
from decimal import Decimal

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from billing import voiding
from credits import balances, charging, reconciliation
from credits.ledger import InsufficientCredits
from credits.models import UsageEvent
from credits.rating import Work
from tests.support import contracts, conversations, people, statement
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from tests.support.planting import plant
from trackers import analyzers, backfills, publishing, scanning
from trackers.models import Scan

HELD_SECONDS = 1.5
NOW = timezone.now()
STOP = "UPDATE trackers_backfill SET state = 'STOPPED', ended_at = now() WHERE id = %s"
FINISH = "UPDATE trackers_backfill SET state = 'DONE', ended_at = now() WHERE id = %s"
UNPUBLISH = "UPDATE trackers_tracker SET state = 'UNPUBLISHED' WHERE id = %s"
LOCK_TRACKER = "SELECT 1 FROM trackers_tracker WHERE id = %s FOR UPDATE"


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


def charge_that_waits(committed, acme):
    """Charge what expires while another session holds the pool; return how long it took."""
    people.credits_for(acme, "10", expires_at=timezone.now() + timedelta(seconds=0.7))
    lock = "SELECT 1 FROM credits_creditpool WHERE company_id = %s FOR NO KEY UPDATE"
    with other_session(committed, (lock, [acme.pk])):
        began = time.monotonic()
        with pytest.raises(InsufficientCredits):
            charging.charge(
                company=acme, use=statement.use(), work=Work(long_calls=1), rates=people.rates()
            )
    return time.monotonic() - began


def test_a_charge_that_waited_past_an_expiry_is_refused(committed):
    acme = people.company()

    took = charge_that_waits(committed, acme)

    assert took > HELD_SECONDS / 2
    assert balances.now(company=acme).remaining == Decimal(0)
    assert reconciliation.check(company_id=acme.pk) == []


def test_with_a_clock_read_before_the_lock_the_same_charge_spends_what_expired(committed):
    """A late clock: what ``now()`` says is when the waiting began."""
    plant(
        "ledger_begin",
        "context.instant := greatest(ledger_clock(), pool.last_occurred_at);",
        "context.instant := greatest(now(), pool.last_occurred_at);",
    )
    acme = people.company()

    with pytest.raises(pytest.fail.Exception, match="DID NOT RAISE"):
        charge_that_waits(committed, acme)

    assert UsageEvent.objects.filter(company=acme, amount=1).count() == 1


@pytest.fixture
def acme(committed):
    """A company that can pay, with one call of history."""
    company = people.company()
    people.credits_for(company, "10")
    conversations.ingest(company, record("c1", started_at=NOW - timedelta(days=30)))
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def tracker(acme, alice):
    return conversations.published(acme, alice, now=NOW - timedelta(days=10))


@pytest.fixture
def backfill(tracker, alice):
    return backfills.launch(
        tracker_id=tracker.pk,
        from_at=NOW - timedelta(days=90),
        to_at=NOW,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=NOW,
    )


@pytest.fixture
def while_reading(committed, monkeypatch):
    """Let another session run a statement while the analyzer reads, and commit it much later."""
    with ExitStack() as sessions:

        def begin(*statements):
            scripted = ScriptedAnalyzer()
            scripted.on_read = lambda: sessions.enter_context(other_session(committed, *statements))
            monkeypatch.setattr(analyzers, "in_use", lambda: scripted)

        yield begin


def test_results_that_waited_for_a_stop_are_thrown_away(acme, backfill, while_reading):
    while_reading((STOP, [backfill.pk]))

    began = time.monotonic()
    scanning.run_batch(version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now)

    assert time.monotonic() - began > HELD_SECONDS / 2
    assert list(Scan.objects.values_list("state", flat=True)) == ["SKIPPED"]
    assert UsageEvent.objects.count() == 0
    assert balances.now(company=acme).available == Decimal("10.000")
    assert reconciliation.check(company_id=acme.pk) == []


def test_results_that_waited_for_an_unpublication_are_thrown_away(acme, tracker, while_reading):
    conversations.ingest(acme, record("new", started_at=NOW), now=NOW)
    while_reading((UNPUBLISH, [tracker.pk]))

    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)

    assert list(Scan.objects.values_list("state", flat=True)) == ["SKIPPED"]
    assert UsageEvent.objects.count() == 0
    assert balances.now(company=acme).available == Decimal("10.000")


def test_a_stop_that_waited_for_the_end_of_the_backfill_changes_nothing(committed, backfill, alice):
    with other_session(committed, (FINISH, [backfill.pk])), pytest.raises(backfills.NotRunning):
        backfills.stop(backfill_id=backfill.pk, by=alice, now=timezone.now())

    backfill.refresh_from_db()
    assert (backfill.state, backfill.ended_by, backfill.end_reason) == ("DONE", None, "")
    assert list(Scan.objects.values_list("state", flat=True)) == ["PENDING"]


def test_an_end_that_waited_for_a_stop_changes_nothing(committed, backfill):
    Scan.objects.update(state="SKIPPED", finished_at=NOW)

    with other_session(committed, (STOP, [backfill.pk])):
        backfills.finish_if_done(backfill_id=backfill.pk, now=timezone.now())

    backfill.refresh_from_db()
    assert backfill.state == "STOPPED"


def test_unpublishing_that_waited_for_the_end_of_a_backfill_leaves_it_done(
    committed, tracker, backfill, alice
):
    with other_session(committed, (FINISH, [backfill.pk])):
        publishing.unpublish(
            tracker_id=tracker.pk,
            edit_number=tracker.edit_number,
            by=alice,
            now=timezone.now(),
        )

    backfill.refresh_from_db()
    assert (backfill.state, backfill.end_reason) == ("DONE", "")


def test_an_import_of_changed_texts_waits_for_a_publication_before_it_holds_its_scans(
    committed, acme, tracker
):
    """Otherwise each would wait for the other: one holds the tracker, one the scan."""
    conversations.ingest(acme, record("new", started_at=NOW), now=NOW)
    changed = record("new", started_at=NOW, duration_seconds=900)

    def take_in():
        try:
            return conversations.ingest(acme, changed, record("newer", started_at=NOW), now=NOW)
        finally:
            connection.close()

    with ThreadPoolExecutor() as threads, psycopg.connect(committed) as publishing_session:
        publishing_session.execute("SET lock_timeout = '2s'")
        publishing_session.execute(LOCK_TRACKER, [tracker.pk])
        importing = threads.submit(take_in)
        wait_until_somebody_waits()
        publishing_session.execute("UPDATE trackers_scan SET reason = 'seen'")
        publishing_session.commit()
        report = importing.result()

    assert (report.revised, report.created) == (1, 1)
    assert list(
        Scan.objects.order_by("conversation__external_id").values_list("revision", "reason")
    ) == [(2, "seen"), (1, "")]


def wait_until_somebody_waits(seconds: float = 10) -> None:
    until = time.monotonic() + seconds
    waiting = (
        "SELECT count(*) FROM pg_stat_activity"
        " WHERE datname = current_database() AND wait_event_type = 'Lock'"
    )
    while time.monotonic() < until:
        with connection.cursor() as cursor:
            # Within a transaction the view would stay as it was at the first look.
            cursor.execute("SELECT pg_stat_clear_snapshot()")
            cursor.execute(waiting)
            if cursor.fetchone()[0]:
                return
        time.sleep(0.02)
    raise AssertionError("Nobody came to wait for the lock.")


def test_reversing_a_purchase_waits_for_what_else_is_done_with_the_company(committed):
    """Closing a company takes what is left too: neither meets the other half-way."""
    acme, vera = people.company(), people.vera()
    purchase = contracts.fulfilled(acme, vera, "50")
    lock = "SELECT 1 FROM credits_company WHERE id = %s FOR NO KEY UPDATE"

    with other_session(committed, (lock, [acme.pk])):
        began = time.monotonic()
        voiding.void(purchase=purchase, by=vera, reason="Ordered twice", now=NOW)
        waited = time.monotonic() - began

    assert waited > HELD_SECONDS / 2
    assert balances.now(company=acme).remaining == 0
