"""A backfill's open page follows it without being loaded again (UX §1c, C6)."""

from __future__ import annotations

import os
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone
from playwright.sync_api import sync_playwright

from tests.support import conversations, people, processes
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, backfills, scanning

pytestmark = pytest.mark.chromium


@pytest.fixture
def site(committed):
    """The web server as an operator starts it, on the test's own database; yields its address."""
    with processes.web_server(committed) as address:
        yield address


@pytest.fixture
def browser(monkeypatch):
    # Playwright's loop runs in this thread; the test's own queries wait for nobody.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        yield chromium
        chromium.close()


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
    page = _signed_in(browser, site, alice)
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request.url))
    page.on("pageerror", lambda error: errors.append(str(error)))

    page.goto(site + reverse("admin:trackers_backfill_change", args=[backfill.pk]))
    assert page.get_by_text("Running 0 %").is_visible()
    _run(backfill)
    page.get_by_text("Running 66 %").wait_for(timeout=5000)
    bar = page.get_by_role("progressbar", name="Conversations finished")
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


def _signed_in(browser, site, person):
    client = Client()
    client.force_login(person)
    context = browser.new_context()
    session = client.cookies["sessionid"].value
    context.add_cookies([{"name": "sessionid", "value": session, "url": site}])
    return context.new_page()
