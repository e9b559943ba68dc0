"""What the language model's tests do again and again."""

from __future__ import annotations

from collections import Counter
from datetime import timedelta
from decimal import Decimal

from django.utils import timezone

from credits import balances, reconciliation
from credits.models import UsageEvent
from tests.support import conversations
from tests.support.conversations import record
from trackers import (
    scanning,
)
from trackers.models import (
    LlmAttempt,
)


def published(acme, admin, now, name="Pricing objection", **settings):
    return conversations.published(acme, admin, name, now=now - timedelta(days=60), **settings)


def arrive(acme, now, *names, **changes):
    conversations.ingest(acme, *(record(one, started_at=now, **changes) for one in names), now=now)


def run(tracker, clock=timezone.now) -> int:
    return scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=clock)


def outcomes() -> dict[str, int]:
    return dict(Counter(LlmAttempt.objects.values_list("outcome", flat=True)))


def assert_nothing_is_charged_or_held(acme):
    assert not UsageEvent.objects.filter(company=acme, amount__gt=0).exists()
    assert balances.now(company=acme).available == Decimal("10.000")
    assert reconciliation.check() == []
