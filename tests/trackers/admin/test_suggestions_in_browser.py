"""From the credits page to a saving and back in three clicks, with the keyboard alone (UX §1b)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, people
from tests.support.browsing import page_of
from tests.support.conversations import record
from trackers.models import AdviceRun, Suggestion

pytestmark = pytest.mark.chromium


@pytest.fixture
def alice(committed):
    acme = people.company("Acme")
    alice = people.alice(acme)
    people.credits_for(acme, "100")
    now = timezone.now()
    mail = {"kind": "email", "duration_seconds": 0}
    conversations.ingest(
        acme,
        record("call", started_at=now - timedelta(days=3), duration_seconds=900),
        *(record(f"mail-{n}", started_at=now - timedelta(days=n), **mail) for n in range(1, 11)),
    )
    tracker = conversations.published(acme, alice, include_emails=True)
    Suggestion.objects.create(
        company=acme,
        run=AdviceRun.objects.create(company=acme, computed_at=now),
        tracker=tracker,
        kind="EMAILS",
        edit_number=tracker.edit_number,
        conversations_before=11,
        conversations_after=1,
        credits_before=2,
        credits_after=1,
        read_count=11,
        found_count=1,
    )
    return alice


@pytest.mark.parametrize(("width", "scheme"), [(1280, "light"), (390, "dark")])
def test_a_saving_is_found_done_and_undone_without_a_mouse(browser, site, alice, width, scheme):
    page = page_of(browser, site, alice)
    page.set_viewport_size({"width": width, "height": 900})
    page.emulate_media(color_scheme=scheme)
    errors = []
    page.on("pageerror", lambda error: errors.append(str(error)))

    def follow(role: str, name: str) -> None:
        page.get_by_role(role, name=name).first.focus()
        # The page that is there is idle until the next one begins to come.
        with page.expect_navigation(wait_until="networkidle"):
            page.keyboard.press("Enter")
        assert page.evaluate("document.documentElement.scrollWidth") == width

    page.goto(site + reverse("admin:credits_page"))
    follow("link", "Leave e-mails out of “Pricing objection”")
    assert page.locator("[data-metric=credits-before]").get_attribute("data-value") == "2.0"
    assert page.locator("[data-metric=credits-after]").get_attribute("data-value") == "1.0"
    follow("button", "Apply")
    assert page.get_by_text("“Pricing objection” reads that from now on.").is_visible()
    follow("link", "Undo")
    assert page.get_by_text("Calls → Calls and e-mails").is_visible()
    follow("button", "Undo")

    assert page.get_by_text("“Pricing objection” reads again what it read before.").is_visible()
    assert Suggestion.objects.get().tracker.include_emails
    assert errors == []
