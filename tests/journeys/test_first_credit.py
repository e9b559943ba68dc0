"""A newcomer's first quarter of an hour, in a browser (UX §1a, c, d)."""

from __future__ import annotations

import csv
import subprocess
import sys
import tempfile
from decimal import Decimal
from pathlib import Path

import pytest
from playwright.sync_api import expect

from config.embedded_postgres import PROJECT
from tests.journeys import browser, product

pytestmark = pytest.mark.chromium

HEADERS = [
    "Usage time",
    "Feature type",
    "Feature name",
    "Usage action",
    "Integration",
    "User ID",
    "Credits used",
    "Usage breakdown",
    "# of requests",
]


@pytest.fixture(scope="module")
def demo():
    """The product, started by README's first command in a copy nobody else may enter."""
    # As root below a folder of mode 0700, as /root is on many machines.
    with tempfile.TemporaryDirectory() as folder, product.started(Path(folder)) as running:
        yield running


def figure(page, name: str) -> Decimal:
    """Return the number a page states under a name."""
    return Decimal(page.locator(f'[data-metric="{name}"]').first.get_attribute("data-value"))


def settled(page) -> Decimal:
    """Return what remains once the worker just started has scanned what the day brought."""
    unchanged = 0
    while unchanged < 15:
        before = figure(page, "remaining")
        page.wait_for_timeout(1000)
        page.reload()
        unchanged = unchanged + 1 if figure(page, "remaining") == before else 0
    return figure(page, "remaining")


def test_from_the_printed_link_to_a_report_that_adds_up(demo, tmp_path):
    with browser.opened() as page:
        # The link signs in and lands on the credits page.
        page.goto(demo.sign_in_link)
        expect(page.get_by_role("heading", level=1)).to_have_text("Credits — Northwind Robotics")
        expect(page.get_by_text("Demo data")).to_be_visible()
        remaining = settled(page)
        assert remaining > Decimal(0)
        assert page.locator('[data-metric="used-on"]').count() == 90
        assert page.locator('[data-metric="used-by"]').count() >= 5
        assert page.locator('[data-status="scheduled"]').count() == 1

        # A draft is published together with a backfill of its history.
        page.get_by_role("link", name="AI trackers").click()
        page.get_by_role("link", name="Reference visit wanted").click()
        expect(page.locator(".select2-search__field").first).to_be_visible()
        expect(page.locator(".select2-search__field:not([aria-label])")).to_have_count(0)
        page.get_by_role("link", name="Publish", exact=True).click()
        expect(page.get_by_text("234.5 credits exactly, for 379 conversations")).to_be_visible()
        agreement = page.get_by_label("A month costs more than 10 % of what is left")
        if agreement.count():
            agreement.check()
        page.get_by_label("Backfill history in the same step").check()
        page.get_by_role("button", name="Publish").click()

        # It is watched, without reloading, until it is done.
        bar = page.get_by_role("progressbar", name="Conversations read")
        expect(bar).to_have_attribute("aria-valuenow", "100", timeout=120_000)
        expect(page.locator('[data-status="DONE"]')).to_be_visible(timeout=10_000)
        assert figure(page, "charged") == Decimal("234.5")

        # The credits page and the report tell the same story.
        page.locator('a[href="/admin/credits/"]').first.click()
        assert figure(page, "remaining") == remaining - Decimal("234.5")
        used = figure(page, "used-30-days")
        page.get_by_role("link", name="Download credit reports", exact=True).click()
        page.get_by_label("All", exact=True).check()
        with page.expect_download() as downloading:
            page.get_by_role("button", name="Export report").click()
        report = tmp_path / "usage.csv"
        downloading.value.save_as(report)

        # The link has worked once, and that was that.
        assert page.request.get(demo.sign_in_link).status == 410

    with report.open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    assert list(rows[0]) == HEADERS
    backfilled = [row for row in rows if row["Feature name"] == "Reference visit wanted"]
    assert {row["Usage action"] for row in backfilled} == {"Backfill"}
    assert sum(Decimal(row["Credits used"]) for row in backfilled) == Decimal("234.5")
    # The trackers’ own 1,001.0, counted by hand in test_demo_seed.py, and the backfill.
    assert sum(Decimal(row["Credits used"]) for row in rows) == Decimal("1235.5")
    assert Decimal("234.5") < used < Decimal("1235.5")


def test_the_books_are_right_afterwards(demo):
    done = subprocess.run(
        [demo.clone / ".venv" / "bin" / "python", "manage.py", "check_ledger"],
        cwd=demo.clone,
        env=product.environment_of_a_newcomer(),
        capture_output=True,
        text=True,
    )

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.endswith("every invariant holds.\n")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
def test_no_page_is_wider_than_the_screen(demo, width, dark):
    too_wide = {}
    with browser.opened(width=width, dark=dark) as page:
        page.goto(f"{demo.address}/admin/login/")
        page.get_by_label("E-mail address").fill("tomas@northwind.example")
        page.get_by_label("Password").fill("tallystick-demo")
        page.get_by_role("button", name="Log in").click()
        links = page.locator("#nav-sidebar a, nav a, aside a").evaluate_all(
            "links => [...new Set(links.map(link => link.href))].filter(Boolean)"
        )
        for link in links:
            page.goto(link)
            excess = page.evaluate("document.documentElement.scrollWidth") - width
            if excess > 0:
                too_wide[link] = excess

    assert len(links) > 12
    assert too_wide == {}


def test_the_screenshots_are_taken_anew_and_small(demo, tmp_path):
    done = subprocess.run(
        [
            sys.executable,
            PROJECT / "docs" / "screenshots" / "make.py",
            "--address",
            demo.address,
            "--folder",
            tmp_path,
        ],
        capture_output=True,
        text=True,
    )

    kept = {path.name for path in (PROJECT / "docs" / "screenshots").glob("*.png")}
    taken = {path.name: path.stat().st_size for path in tmp_path.glob("*.png")}
    assert (done.returncode, done.stderr) == (0, "")
    assert set(taken) == kept
    assert len(kept) >= 6
    assert max(taken.values()) <= 150_000
