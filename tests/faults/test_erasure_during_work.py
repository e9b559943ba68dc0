"""What is erased while it is read or imported stays erased, and costs nothing (SPEC §10)."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db import connection, transaction
from django.utils import timezone

from credits import balances, reconciliation
from credits.faults import Point
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from tests.support.processes import celery_worker, wait_until
from trackers import erased_ids, erasure, erasure_requests, scanning, wakes
from trackers.erasure_requests import Counts
from trackers.models import Conversation, Quote, Scan, Utterance

POINTS = (Point.CLAIMED, Point.RESERVED, Point.READ)


@pytest.mark.parametrize("point", POINTS)
def test_a_call_erased_while_a_worker_reads_it_has_no_result_and_no_charge(
    committed, tmp_path, point
):
    acme = people.company()
    people.credits_for(acme, "50")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    fresh = now - timedelta(days=1)
    conversations.ingest(
        acme, record("gone", started_at=fresh), record("stays", started_at=fresh), now=now
    )
    reached, go_on = tmp_path / "reached", tmp_path / "go-on"
    environment = {
        "FAULT_POINT": point,
        "FAULT_FILE": str(reached),
        "FAULT_UNTIL": str(go_on),
    }

    with celery_worker(committed, include="tests.faults.points", environment=environment):
        wakes.scan(version_id=tracker.current_version_id)
        wait_until(reached.exists, f"the worker to get to the point “{point}”")
        assert Scan.objects.filter(state="RUNNING").count() == 2
        _erase(acme, "gone")
        go_on.touch()
        wait_until(lambda: _states(acme) == {"DONE", "SKIPPED"}, "the worker to write the rest")

    gone = Scan.objects.get(conversation__erased_at__isnull=False)
    stays = Scan.objects.get(conversation__external_id="stays")
    assert (gone.state, gone.answer, gone.usage_event) == ("SKIPPED", "", None)
    assert gone.reason == "The conversation was erased; nothing was charged."
    assert not Quote.objects.filter(scan=gone).exists()
    assert (stays.state, stays.price) == ("DONE", Decimal("0.500"))
    assert sum(event.amount for event in UsageEvent.objects.all()) == Decimal("0.500")
    assert balances.now(company=acme).remaining == Decimal("49.500")
    wait_until(
        lambda: balances.now(company=acme).reserved == 0, "what was held for it to be released"
    )
    assert reconciliation.check() == []


def test_a_worker_that_wakes_after_the_erasure_finds_nothing(committed, analyzer):
    acme = people.company()
    people.credits_for(acme, "50")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    conversations.ingest(acme, record("gone", started_at=now - timedelta(days=1)), now=now)
    analyzer.on_read = lambda: _erase(acme, "gone")

    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)

    assert analyzer.read == ["gone"]
    assert _states(acme) == {"SKIPPED"}
    assert not UsageEvent.objects.exists()
    assert balances.now(company=acme).available == Decimal("50.000")
    assert not Utterance.objects.exists()
    assert reconciliation.check() == []


def test_an_import_that_waits_for_the_erasure_does_not_bring_it_back(committed):
    acme = people.company()
    conversations.ingest(acme, record("call-1"))
    row = Conversation.objects.get()
    key = erased_ids.key_of(acme)
    reports = []
    importing = threading.Thread(target=_import, args=(acme, reports))

    with transaction.atomic():
        erasure._erase_one(row.pk, key, ZoneInfo("UTC"), timezone.now(), Counts())
        importing.start()
        wait_until(_somebody_waits, "the import to wait for the erasure")
    importing.join(timeout=60)

    assert [(report.created, report.revised, report.erased) for report in reports] == [(0, 0, 1)]
    assert Conversation.objects.count() == 1
    assert not Utterance.objects.exists()


def test_the_first_erasure_of_a_company_waits_for_imports_that_know_of_none(committed, monkeypatch):
    """They made no digests, since there was no key; the key comes when they have ended."""
    acme = people.company()
    start = timezone.now() - timedelta(days=30)
    conversations.ingest(acme, record("call-1", started_at=start))
    erasing = threading.Thread(target=_in_thread, args=(_erase, acme, "call-1"))
    digests = erased_ids.digests

    def pausing(company, external_ids):
        found = digests(company, external_ids)
        erasing.start()
        wait_until(
            lambda: _somebody_waits() or not erasing.is_alive(), "the erasure to wait or to end"
        )
        return found

    monkeypatch.setattr(erased_ids, "digests", pausing)

    conversations.ingest(acme, record("call-1", started_at=start, title="Once more"))
    erasing.join(timeout=60)

    assert Conversation.objects.count() == 1
    assert Conversation.objects.get().erased_at is not None
    assert not Utterance.objects.exists()


@pytest.fixture
def analyzer(monkeypatch):
    from tests.support.analyzers import ScriptedAnalyzer
    from trackers import analyzers

    scripted = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)
    return scripted


def _erase(company, external_id: str) -> None:
    request = erasure_requests.by_external_id(company=company, external_id=external_id)
    erasure.erase(request=request, by=None, reason="", now=timezone.now())


def _states(company) -> set[str]:
    return set(Scan.objects.filter(company=company).values_list("state", flat=True))


def _import(company, reports: list) -> None:
    def take_in(company):
        changed = [{"id": "u0", "speaker": "c", "start": 0.0, "text": "Brought back."}]
        reports.append(conversations.ingest(company, record("call-1", utterances=changed)))

    _in_thread(take_in, company)


def _in_thread(function, *args) -> None:
    try:
        function(*args)
    finally:
        connection.close()


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0] > 0
