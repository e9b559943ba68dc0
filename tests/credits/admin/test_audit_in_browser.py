"""The audit trail and an entry's page in Chromium: nothing complains, and the link is copied."""

from __future__ import annotations

import os

import pytest
from django.utils import timezone

from credits import audit, origins, sign_in
from credits.audit import Action
from tests.journeys.browser import opened
from tests.support import people

pytestmark = pytest.mark.chromium


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_the_trail_and_an_entry_open_without_complaint(site, monkeypatch, width, dark):
    # Playwright's loop runs in this thread; the test's own queries wait for nobody.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    acme = people.company("Acme")
    vera, alice = people.vera(), people.alice(acme)
    grant = people.credits_for(acme, "250")
    with origins.coming_from(origins.Origin(door="ADMIN", ip="203.0.113.9", request_id="req-1")):
        audit.record(
            action=Action.GRANTED,
            by=vera,
            company=acme,
            subject=grant,
            after={"credits": grant.amount, "source": "Adjustment"},
            reason="Goodwill for the outage of Monday",
        )
    link = sign_in.new_link(user=alice, now=timezone.now())

    with opened(width=width, dark=dark) as page:
        page.goto(site + link)
        page.goto(f"{site}/admin/credits/auditevent/")
        page.get_by_text("Goodwill for the outage").first.wait_for()
        overflow = "document.documentElement.scrollWidth - window.innerWidth"
        assert page.evaluate(overflow) <= 0
        _shot(page, f"trail-{width}")
        page.goto(f"{site}/admin/ledger/{acme.slug}/1/")
        page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        page.get_by_role("button", name="Copy link").click()
        page.get_by_text("Copied.").wait_for()
        copied = page.evaluate("navigator.clipboard.readText()")
        assert copied == f"{site}/admin/ledger/{acme.slug}/1/"
        assert page.evaluate(overflow) <= 0
        _shot(page, f"entry-{width}")


def _shot(page, name: str) -> None:
    if folder := os.environ.get("SHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
