"""An export's open page follows it without being loaded again, and gives the file (UX §1d, D2)."""

from __future__ import annotations

import os

import pytest
from django.urls import reverse
from django.utils import timezone

from credits import exports
from credits.admin import reports
from credits.models import ExportJob
from tests.support import people
from tests.support.browsing import page_of
from tests.support.exporting import asked_for, company_with_use

pytestmark = pytest.mark.chromium


@pytest.fixture
def folder(settings, tmp_path, monkeypatch):
    settings.EXPORTS = tmp_path / "exports"
    # For the web server, which is a process of its own.
    monkeypatch.setitem(os.environ, "TALLYSTICK_EXPORTS", str(settings.EXPORTS))
    return settings.EXPORTS


@pytest.fixture
def page(folder, site, browser):
    company = company_with_use()
    alice = people.alice(company)
    page = page_of(browser, site, alice)
    page.complaints = []
    page.on("pageerror", lambda error: page.complaints.append(str(error)))
    page.company, page.alice = company, alice
    return page


def test_reports_are_chosen_followed_and_downloaded(page, site):
    choose_and_download(page, site)
    follow_to_the_file(page, site)

    assert page.complaints == []


def follow_to_the_file(page, site):
    """The open page and the list say how far the export is, and then offer its file."""
    job = asked_for(page.company, page.alice, row_count=80_000, now=timezone.now())
    listing = page.context.new_page()

    page.goto(site + reverse("admin:credits_exportjob_change", args=[job.pk]))
    listing.goto(site + reverse("admin:credits_exportjob_changelist"))
    assert page.locator("[data-status=queued]").is_visible()
    exports._claim(job.pk, timezone.now())
    ExportJob.objects.filter(pk=job.pk).update(rows_done=12_000)
    for one in (page, listing):
        one.get_by_text("Preparing 12,000 of 80,000 rows").wait_for(timeout=5000)
    assert page.get_by_role("progressbar", name="Rows prepared").get_attribute("value") == "15"
    ExportJob.objects.filter(pk=job.pk).update(state="QUEUED", lease_token=None, leased_until=None)
    ready = exports.prepare(job_id=job.pk, clock=timezone.now)
    for one in (page, listing):
        one.locator("[data-status=ready]").wait_for(timeout=5000)

    with listing.expect_download() as download:
        listing.get_by_role("link", name="Download", exact=True).click()
    assert download.value.suggested_filename == f"credit-usage-{page.company.slug}-all.csv"
    assert download.value.path().read_bytes() == exports.path_of(ready).read_bytes()
    page.get_by_role("link", name="Run again").click()
    assert page.locator("[data-metric=export-rows]").get_attribute("data-value") == "3"


def choose_and_download(page, site):
    """Choices that a report or format does not have are out of the way."""
    page.goto(site + reverse("admin:credits_reports"))

    daily = page.get_by_label("One row per tracker and day")
    mark = page.get_by_label("Begin with a byte-order mark")
    assert daily.is_visible()
    assert mark.is_visible()
    page.get_by_label("Credit balance").check()
    page.wait_for_url("**report=credit-balance**")
    assert daily.is_hidden()
    page.get_by_label("JSON").check()
    page.wait_for_url("**format=json**")
    assert mark.is_hidden()
    assert page.locator("[data-metric=control-closing]").get_attribute("data-value") == "999.7"
    with page.expect_download() as download:
        page.get_by_role("button", name="Export report").click()
    assert download.value.suggested_filename.startswith("credit-balance-")
    assert reports.ROWS_AT_ONCE_MAX == 5000
