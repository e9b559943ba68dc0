"""The list of trackers says of 30 days what the credits page says."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from config.demo.clock import seeded_clock
from credits import charging, overview
from credits.ledger import Use
from credits.rating import Work
from tests.support import conversations, people
from trackers.admin import trackers_list
from trackers.models import Tracker

# Noon of 10 November in UTC, when it is 11 November in Auckland.
NOW = datetime(2026, 11, 10, 12, tzinfo=UTC)


@pytest.fixture
def clock(db):
    with seeded_clock(datetime(2026, 9, 1, tzinfo=UTC)) as clock:
        yield clock


def use_of(tracker: Tracker, company, **work: int) -> None:
    use = Use("TRACKER", tracker.name, tracker.pk, "CONTINUOUS")
    charging.charge(company=company, use=use, work=Work(**work), rates=people.rates())


def test_each_tracker_used_in_30_days_what_the_credits_page_says_it_did(clock):
    berlin = people.company(time_zone="Europe/Berlin")
    auckland = people.company("Kiwi", time_zone="Pacific/Auckland")
    for company in (berlin, auckland):
        people.credits_for(company, "100")
        for name in ("Prices", "Discounts", "Never used"):
            conversations.tracker(company, name)
    for instant, work in [
        (datetime(2026, 10, 11, 21, 59, 59, tzinfo=UTC), {"long_calls": 1}),  # Berlin's 11 Oct
        (datetime(2026, 10, 11, 22, tzinfo=UTC), {"short_calls": 3}),  # Berlin's 12 Oct
        (datetime(2026, 10, 12, 10, 59, 59, tzinfo=UTC), {"long_calls": 1}),  # Auckland's 12 Oct
        (datetime(2026, 10, 12, 11, tzinfo=UTC), {"short_calls": 1}),  # Auckland's 13 Oct
        (NOW, {"emails_with_text": 1}),
    ]:
        clock.set(instant)
        for tracker in Tracker.objects.exclude(name="Never used").order_by("pk"):
            use_of(tracker, tracker.company, **work)
            if tracker.name == "Prices":
                use_of(tracker, tracker.company, **work)
    rows = list(Tracker.objects.select_related("company").prefetch_related("versions"))
    for tracker in rows:
        tracker.drafts = list(tracker.versions.all())

    found = trackers_list.figures_of(rows, now=NOW)

    listed = {(one.company.name, one.name): found[one.pk].used for one in rows}
    assert listed == {
        ("Acme", "Prices"): Decimal("6.200"),
        ("Acme", "Discounts"): Decimal("3.100"),
        ("Acme", "Never used"): Decimal(0),
        ("Kiwi", "Prices"): Decimal("1.200"),
        ("Kiwi", "Discounts"): Decimal("0.600"),
        ("Kiwi", "Never used"): Decimal(0),
    }
    for company in (berlin, auckland):
        shown = {use.name: use.credits for use in overview.of(company=company).use.features}
        assert shown == {
            name: used for (owner, name), used in listed.items() if owner == company.name and used
        }
