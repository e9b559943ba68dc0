"""``check_ledger`` finds work and money that no longer agree (I9)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from credits import reconciliation
from credits.models import UsageEvent
from tests.support import conversations, people
from tests.support.conversations import record
from tests.support.corrupting import CHANGED, corrupt
from trackers import scanning

pytestmark = pytest.mark.django_db


@pytest.fixture
def scanned():
    """A company with one call read and charged."""
    acme = people.company()
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("call-1", started_at=now, duration_seconds=601), now=now)
    assert scanning.run_batch(
        version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now
    )
    return acme


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("action = 'API_REQUEST'", "TRACKER by API_REQUEST"),
        ("feature_type = 'BRIEF'", "BRIEF by CONTINUOUS"),
    ],
)
def test_a_use_that_paid_for_scans_is_a_tracker_s(scanned, change, said):
    event = UsageEvent.objects.get(company=scanned)
    before = reconciliation.check()

    corrupt(scanned, f"UPDATE credits_usageevent SET {change}")

    found = [(one.invariant, one.subject, one.detail) for one in reconciliation.check()]
    assert before == []
    assert (
        "I9",
        f"usage {event.pk}",
        f"is {said}; it paid for scans, which are continuous or a backfill",
    ) in found
    assert ("I10", "entry #2", CHANGED) in found
