"""In a browser the cost beside a new tracker's form follows what is in it (UX C4)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, people
from tests.support.browsing import page_of
from tests.support.conversations import record
from trackers.models import Tracker

pytestmark = pytest.mark.chromium


@pytest.mark.parametrize("width", [1280, 390])
def test_the_cost_follows_the_form_and_stays_in_sight(browser, site, width):
    acme = people.company()
    people.credits_for(acme, "100")
    at = timezone.now() - timedelta(days=3)
    conversations.ingest(
        acme,
        *(record(f"call-{n}", started_at=at, duration_seconds=900) for n in range(4)),
        *(record(f"mail-{n}", started_at=at, kind="email", team="Support") for n in range(10)),
    )
    page = page_of(browser, site, people.alice(acme))
    page.set_viewport_size({"width": width, "height": 844})
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.goto(site + reverse("admin:trackers_tracker_add"))
    figures = page.get_by_role("status")
    assert figures.get_by_text("≈ 4.0 credits a month").is_visible()

    page.get_by_label("E-mails", exact=True).check()
    month = figures.get_by_text("≈ 5.0 credits a month")
    month.wait_for(timeout=5000)
    page.locator("#id_teams_excluded + .select2 .select2-selection").click()
    page.get_by_role("option", name="Support", exact=True).click()
    month = figures.get_by_text("≈ 4.0 credits a month")
    month.wait_for(timeout=5000)

    place = month.bounding_box()
    assert 0 <= place["y"] < place["y"] + place["height"] <= 844
    assert page.evaluate("document.documentElement.scrollWidth") == width
    assert not Tracker.objects.exists()
    assert errors == []
