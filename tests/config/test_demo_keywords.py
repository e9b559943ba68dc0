"""The demo's free trackers, and what it suggests to save."""

from __future__ import annotations

from datetime import date
from decimal import Decimal

import pytest

from config.demo import dataset, storytelling
from tests.config.test_demo_seed import BERLIN, SMALL, at, seed
from tests.support.analyzers import ScriptedAnalyzer
from trackers import analyzers
from trackers.models import Scan, Suggestion


@pytest.fixture(autouse=True)
def _quick_analyzer(monkeypatch):
    """Keywords are found without an analyzer, and a campaign is over whatever was found."""
    analyzer = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: analyzer)


@pytest.mark.django_db
def test_a_keyword_tracker_found_the_rivals_that_customers_named_and_a_campaign_is_over():
    now = at("2026-11-24 11:00")
    records = dataset.conversations(plan=SMALL, today=now.date(), zone=BERLIN, now=now)

    company = seed(now)

    named = {
        record.id
        for record in records[34:]
        if any(rival in " ".join(_said_by_customers(record)) for rival in storytelling.RIVALS)
    }
    found = Scan.objects.filter(tracker__name="Rivals by name", verdict="YES")
    assert set(found.values_list("conversation__external_id", flat=True)) == named
    assert named == {"nw-call-020", "nw-call-023", "nw-call-024", "nw-call-034"}
    assert {scan.price for scan in Scan.objects.filter(tracker__kind="KEYWORD")} == {Decimal(0)}
    (over,) = Suggestion.objects.filter(company=company).select_related("tracker")
    assert (over.kind, over.tracker.name, over.credits_before) == (
        "ENDED",
        "Jobs and works council",
        Decimal("2.0"),
    )
    assert over.tracker.campaign_end_date == date(2026, 11, 22)


def _said_by_customers(record) -> list[str]:
    customers = {one.id for one in record.participants if one.role == "external"}
    return [turn.text for turn in record.utterances if turn.speaker in customers]
