"""Draft, published, unpublished; and history in the same act, both or neither (SPEC §5)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import backfills, publishing
from trackers.backfills import Plan
from trackers.models import Backfill, Scan, Tracker, TrackerFilter, TrackerVersion

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    conversations.ingest(company, *(record(f"{n}") for n in range(4)))
    return company


def plan(now, **changes) -> Plan:
    asked = {
        "from_at": now - timedelta(days=60),
        "to_at": now,
        "ceiling": None,
        "rates": people.rates(),
    }
    return Plan(**(asked | changes))


def publish(tracker, by, now, history=None) -> Tracker:
    return publishing.publish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=by, now=now, history=history
    )


def test_publishing_scans_no_history_by_itself(acme, alice, now):
    tracker = publish(conversations.tracker(acme), alice, now)

    assert (tracker.state, tracker.first_published_at) == ("PUBLISHED", now)
    assert (Backfill.objects.count(), Scan.objects.count()) == (0, 0)
    assert tracker.history.latest("history_id").history_user == alice


def test_publishing_with_history_does_both(acme, alice, now):
    people.credits_for(acme, "2")

    tracker = publish(conversations.tracker(acme), alice, now, plan(now))

    backfill = Backfill.objects.get()
    assert tracker.state == "PUBLISHED"
    assert (backfill.version, backfill.state) == (tracker.version_in_force, "RUNNING")
    assert (backfill.conversation_count, backfill.ceiling) == (4, Decimal("2.000"))


@pytest.mark.parametrize(
    ("changes", "refusal"),
    [
        ({}, "this backfill needs 2.0 credits and 1.9 are available"),
        ({"ceiling": Decimal(-1)}, "a ceiling cannot be below 0"),
        ({"ceiling": Decimal(1), "shown": Decimal("1.5")}, "more than the 1.5 shown before"),
    ],
)
def test_publishing_with_history_that_is_refused_does_neither(acme, alice, now, changes, refusal):
    people.credits_for(acme, "1.9")
    tracker = conversations.tracker(acme)

    with pytest.raises(backfills.BackfillRefused, match=refusal):
        publish(tracker, alice, now, plan(now, **changes))

    tracker.refresh_from_db()
    assert (tracker.state, tracker.edit_number, tracker.first_published_at) == ("DRAFT", 1, None)
    assert TrackerVersion.objects.get().published_at is None
    assert (Backfill.objects.count(), Scan.objects.count()) == (0, 0)
    assert tracker.history.count() == 1


def test_a_new_version_ends_the_backfill_of_the_old_one_and_starts_its_own(acme, alice, now):
    people.credits_for(acme, "10")
    tracker = publish(conversations.tracker(acme), alice, now, plan(now))
    TrackerVersion.objects.create(
        company=acme, tracker=tracker, number=2, question="Is it too expensive?"
    )

    publish(tracker, alice, now, plan(now))

    old, new = Backfill.objects.order_by("version__number")
    assert (old.state, old.end_reason) == ("STOPPED", "A new version was published.")
    assert (new.state, new.conversation_count) == ("RUNNING", 4)
    assert [scan.state for scan in old.scans.all()] == ["SKIPPED"] * 4


def test_a_stale_confirmation_names_who_changed_it_and_when(acme, alice):
    tracker = conversations.tracker(acme)
    lee = people.member(acme, "BUSINESS_ADMIN", "Lee")
    at = datetime(2026, 7, 1, 8, 2, tzinfo=UTC)
    publish(tracker, lee, at)

    for act in (publishing.publish, publishing.unpublish):
        with pytest.raises(publishing.StaleForm, match="Lee changed this at 10:02 CEST on 1 Jul"):
            act(tracker_id=tracker.pk, edit_number=1, by=alice, now=at)


def test_filters_that_pass_nothing_cannot_be_published(acme, alice, now):
    tracker = conversations.tracker(acme)
    TrackerFilter.objects.create(company=acme, tracker=tracker, field="ACCOUNT_TYPE", text="nobody")

    with pytest.raises(publishing.NotPublishable, match="No conversation passes these filters"):
        publish(tracker, alice, now)


def test_publishing_again_brings_the_same_version_back(acme, alice, now):
    tracker = publish(conversations.tracker(acme), alice, now)
    with pytest.raises(publishing.AlreadyPublished):
        publish(tracker, alice, now)
    tracker = publishing.unpublish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=now
    )
    assert (tracker.state, tracker.unpublished_at) == ("UNPUBLISHED", now)
    with pytest.raises(publishing.NotPublished):
        publishing.unpublish(
            tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=now
        )

    tracker = publish(tracker, alice, now + timedelta(days=1))

    assert (tracker.state, tracker.version_in_force.number) == ("PUBLISHED", 1)
    assert (tracker.first_published_at, tracker.unpublished_at) == (now, None)
