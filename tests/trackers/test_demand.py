"""What waits for credits, by tracker, for the credits page."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import demand, scanning

pytestmark = pytest.mark.django_db


def queue(company, name, *records, **settings):
    now = timezone.now()
    tracker = conversations.published(
        company,
        people.member(company, "TECH_ADMIN", name),
        name,
        now=now - timedelta(days=9),
        **settings,
    )
    conversations.ingest(company, *records, now=now)
    return tracker


def test_what_waits_is_counted_by_kind_and_priced_the_dearest_tracker_first():
    acme, now = people.company(), timezone.now()
    cheap = queue(acme, "Cheap", include_calls=False, include_emails=True, side="ANY")
    dear = queue(
        acme,
        "Dear",
        record("long", started_at=now, duration_seconds=601),
        record("short", started_at=now, duration_seconds=600),
        record("mail", started_at=now, kind="email", duration_seconds=0),
    )
    globex = people.company("Globex")
    queue(globex, "Elsewhere", record("theirs", started_at=now))

    for tracker in (cheap, dear):
        scanning.run_batch(
            version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now
        )

    assert demand.waiting(company=acme) == [
        ("TRACKER", "Dear", dear.pk, 2, 0, Decimal("1.500")),
        ("TRACKER", "Cheap", cheap.pk, 0, 1, Decimal("0.100")),
    ]
