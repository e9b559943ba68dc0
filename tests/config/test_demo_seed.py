"""The demo's history: the same amounts whenever it is seeded, none of it in the future."""

from __future__ import annotations

import json
from collections import Counter
from datetime import datetime, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.db.models import Count, Max, Min, Sum

from config.demo import dataset, seeding
from config.demo.clock import seeded_clock
from credits import balances, reconciliation
from credits.models import LedgerEntry, UsageEvent
from tests.support.analyzers import ScriptedAnalyzer
from trackers import analyzers, scanning
from trackers.models import Conversation, Scan, Tracker

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")
MOMENTS = {
    "a working day": "2026-11-24 11:00",
    "the 29th of February": "2028-02-29 15:30",
    "the day summer time begins": "2026-03-29 12:00",
    "the hour that summer time skips": "2026-03-29 03:00",
    "the day summer time ends": "2026-10-25 12:00",
    "a second before midnight": "2026-06-14 23:59:59",
    "midnight": "2026-06-15 00:00",
    "a second after midnight": "2026-06-15 00:00:01",
}


@pytest.fixture(autouse=True)
def _quick_analyzer(monkeypatch):
    """What a conversation costs does not depend on what is found in it."""
    analyzer = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: analyzer)


@pytest.fixture(params=MOMENTS)
def now(request):
    return datetime.fromisoformat(MOMENTS[request.param]).replace(tzinfo=BERLIN)


def seed(now: datetime):
    """Seed, and scan what was said today as the demo's workers would."""
    told = []
    company = seeding.seed(now=now, on_progress=lambda count, total: told.append((count, total)))
    assert told[-1] == (64, 64)
    version = Tracker.objects.get(company=company, state="PUBLISHED").version_in_force
    with seeded_clock(now) as clock:
        while scanning.run_batch(version_id=version.pk, backfill_id=None, clock=clock):
            pass
        return company, balances.now(company=company)


def test_the_amounts_are_the_same_at_any_time_and_none_lies_ahead(now):
    company, balance = seed(now)

    entries = LedgerEntry.objects.filter(company=company).order_by("kind").values_list("kind")
    usage = UsageEvent.objects.filter(company=company)
    assert list(entries.annotate(Sum("amount"))) == [
        ("ADJUSTED", Decimal("2.500")),
        ("CONSUMED", Decimal("-30.500")),
        ("GRANTED", Decimal("80.000")),
    ]
    assert usage.aggregate(Sum("calls"), Sum("emails")) == {"calls__sum": 44, "emails__sum": 20}
    assert (balance.remaining, balance.reserved) == (Decimal("52.000"), Decimal("0.000"))
    assert dict(Scan.objects.values_list("state").annotate(Count("pk"))) == {"DONE": 64}
    assert reconciliation.check() == []
    nothing_is_dated_after(now)


def nothing_is_dated_after(now: datetime) -> None:
    started = Conversation.objects.aggregate(Min("started_at"), Max("started_at"))
    recorded = LedgerEntry.objects.aggregate(Max("recorded_at"))
    ends = [
        record.started_at + timedelta(seconds=record.duration_seconds)
        for record in dataset.conversations(today=now.date(), zone=BERLIN, now=now)
    ]
    assert max(ends) < now
    assert started["started_at__max"] < now
    assert now - started["started_at__min"] < timedelta(days=62)
    assert recorded["recorded_at__max"] <= now


def test_the_amount_is_the_hand_count_of_the_file():
    """From the file alone: what the customers said, how long it took, and the card's figures."""
    lines = (dataset.DATA / "conversations.jsonl").read_text().splitlines()

    kinds = Counter(_kind(json.loads(line)) for line in lines)

    assert kinds == {"email": 20, "short": 27, "long": 15, "nothing said by the customer": 2}
    assert 20 * Decimal("0.1") + 27 * Decimal("0.5") + 15 * Decimal("1.0") == Decimal("30.5")


def _kind(row: dict) -> str:
    customers = {one["id"] for one in row["participants"] if one["role"] == "external"}
    said = "".join(one["text"] for one in row["utterances"] if one["speaker"] in customers)
    if not any(character.isalnum() for character in said):
        return "nothing said by the customer"
    if row["kind"] == "email":
        return "email"
    return "long" if row["duration_seconds"] > 600 else "short"
