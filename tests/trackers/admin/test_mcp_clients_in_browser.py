"""Keys and clients in Chromium: their pages keep their width, and nothing covers or hides words."""

from __future__ import annotations

import os

import pytest
from django.utils import timezone

from credits import api_keys, sign_in
from credits.api_keys import KeyLimit
from credits.models import Scope
from tests.journeys.browser import opened
from tests.support import people

pytestmark = pytest.mark.chromium

OVERFLOW = "document.documentElement.scrollWidth - window.innerWidth"
HEIGHT = "element => element.getBoundingClientRect().height"
HIDDEN = "element => element.scrollWidth - element.clientWidth"


@pytest.mark.parametrize(("width", "dark"), [(1280, False), (390, True)])
def test_a_client_is_connected_and_its_key_found_again(site, monkeypatch, width, dark):
    # Playwright's loop runs in this thread; the test's own queries wait for nobody.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    acme = people.company("Acme")
    alice = people.alice(acme)
    made = api_keys.create(
        company=acme,
        name="Everything",
        scopes=list(Scope),
        by=alice,
        now=timezone.now(),
        limit=KeyLimit(40),
    )
    link = sign_in.new_link(user=alice, now=timezone.now())

    with opened(width=width, dark=dark) as page:
        page.goto(site + link)
        page.goto(f"{site}/admin/credits/integration/add/")
        asks = page.get_by_text("this uses credits").first
        assert asks.evaluate(HIDDEN) <= 0
        page.fill("input[name=name]", "Assistant")
        page.get_by_role("button", name="Make the key").click()
        warning = page.get_by_text("This is the only time the key is shown")
        assert warning.evaluate(HEIGHT) < 110
        assert page.evaluate(OVERFLOW) <= 0
        page.goto(f"{site}/admin/credits/apikey/")
        may = page.locator("td.field-may").last
        assert "purchases:request" in may.inner_text().replace("\n", "")
        for scope in may.locator(".credits-code").all():
            box, cell = scope.bounding_box(), may.bounding_box()
            assert box["height"] < 50
            assert box["y"] + box["height"] <= cell["y"] + cell["height"] + 1
        page.goto(f"{site}/admin/credits/apikey/{made.key.pk}/change/")
        used = page.locator("td:has(> .credits-meter)")
        bar, cell = used.locator("progress").bounding_box(), used.bounding_box()
        assert bar["x"] + bar["width"] <= cell["x"] + cell["width"]
        assert page.evaluate(OVERFLOW) <= 0
