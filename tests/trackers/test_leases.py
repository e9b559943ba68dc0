"""A lease: who may write a scan's result, and until when credits are held for it."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances
from credits.models import Reservation, UsageEvent
from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, claiming, scanning, sweeping
from trackers.models import Quote, Scan

pytestmark = pytest.mark.django_db


@pytest.fixture
def tracker(acme):
    people.credits_for(acme, "10")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=3))
    conversations.ingest(acme, record("c1", started_at=now - timedelta(days=1)))
    return tracker


def test_a_worker_that_wakes_after_its_lease_went_to_another_writes_and_charges_nothing(
    acme, tracker, monkeypatch
):
    successor = uuid.uuid4()
    scripted = ScriptedAnalyzer()
    scripted.on_read = lambda: Scan.objects.update(lease_token=successor)
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)

    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)

    assert Scan.objects.values_list("state", "lease_token").get() == ("RUNNING", successor)
    assert Quote.objects.count() == UsageEvent.objects.count() == 0
    assert balances.now(company=acme).available == Decimal("10.000")


def test_a_heartbeat_keeps_the_scans_and_the_credits_held_for_them(tracker):
    now = timezone.now()
    batch = claiming.claim(
        version_id=tracker.current_version_id, backfill_id=None, rates=people.rates(), now=now
    )
    claiming.hold_credits(batch, now=now)
    lapsed_at = Reservation.objects.get().lapses_at

    claiming.heartbeat(batch, now=now + timedelta(minutes=5))

    assert Scan.objects.get().leased_until == now + timedelta(minutes=5) + claiming.LEASE
    assert Reservation.objects.get().lapses_at > lapsed_at


def test_a_worker_lost_before_it_held_the_credits_it_named_is_recovered(acme, tracker):
    now = timezone.now()
    claiming.claim(
        version_id=tracker.current_version_id, backfill_id=None, rates=people.rates(), now=now
    )
    assert Scan.objects.get().reservation_ref is not None

    sweeping.recover(now=now + claiming.LEASE + timedelta(seconds=1))

    assert (Scan.objects.get().state, Reservation.objects.count()) == ("PENDING", 0)
    assert balances.now(company=acme).available == Decimal("10.000")
