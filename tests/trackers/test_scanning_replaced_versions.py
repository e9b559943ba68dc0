"""A new version published while a worker reads for the old one."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, publishing, scanning, sweeping
from trackers.models import Quote, Scan, TrackerVersion

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def tracker(acme):
    """A published tracker that can pay for what it reads."""
    people.credits_for(acme, "10")
    return conversations.published(acme, people.alice(acme), now=NOW - timedelta(days=60))


@pytest.fixture
def analyzer(monkeypatch, tracker):
    """While it reads its first conversation, a new version of the tracker is published."""
    scripted = ScriptedAnalyzer()

    def publish_once():
        scripted.on_read = lambda: None
        publish_a_new_question(tracker)

    scripted.on_read = publish_once
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)
    return scripted


def publish_a_new_question(tracker):
    TrackerVersion.objects.create(
        company=tracker.company, tracker=tracker, number=2, question="Did they ask for a discount?"
    )
    person = people.bob(tracker.company)
    publishing.publish(tracker_id=tracker.pk, edit_number=tracker.edit_number, by=person, now=NOW)


def read_for_the_old_version(tracker, at=NOW):
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=lambda: at)


def states(version) -> list[str]:
    return [scan.state for scan in Scan.objects.filter(version=version)]


@pytest.mark.usefixtures("analyzer")
def test_nothing_is_written_or_charged_for_the_old_version(acme, tracker):
    conversations.ingest(acme, record("a", started_at=NOW), record("b", started_at=NOW), now=NOW)

    read_for_the_old_version(tracker)

    assert states(tracker.current_version) == ["SKIPPED", "SKIPPED"]
    assert UsageEvent.objects.filter(company=acme).count() == 0
    assert Quote.objects.count() == 0
    assert balances.now(company=acme).available == Decimal("10.000")
    assert reconciliation.check() == []


def test_what_failed_is_not_tried_again_on_it(acme, tracker, analyzer):
    conversations.ingest(acme, record("bad", started_at=NOW), now=NOW)
    analyzer.failing = {"bad"}

    read_for_the_old_version(tracker)
    later = NOW + timedelta(hours=1)
    sweeping.sweep(now=later)
    read_for_the_old_version(tracker, at=later)

    assert states(tracker.current_version) == ["SKIPPED"]
    assert analyzer.read == ["bad"]
