"""A backfill's open page follows it without being loaded again (UX §1c, C6)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.browsing import page_of
from tests.support.conversations import record
from trackers import analyzers, backfills, scanning

pytestmark = pytest.mark.chromium


def test_the_open_page_follows_the_backfill_to_its_end_and_then_asks_no_more(
    site, browser, monkeypatch
):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    acme = people.company()
    alice = people.alice(acme)
    people.credits_for(acme, "10")
    conversations.ingest(acme, record("a"), record("b"), record("s", team="Support"))
    now = timezone.now()
    tracker = conversations.published(acme, alice, now=now)
    backfill = backfills.launch(
        tracker_id=tracker.pk,
        from_at=now - timedelta(days=60),
        to_at=now,
        ceiling=None,
        rates=people.rates(),
        by=alice,
        now=now,
    )
    page = page_of(browser, site, alice)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))

    page.goto(site + reverse("admin:trackers_backfill_change", args=[backfill.pk]))
    assert page.get_by_text("Running 0 %").is_visible()
    _run(backfill)
    page.get_by_text("Running 66 %").wait_for(timeout=5000)
    bar = page.get_by_role("progressbar", name="Conversations read")
    assert bar.get_attribute("aria-valuenow") == "66"
    assert page.locator("[data-metric=charged]").get_attribute("data-value") == "1.0"
    assert page.get_by_role("link", name="Stop").is_visible()
    _run(backfill)
    page.locator("[data-status=DONE]").wait_for(timeout=5000)

    assert page.locator("[data-metric=charged]").get_attribute("data-value") == "1.5"
    assert page.locator("[data-part=ended]").is_visible()
    assert page.get_by_role("link", name="Stop").is_hidden()
    asked.clear()
    page.wait_for_timeout(3000)
    assert (asked, errors) == ([], [])


def _run(backfill) -> None:
    scanning.run_batch(version_id=backfill.version_id, backfill_id=backfill.pk, clock=timezone.now)
