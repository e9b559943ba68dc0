"""What a tracker's page says beside its form: its cost, and where its results are (UX C4, C7)."""

from __future__ import annotations

import html
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from credits.models import Source
from tests.support import conversations, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import backfills, publishing
from trackers.models import Scan

pytestmark = pytest.mark.django_db

SHARES = {
    Source.ALLOCATION: "25 % of 50.0 credits",
    Source.PURCHASE: "no credits are allocated to seats at present",
}


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def acme(now):
    """A month of 20 calls and 5 e-mails: 12.5 credits."""
    company = people.company()
    lately = now - timedelta(days=3)
    conversations.ingest(
        company,
        *(record(f"long-{n}", started_at=lately, duration_seconds=900) for n in range(4)),
        *(record(f"short-{n}", started_at=lately) for n in range(16)),
        *(record(f"mail-{n}", started_at=lately, kind="email") for n in range(5)),
    )
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def page(acme, alice):
    return signed_in(alice, acme)


def url(name: str, tracker) -> str:
    return reverse(f"admin:trackers_tracker_{name}", args=[tracker.pk])


@pytest.mark.parametrize("source", SHARES)
def test_a_draft_s_page_says_which_part_of_the_seats_credits_a_month_takes(page, acme, source):
    people.credits_for(acme, "50", source=source)
    tracker = conversations.tracker(acme, include_emails=True)

    text = re.sub(r"<[^>]+>", "", page.get(url("change", tracker)).content.decode())

    assert "≈ 12.5 credits a month" in text
    assert f"Of this period's seat allocation: {SHARES[source]}" in html.unescape(text)


def test_a_published_tracker_leads_to_its_own_results(page, acme, alice, now):
    tracker = conversations.tracker(acme, include_emails=True)
    people.credits_for(acme, "50")
    at_first = page.get(url("change", tracker)).content.decode()
    other = conversations.published(acme, alice, "Another", now=now)
    for published in (publish_at(tracker, alice, now), other):
        backfills.launch(
            tracker_id=published.pk,
            from_at=now - timedelta(days=60),
            to_at=now,
            ceiling=None,
            rates=people.rates(),
            by=alice,
            now=now,
        )

    link = results_link(page.get(url("change", tracker)))

    assert reverse("admin:trackers_scan_changelist") not in re.findall(
        r'credits-button" href="([^"?]*)', at_first
    )
    shown = page.get(link).context["cl"].result_list
    assert {scan.tracker_id for scan in shown} == {tracker.pk}
    assert len(shown) == Scan.objects.filter(tracker=tracker).count() == 25


def publish_at(tracker, by, now):
    return publishing.publish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=by, now=now
    )


def results_link(response) -> str:
    (found,) = re.findall(r'href="([^"]*)">Results', response.content.decode())
    return html.unescape(found)
