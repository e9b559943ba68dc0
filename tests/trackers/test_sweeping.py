"""Each minute: work that nobody will do any more is put away, visibly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import demand, sweeping
from trackers.models import Scan, Tracker, TrackerVersion

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def tracker(acme):
    """A published tracker with two calls queued."""
    found = conversations.published(acme, people.alice(acme), now=NOW - timedelta(days=60))
    conversations.ingest(acme, record("a", started_at=NOW), record("b", started_at=NOW), now=NOW)
    return found


def replace_version(tracker):
    """As if a worker handed work of the old version back just after a new one was published."""
    newer = TrackerVersion.objects.create(
        company=tracker.company,
        tracker=tracker,
        number=2,
        question="Did they ask for a discount?",
        published_at=NOW,
    )
    Tracker.objects.filter(pk=tracker.pk).update(current_version=newer)


@pytest.mark.parametrize("state", ["PENDING", "WAITING"])
def test_work_of_a_version_that_was_replaced_is_skipped(acme, tracker, state):
    Scan.objects.update(state=state)
    replace_version(tracker)

    swept = sweeping.sweep(now=NOW)

    assert (swept.skipped, swept.woken) == (2, 0)
    assert {(scan.state, scan.reason) for scan in Scan.objects.all()} == {
        ("SKIPPED", "Stopped; nothing was charged.")
    }
    assert demand.waiting(company=acme) == []


def test_work_of_a_tracker_that_was_unpublished_is_skipped(tracker):
    Tracker.objects.filter(pk=tracker.pk).update(state="UNPUBLISHED")

    assert sweeping.sweep(now=NOW).skipped == 2


def test_a_lost_lease_of_a_version_that_was_replaced_is_taken_back_and_skipped(tracker):
    Scan.objects.update(
        state="RUNNING", lease_token=tracker.pk, leased_until=NOW - timedelta(seconds=1)
    )
    replace_version(tracker)

    swept = sweeping.sweep(now=NOW)

    assert (swept.recovered, swept.skipped) == (2, 2)
    assert {scan.state for scan in Scan.objects.all()} == {"SKIPPED"}


def test_work_of_the_version_in_force_stays_queued_and_is_woken(tracker):
    swept = sweeping.sweep(now=NOW)

    assert (swept.skipped, swept.woken) == (0, 1)
    assert {scan.state for scan in Scan.objects.all()} == {"PENDING"}
