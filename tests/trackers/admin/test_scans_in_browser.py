"""The list of results fits a screen and a phone, with account and deal beside the conversation."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, people
from tests.support.browsing import page_of
from tests.support.conversations import record
from trackers import scanning

pytestmark = pytest.mark.chromium
OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"


@pytest.fixture
def alice(committed):
    acme = people.company("Acme")
    alice = people.alice(acme)
    people.credits_for(acme, "100")
    now = timezone.now()
    tracker = conversations.published(acme, alice, now=now - timedelta(hours=2))
    started_at = now - timedelta(hours=1)
    account = {"name": "Vereinigte Feinmechanische Werkstätten AG", "type": "customer"}
    deal = {"name": "Globex robots, second phase", "stage": "won"}
    title = "Second meeting on the robots' controllers and their maintenance"
    conversations.ingest(
        acme,
        record("call-1", started_at=started_at, title=title, account=account, deal=deal),
        record("call-2", started_at=started_at, title="Check-in", deal=None),
        now=now,
    )
    version = tracker.version_in_force.pk
    while scanning.run_batch(version_id=version, backfill_id=None, clock=timezone.now):
        pass
    return alice


@pytest.mark.parametrize("width", [1280, 390])
def test_account_and_deal_are_read_without_scrolling_the_page_sideways(browser, site, alice, width):
    page = page_of(browser, site, alice)
    page.set_viewport_size({"width": width, "height": 900})

    page.goto(site + reverse("admin:trackers_scan_changelist"))

    of = page.get_by_text("Vereinigte Feinmechanische Werkstätten AG · Globex robots, second phase")
    assert of.is_visible()
    box, cell = of.bounding_box(), of.locator("xpath=ancestor::*[self::td or self::th]")
    around = cell.bounding_box()
    assert (box["x"] >= 0, box["x"] + box["width"] <= width) == (True, True)
    assert box["y"] + box["height"] <= around["y"] + around["height"]
    # Its title is above it.
    assert cell.locator("a").bounding_box()["y"] >= around["y"]
    assert page.evaluate(OVERFLOW) == 0
