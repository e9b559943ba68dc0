"""Each minute: work that nobody will do any more is put away, visibly."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits.identifiers import new_id
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import demand, sweeping
from trackers.models import Conversation, Scan, Tracker, TrackerVersion

pytestmark = pytest.mark.django_db

NOW = timezone.now()


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
    return newer


@pytest.mark.parametrize("state", ["PENDING", "WAITING"])
def test_work_of_a_version_that_was_replaced_is_queued_for_the_version_in_force(tracker, state):
    Scan.objects.update(state=state)
    newer = replace_version(tracker)

    swept = sweeping.sweep(now=NOW)

    assert (swept.skipped, swept.woken) == (2, 1 if state == "PENDING" else 0)
    assert {(scan.state, scan.reason) for scan in Scan.objects.exclude(version=newer)} == {
        ("SKIPPED", "A new version was published; it reads this instead.")
    }
    assert [scan.state for scan in newer.scans.all()] == [state] * 2


def test_work_of_a_tracker_that_was_unpublished_is_skipped(acme, tracker):
    Scan.objects.filter(conversation__external_id="b").update(state="WAITING")
    Tracker.objects.filter(pk=tracker.pk).update(state="UNPUBLISHED")

    assert sweeping.sweep(now=NOW).skipped == 2
    assert {(scan.state, scan.reason) for scan in Scan.objects.all()} == {
        ("SKIPPED", "Stopped; nothing was charged.")
    }
    assert demand.waiting(company=acme) == []


def test_a_lost_lease_of_a_version_that_was_replaced_is_taken_back_and_replaced(tracker):
    Scan.objects.update(
        state="RUNNING", lease_token=tracker.pk, leased_until=NOW - timedelta(seconds=1)
    )
    newer = replace_version(tracker)

    swept = sweeping.sweep(now=NOW)

    assert (swept.recovered, swept.skipped) == (2, 2)
    assert {scan.state for scan in Scan.objects.exclude(version=newer)} == {"SKIPPED"}
    assert [scan.state for scan in newer.scans.all()] == ["PENDING", "PENDING"]


@pytest.mark.parametrize(
    ("attempts", "state", "reason"),
    [
        (4, "PENDING", ""),
        (5, "FAILED", "Its worker stopped before it was done, five times."),
    ],
)
def test_what_its_worker_did_not_survive_five_times_is_put_away(tracker, attempts, state, reason):
    lost = Scan.objects.filter(conversation__external_id="a")
    lost.update(
        state="RUNNING",
        attempts=attempts,
        lease_token=new_id(),
        leased_until=NOW - timedelta(microseconds=1),
    )

    sweeping.sweep(now=NOW)

    found = lost.get()
    assert (found.state, found.reason, found.lease_token) == (state, reason, None)
    assert found.usage_event is None


def test_work_of_the_version_in_force_stays_queued_and_is_woken(tracker):
    swept = sweeping.sweep(now=NOW)

    assert (swept.skipped, swept.woken) == (0, 1)
    assert {scan.state for scan in Scan.objects.all()} == {"PENDING"}


def test_what_is_cheap_is_resumed_behind_more_dear_ones_than_a_sweep_looks_at(
    acme, tracker, monkeypatch
):
    monkeypatch.setattr(sweeping, "RESUME_MAX", 2)
    Tracker.objects.update(catch_up=True)
    Conversation.objects.update(duration_seconds=900)
    Scan.objects.update(state="WAITING", price="1.000")
    conversations.ingest(acme, record("later", started_at=NOW + timedelta(hours=1)), now=NOW)
    Scan.objects.filter(state="PENDING").update(state="WAITING", price="0.500")
    people.credits_for(acme, "0.9")

    assert sweeping.sweep(now=NOW).resumed == 1

    assert Scan.objects.get(state="PENDING").conversation.external_id == "later"
