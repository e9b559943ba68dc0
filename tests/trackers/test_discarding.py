"""A tracker is deleted only when nothing uses it (SPEC §5)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse

from credits.models import AuditEvent, UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, discarding, previewing, publishing
from trackers.models import Preview, Tracker, TrackerFilter, TrackerVersion

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def _quick_analyzer(monkeypatch):
    analyzer = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: analyzer)


@pytest.fixture
def acme(now):
    company = people.company()
    conversations.ingest(company, record("call", started_at=now - timedelta(days=1)))
    return company


def discard(tracker, by, now, *, edit_number=None):
    discarding.discard(
        tracker_id=tracker.pk, edit_number=edit_number or tracker.edit_number, by=by, now=now
    )


def test_a_draft_goes_with_its_question_filters_and_tests(acme, alice, now):
    tracker = conversations.tracker(acme)
    TrackerFilter.objects.create(
        company=acme, tracker=tracker, field="ACCOUNT_TYPE", text="Partner", is_excluded=True
    )
    other = conversations.tracker(acme, "Another")
    previewing.run(tracker_id=tracker.pk, count=1, by=alice, clock=lambda: now)

    discard(tracker, alice, now + timedelta(days=1))

    assert list(Tracker.objects.all()) == [other]
    assert list(TrackerVersion.objects.values_list("tracker", flat=True)) == [other.pk]
    assert not Preview.objects.exists()
    assert not TrackerFilter.objects.exists()
    # The test was a use of 0, and stays one.
    assert list(UsageEvent.objects.values_list("feature_name", "action")) == [
        ("Pricing objection", "PREVIEW")
    ]
    line = AuditEvent.objects.get(action="DELETED")
    assert (line.actor_ref, line.company) == (alice.public_id, acme)


def test_what_was_published_once_stays(acme, alice, now):
    tracker = conversations.published(acme, alice)
    publishing.unpublish(tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=now)
    tracker.refresh_from_db()

    with pytest.raises(discarding.NotDiscarded) as refused:
        discard(tracker, alice, now)

    assert str(refused.value) == (
        "Not deleted: this tracker was published, and its results and usage name it. "
        "It is unpublished already, so it reads nothing new."
    )
    assert Tracker.objects.filter(pk=tracker.pk).exists()


def test_what_was_tested_today_stays_until_tomorrow(acme, alice, now):
    tracker = conversations.tracker(acme)
    previewing.run(tracker_id=tracker.pk, count=1, by=alice, clock=lambda: now)

    with pytest.raises(discarding.NotDiscarded, match="Delete it tomorrow"):
        discard(tracker, alice, now)

    assert Preview.objects.count() == 1


def test_a_draft_somebody_changed_meanwhile_stays(acme, alice, now):
    tracker = conversations.tracker(acme)

    with pytest.raises(publishing.StaleForm):
        discard(tracker, alice, now, edit_number=tracker.edit_number + 1)

    assert Tracker.objects.filter(pk=tracker.pk).exists()


def test_the_page_says_what_goes_and_then_deletes_it(client, acme, alice):
    tracker = conversations.tracker(acme)
    client.force_login(alice)
    address = reverse("admin:trackers_tracker_discard", args=[tracker.pk])

    shown = client.get(address)

    assert "cannot be brought back" in shown.content.decode()
    assert Tracker.objects.filter(pk=tracker.pk).exists()


def test_the_page_of_a_published_tracker_leads_back_with_the_reason(client, acme, alice):
    tracker = conversations.published(acme, alice)
    client.force_login(alice)

    answer = client.get(reverse("admin:trackers_tracker_discard", args=[tracker.pk]), follow=True)

    assert "Unpublish it instead." in answer.content.decode()
    assert Tracker.objects.filter(pk=tracker.pk).exists()


def test_the_page_of_an_unpublished_tracker_does_not_say_to_unpublish_it(client, acme, alice, now):
    tracker = conversations.published(acme, alice)
    publishing.unpublish(tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=now)
    client.force_login(alice)

    answer = client.get(reverse("admin:trackers_tracker_discard", args=[tracker.pk]), follow=True)

    assert "It is unpublished already, so it reads nothing new." in answer.content.decode()
    assert "Unpublish it instead." not in answer.content.decode()
