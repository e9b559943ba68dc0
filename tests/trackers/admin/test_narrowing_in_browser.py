"""In a browser the figures of narrowed filters follow the form without a button (UX B3)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from credits.models import User
from tests.support import conversations, people
from tests.support.browsing import page_of
from tests.support.conversations import record
from trackers.models import Tracker

pytestmark = pytest.mark.chromium

FAILED = "The figures could not be updated. “Next: see what it does” still shows them."


@pytest.fixture
def tracker(committed):
    """Three long calls of EMEA and one of APAC in 30 days: 4.0 credits."""
    acme = people.company()
    alice = people.alice(acme)
    people.credits_for(acme, "100")
    at = timezone.now() - timedelta(days=3)
    conversations.ingest(
        acme,
        *(record(f"emea-{n}", started_at=at, team="EMEA", duration_seconds=900) for n in range(3)),
        record("apac", started_at=at, team="APAC", duration_seconds=900),
    )
    return conversations.published(acme, alice)


@pytest.fixture
def page(browser, site, tracker):
    page = page_of(browser, site, User.objects.get())
    page.goto(site + reverse("admin:trackers_tracker_narrow", args=[tracker.pk]))
    return page


def choose(page, field: str, option: str) -> None:
    page.locator(f"#id_{field} + .select2 .select2-selection").click()
    page.get_by_role("option", name=option, exact=True).click()


def test_a_chosen_team_shows_its_figures_within_a_second_and_changes_nothing(page, tracker):
    asked, errors = [], []
    page.on("request", lambda request: asked.append(request) if request.method == "POST" else None)
    page.on("pageerror", lambda error: errors.append(str(error)))
    figures = page.get_by_role("status")

    choose(page, "teams", "EMEA")
    figures.get_by_text("≈ 4.0 → ≈ 3.0 (−25 %)").wait_for(timeout=5000)
    assert figures.locator("[data-metric=conversations-after]").inner_text() == "3"
    # Both at once, before the pause is over: one request.
    page.get_by_label("E-mails", exact=True).check()
    page.get_by_label("Calls", exact=True).uncheck()
    figures.get_by_text("≈ 4.0 → ≈ 0.0").wait_for(timeout=5000)

    assert (len(asked), errors) == (2, [])
    assert page.locator("[data-live-says]").inner_text() == ""
    saved = Tracker.objects.get(pk=tracker.pk)
    assert (saved.include_calls, saved.filters.count()) == (True, 0)


def test_an_answer_that_fails_is_said_and_the_button_still_works(page):
    page.route("**/narrow/", lambda route: route.abort())
    choose(page, "teams", "APAC")
    page.get_by_role("status").get_by_text(FAILED).wait_for(timeout=5000)
    page.unroute("**/narrow/")

    page.get_by_role("button", name="Next: see what it does").click()

    page.get_by_text("≈ 4.0 → ≈ 1.0 (−75 %)").wait_for(timeout=5000)


def test_the_answer_to_what_was_chosen_before_is_not_waited_for(page):
    held = []
    page.route("**/narrow/", lambda route: held.append(route))
    choose(page, "teams", "APAC")
    page.get_by_role("status").get_by_text("Working it out…").wait_for(timeout=5000)
    page.wait_for_timeout(600)
    page.unroute("**/narrow/")
    with page.expect_event("requestfailed") as given_up:
        choose(page, "teams", "EMEA")

    assert given_up.value.method == "POST"
    assert len(held) == 1
    page.get_by_role("status").get_by_text("all conversations → team is APAC or EMEA").wait_for(
        timeout=5000
    )
