"""What a month of the demo costs is what its trackers' estimates say (UX §2.9)."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

import pytest
from django.db.models import Sum

from tests.config.test_demo_seed import at, seed
from tests.support import people
from tests.support.analyzers import ScriptedAnalyzer
from trackers import analyzers, estimates
from trackers.models import Scan, Tracker

# By the trackers that were published all the time.
USED_IN_A_MONTH = {
    "Pricing objection": Decimal("11.0"),
    "Competitor mentioned": Decimal("7.5"),
    "Renewal at risk": Decimal("2.7"),
    "Integration worries": Decimal("8.3"),
    "Downtime complaint": Decimal("2.7"),
    "Jobs and works council": Decimal("2.0"),
    "Rivals by name": Decimal("0.0"),
    "Contract and signature": Decimal("0.0"),
}


@pytest.fixture(autouse=True)
def _quick_analyzer(monkeypatch):
    """What a conversation costs does not depend on what is found in it."""
    analyzer = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: analyzer)


@pytest.mark.django_db
def test_a_month_of_the_demo_was_charged_what_its_estimate_says():
    """Estimated as of today, and added up from what the ledger took for the same 30 days."""
    now = at("2026-11-24 11:00")
    company = seed(now)
    rates, since = people.rates(), now - timedelta(days=30)
    estimated, charged = {}, {}
    for tracker in Tracker.objects.filter(company=company, state="PUBLISHED"):
        if tracker.new_since > since:
            continue
        estimated[tracker.name] = estimates.monthly(
            tracker=tracker, version=tracker.version_in_force, now=now, rates=rates
        ).credits
        read = Scan.objects.filter(
            tracker=tracker, conversation_started_at__gte=since, conversation_started_at__lt=now
        )
        charged[tracker.name] = read.aggregate(credits=Sum("price"))["credits"]

    assert estimated == charged == USED_IN_A_MONTH
