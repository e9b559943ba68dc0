"""Several people test at once: together they stay within the day's limits."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection, transaction
from django.utils import timezone

from credits import reconciliation
from credits.models import UsageEvent
from tests.concurrency.test_acting_once import TOGETHER, wait_until_all_wait
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, locks, previewing, reviewing
from trackers.models import Preview, PreviewResult, Review
from trackers.previewing import PreviewRefused


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    scripted = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)


@pytest.fixture
def acme(committed):
    company = people.company()
    conversations.ingest(company, *(record(f"call-{n:02}") for n in range(12)))
    return company


def all_at_once(lock: str, acts) -> list[object]:
    """Start the acts, let none go on before all of them wait, and return what became of each."""

    def outcome(act) -> object:
        try:
            return act()
        except PreviewRefused as refusal:
            return refusal
        finally:
            connection.close()

    with ThreadPoolExecutor(TOGETHER) as threads:
        with transaction.atomic():
            locks.queue_for(lock)
            running = [threads.submit(outcome, act) for act in acts]
            wait_until_all_wait()
        return [one.result() for one in running]


def trial(tracker, by, count):
    return lambda: previewing.run(
        tracker_id=tracker.pk, count=count, by=by, clock=lambda: timezone.now()
    )


def test_clicks_at_once_on_one_tracker_read_ten_conversations_together(acme):
    alice, tracker = people.alice(acme), conversations.tracker(acme)

    outcomes = all_at_once(f"previews of company {acme.pk}", [trial(tracker, alice, 4)] * TOGETHER)

    refused = [one for one in outcomes if isinstance(one, PreviewRefused)]
    read = sorted(one.conversation_count for one in outcomes if isinstance(one, Preview))
    assert (read, len(refused)) == ([2, 4, 4], 1)
    assert PreviewResult.objects.count() == 10
    assert UsageEvent.objects.filter(action="PREVIEW", amount=0).count() == 3
    assert reconciliation.check() == []


def test_clicks_at_once_in_one_company_read_fifty_conversations_together(acme):
    alice = people.alice(acme)
    drafts = [conversations.tracker(acme, f"Tracker {n}") for n in range(7)]
    for draft in drafts[:3]:
        trial(draft, alice, 10)()

    outcomes = all_at_once(
        f"previews of company {acme.pk}", [trial(draft, alice, 10) for draft in drafts[3:]]
    )

    read = [one.conversation_count for one in outcomes if isinstance(one, Preview)]
    assert (read, len(outcomes)) == ([10, 10], TOGETHER)
    assert PreviewResult.objects.count() == 50


def test_thumbs_at_once_on_one_result_leave_one_review_in_force(acme):
    alice, tracker = people.alice(acme), conversations.tracker(acme)
    trial(tracker, alice, 1)()
    result = PreviewResult.objects.select_related("preview__tracker", "preview__version").get()

    def thumb(is_right):
        return lambda: reviewing.judge_preview(
            result=result, is_right=is_right, by=alice, now=timezone.now()
        )

    outcomes = all_at_once(
        f"review of {tracker.pk} {result.conversation_id}",
        [thumb(True), thumb(False), thumb(True), thumb(False)],
    )

    assert all(isinstance(one, Review) for one in outcomes)
    assert Review.objects.filter(replaced_at=None).count() == 1
