"""Two people at one tracker at the same moment: one is refused, and nothing is lost."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

from django.db import connection, transaction
from django.utils import timezone

from credits import reconciliation
from tests.support import conversations, people, processes
from tests.support.conversations import record
from trackers import backfills, configuring, publishing
from trackers.backfills import Plan
from trackers.configuring import NotSaved, Settings
from trackers.models import Backfill, Scan, Tracker

REFUSALS = (NotSaved, publishing.StaleForm, backfills.BackfillRefused)


def test_of_two_forms_saved_at_once_one_is_refused_with_who_was_first(committed):
    acme = people.company()
    alice, bob = people.alice(acme), people.bob(acme)
    tracker = conversations.tracker(acme)
    question = configuring.question_of(tracker.versions.get())

    def save(by):
        return configuring.save(
            company=acme,
            tracker_id=tracker.pk,
            edit_number=1,
            settings=Settings(name=f"{by.name}'s"),
            question=question,
            by=by,
            now=timezone.now(),
        )

    answers = together(tracker, lambda: save(alice), lambda: save(bob))

    (saved,) = (answer for answer in answers if isinstance(answer, Tracker))
    (refusal,) = (answer for answer in answers if isinstance(answer, NotSaved))
    first = saved.name.removesuffix("'s")
    assert str(refusal).startswith(f"{first} changed this at ")
    stored = Tracker.objects.get(pk=tracker.pk)
    assert (stored.name, stored.edit_number) == (saved.name, 2)
    assert stored.history.count() == 2


def test_of_two_who_publish_with_history_at_once_one_starts_one_backfill(committed):
    acme = people.company()
    alice, bob = people.alice(acme), people.bob(acme)
    people.credits_for(acme, "10")
    conversations.ingest(acme, *(record(f"{n}") for n in range(4)))
    tracker = conversations.tracker(acme)
    now, rates = timezone.now(), people.rates()
    plan = Plan(from_at=now - timedelta(days=60), to_at=now, ceiling=None, rates=rates)

    def publish(by):
        return publishing.publish(
            tracker_id=tracker.pk, edit_number=1, by=by, now=now, history=plan
        )

    answers = together(tracker, lambda: publish(alice), lambda: publish(bob))

    kinds = sorted(type(answer).__name__ for answer in answers)
    assert kinds == ["StaleForm", "Tracker"]
    assert Backfill.objects.get().conversation_count == 4
    assert Scan.objects.count() == 4
    assert reconciliation.check() == []


def together(tracker, *acts) -> list[object]:
    """Let acts begin while the tracker is locked, so that all of them wait; then let them go."""
    with ThreadPoolExecutor(len(acts)) as threads:
        with transaction.atomic():
            Tracker.objects.select_for_update().get(pk=tracker.pk)
            running = [threads.submit(_on_own_connection, act) for act in acts]
            processes.wait_until(lambda: _waiting() == len(acts), "all of them to wait")
        return [one.result(timeout=60) for one in running]


def _on_own_connection(act) -> object:
    try:
        return act()
    except REFUSALS as refusal:
        return refusal
    finally:
        connection.close()


def _waiting() -> int:
    with connection.cursor() as cursor:
        # Within a transaction the view shows what it showed first.
        cursor.execute("SELECT pg_stat_clear_snapshot()")
        cursor.execute(
            "SELECT count(*) FROM pg_stat_activity"
            " WHERE datname = current_database() AND wait_event_type = 'Lock'"
        )
        return cursor.fetchone()[0]
