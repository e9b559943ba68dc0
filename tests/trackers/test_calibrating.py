"""When an analyzer learns what is ordinarily said, and how often."""

from __future__ import annotations

import threading
from datetime import timedelta
from decimal import Decimal

import pytest
from django.db import connection
from django.utils import timezone

from credits import balances
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import calibrating, scanning
from trackers.models import Scan, Tracker, TrackerVersion


def published(acme):
    return conversations.published(
        acme, people.alice(acme), now=timezone.now() - timedelta(days=60)
    )


def ingest(acme, first, last):
    now = timezone.now()
    records = [record(f"call-{number}", started_at=now) for number in range(first, last)]
    conversations.ingest(acme, *records, now=now)


def work_off(tracker):
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)


@pytest.mark.django_db
def test_the_corpus_is_learned_again_when_it_has_doubled_and_not_before(analyzer):
    acme = people.company()
    people.credits_for(acme, "100")
    tracker = published(acme)

    ingest(acme, 0, 10)
    work_off(tracker)
    ingest(acme, 10, 19)
    work_off(tracker)
    assert analyzer.samples == [10]

    ingest(acme, 19, 20)
    work_off(tracker)

    assert analyzer.samples == [10, 20]


@pytest.mark.django_db
def test_what_was_found_before_stays_and_is_not_charged_again(analyzer):
    acme = people.company()
    people.credits_for(acme, "100")
    tracker = published(acme)
    ingest(acme, 0, 4)
    work_off(tracker)
    first = list(Scan.objects.filter(company=acme).order_by("pk").values())

    ingest(acme, 4, 12)
    work_off(tracker)

    assert analyzer.samples == [4, 12]
    assert list(Scan.objects.filter(company=acme).order_by("pk").values())[:4] == first
    assert sorted(analyzer.read) == sorted(f"call-{number}" for number in range(12))
    assert [event.calls for event in UsageEvent.objects.order_by("after_sequence", "pk")] == [4, 8]
    assert balances.now(company=acme).remaining == Decimal("94.000")


@pytest.mark.django_db
def test_a_full_sample_is_never_taken_again(analyzer, monkeypatch):
    monkeypatch.setattr(calibrating, "SAMPLE_SIZE", 5)
    acme = people.company()
    people.credits_for(acme, "100")
    tracker = published(acme)

    ingest(acme, 0, 6)
    work_off(tracker)
    ingest(acme, 6, 30)
    work_off(tracker)

    assert analyzer.samples == [5]


@pytest.mark.django_db
def test_another_analyzer_learns_for_itself(analyzer):
    acme = people.company()
    people.credits_for(acme, "100")
    tracker = published(acme)
    ingest(acme, 0, 3)
    work_off(tracker)

    analyzer.name = "another"
    ingest(acme, 3, 4)
    work_off(tracker)

    assert analyzer.samples == [3, 4]
    assert {scan.state for scan in Scan.objects.all()} == {"DONE"}


@pytest.mark.django_db
def test_changed_examples_are_learned_and_a_changed_threshold_is_not():
    """With the product's own analyzer, which refuses a calibration made for other examples."""
    acme = people.company()
    people.credits_for(acme, "100")
    tracker = published(acme)
    ingest(acme, 0, 3)
    work_off(tracker)
    first = TrackerVersion.objects.get().calibration

    Tracker.objects.filter(pk=tracker.pk).update(threshold=Decimal("0.7"))
    ingest(acme, 3, 4)
    work_off(tracker)
    assert TrackerVersion.objects.get().calibration == first

    Tracker.objects.filter(pk=tracker.pk).update(examples=["Could you do it for less?"])
    ingest(acme, 4, 5)
    work_off(tracker)

    assert TrackerVersion.objects.get().calibration != first
    assert [scan.state for scan in Scan.objects.all()] == ["DONE"] * 5


@pytest.mark.django_db
def test_a_worker_keeps_what_it_read_until_the_row_is_another(analyzer):
    tracker = published(people.company())
    version = TrackerVersion.objects.get()
    calibrating.of_version(version.pk)
    first = calibrating.of_version(version.pk)

    assert calibrating.of_version(version.pk) is first
    changed = TrackerVersion.objects.get().calibration | {"data": {"learned": "elsewhere"}}
    TrackerVersion.objects.filter(pk=version.pk).update(calibration=changed)

    assert calibrating.of_version(tracker.current_version_id).data == {"learned": "elsewhere"}


@pytest.mark.usefixtures("committed")
def test_two_workers_that_need_it_at_once_learn_it_once(analyzer):
    tracker = published(people.company())
    both_want_it = threading.Barrier(2, timeout=20)
    learn = analyzer.calibrate
    found = []

    def slowly(questions, sample):
        # The other worker waits for the lock, not for a stroke of luck.
        _wait_for_a_waiter()
        return learn(questions, sample)

    def work():
        both_want_it.wait()
        found.append(calibrating.of_version(tracker.current_version_id))
        connection.close()

    analyzer.calibrate = slowly
    workers = [threading.Thread(target=work) for _ in range(2)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join(timeout=30)

    assert analyzer.samples == [0]
    assert len(found) == 2
    assert found[0] == found[1]
    assert TrackerVersion.objects.get().calibration["sampled"] == 0


def _wait_for_a_waiter():
    deadline = timezone.now() + timedelta(seconds=20)
    with connection.cursor() as cursor:
        while timezone.now() < deadline:
            cursor.execute(
                "SELECT count(*) FROM pg_locks WHERE locktype='advisory' AND NOT granted"
            )
            if cursor.fetchone()[0]:
                return
    raise AssertionError("The second worker never waited for the first.")
