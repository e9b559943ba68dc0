"""The credits page answers its six questions without scrolling at 1280×900 (SPEC §6)."""

from __future__ import annotations

import uuid
from datetime import timedelta
from decimal import Decimal

import pytest
from django.urls import reverse
from django.utils import timezone

from config.demo.clock import seeded_clock
from credits import charging
from credits.ledger import Use
from credits.rating import Work
from tests.support import conversations, people
from tests.support.browsing import page_of
from tests.support.conversations import record
from trackers import scanning

pytestmark = pytest.mark.chromium

WIDTH, HEIGHT = 1280, 900
# What is left, of how many; used, and before; when it runs out; held and waiting; what expires.
ANSWERS = (
    "remaining",
    "total",
    "used-30-days",
    "used-previous-30-days",
    "runs-out",
    "held-jobs",
    "waiting",
    "next-expiry",
    "next-expiry-unused",
)
NAME = "Competitor mentioned"


@pytest.fixture
def acme(committed):
    """Ten features of two kinds, used on each of 40 days; 1,234.5 left to expire in a month."""
    company = people.company("Acme")
    now = timezone.now()
    with seeded_clock(now - timedelta(days=41)) as clock:
        people.credits_for(company, "1674.5", expires_at=now + timedelta(days=30))
        for ago in range(40, 0, -1):
            clock.set(now - timedelta(days=ago))
            charge(company, number=ago % 10)
    return company


def charge(company, *, number: int, calls: int = 11) -> None:
    kind, action = ("ASK", "API_REQUEST") if number == 9 else ("TRACKER", "CONTINUOUS")
    use = Use(kind, f"{NAME} {number}", uuid.UUID(int=number), action)
    work = Work(long_calls=calls)
    charging.charge(company=company, use=use, work=work, rates=people.rates())


def hidden(page, selectors) -> dict[str, dict[str, float]]:
    """Return those whose first element is not wholly on the screen, with where it is."""
    boxes = {name: page.locator(name).first.bounding_box() for name in selectors}
    return {
        name: box
        for name, box in boxes.items()
        if box is None
        or box["x"] < 0
        or box["y"] < 0
        or box["x"] + box["width"] > WIDTH
        or box["y"] + box["height"] > HEIGHT
    }


def opened(browser, site, person):
    page = page_of(browser, site, person)
    page.set_viewport_size({"width": WIDTH, "height": HEIGHT})
    page.goto(site + reverse("admin:credits_page"))
    page.wait_for_load_state("networkidle")
    assert page.evaluate("window.scrollY") == 0
    return page


def test_all_six_answers_are_on_the_first_screen(browser, site, acme):
    use = Use("TRACKER", f"{NAME} 1", uuid.UUID(int=1), "BACKFILL")
    charging.reserve(company=acme, amount=Decimal("42"), use=use, rates=people.rates())

    page = opened(browser, site, people.bob(acme))

    rows = [f"tr[data-metric=used-by] >> nth={place}" for place in range(10)]
    assert page.locator("tr[data-metric=used-by]").count() == 10
    assert hidden(page, [f"[data-metric={name}]" for name in ANSWERS]) == {}
    assert hidden(page, rows) == {}
    assert page.locator("summary", has_text="Method").is_visible()
    assert page.get_by_text("in 1 job").is_visible()
    assert page.evaluate("document.documentElement.scrollWidth") == WIDTH


def test_with_a_banner_and_work_that_waits_the_answers_still_are(browser, site, acme):
    alice, now = people.alice(acme), timezone.now()
    charge(acme, number=3, calls=1234)
    tracker = conversations.published(acme, alice, now=now - timedelta(hours=2))
    started_at = now - timedelta(hours=1)
    conversations.ingest(
        acme,
        *(record(f"call-{n}", started_at=started_at, duration_seconds=900) for n in range(3)),
        now=now,
    )
    version = tracker.version_in_force.pk
    while scanning.run_batch(version_id=version, backfill_id=None, clock=timezone.now):
        pass

    page = opened(browser, site, alice)

    top_five = [f"tr[data-metric=used-by] >> nth={place}" for place in range(5)]
    assert page.locator("div[data-status=waiting]").is_visible()
    assert page.locator("[data-metric=waiting]").get_attribute("data-value") == "3.0"
    assert hidden(page, [f"[data-metric={name}]" for name in ANSWERS]) == {}
    assert hidden(page, top_five) == {}


@pytest.mark.parametrize("width", [1280, 390])
def test_what_waits_is_wholly_seen_beside_the_other_panels(browser, site, committed, width):
    acme = people.company("Acme")
    alice, now = people.alice(acme), timezone.now()
    trackers = [
        conversations.published(acme, alice, name, now=now - timedelta(hours=2))
        for name in ("Implementation and onboarding objections", "Wettbewerbsvergleichsanfragen")
    ]
    calls = (
        record(f"call-{n}", started_at=now - timedelta(hours=1), duration_seconds=900)
        for n in range(6)
    )
    conversations.ingest(acme, *calls, now=now)
    for tracker in trackers:
        version = tracker.version_in_force.pk
        while scanning.run_batch(version_id=version, backfill_id=None, clock=timezone.now):
            pass

    page = page_of(browser, site, alice)
    page.set_viewport_size({"width": width, "height": HEIGHT})
    page.goto(site + reverse("admin:credits_page"))

    needed = page.locator("[data-metric=waiting-by]")
    assert [one.inner_text() for one in needed.all()] == ["6.0", "6.0"]
    region = page.locator(".credits-scroll:has(> .credits-table-beside)")
    assert region.evaluate("element => element.scrollWidth - element.clientWidth") == 0
    edge = region.bounding_box()["x"] + region.bounding_box()["width"]
    for one in (*needed.all(), page.get_by_text("Credits needed")):
        box = one.bounding_box()
        assert box["x"] + box["width"] <= edge
    assert page.evaluate("document.documentElement.scrollWidth") == width


def test_the_method_opens_by_keyboard(browser, site, acme):
    page = opened(browser, site, people.vic(acme))

    page.locator("summary", has_text="Method").focus()
    page.keyboard.press("Enter")

    assert page.get_by_text("Each coming day uses what its weekday used on average").is_visible()
    assert page.get_by_text("From 28 full days, 28 of them with use").is_visible()


def test_a_coming_day_is_read_out_by_the_arrow_keys(browser, site, acme):
    page = opened(browser, site, people.bob(acme))

    page.locator(".credits-bar[tabindex='0']").focus()
    page.keyboard.press("ArrowRight")

    assert page.locator("[data-readout]").inner_text().startswith("Forecast for ")
