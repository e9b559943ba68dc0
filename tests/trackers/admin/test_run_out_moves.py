"""Publishing shows how it moves the day on which credits run out (SPEC §5)."""

from __future__ import annotations

import re
import uuid
from datetime import datetime, time, timedelta
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest
from django.urls import reverse
from django.utils import timezone

from config.demo.clock import seeded_clock
from credits import charging
from credits.ledger import Use
from credits.rating import Work
from tests.support import conversations, people
from tests.support.conversations import record
from trackers.models import TrackerVersion

pytestmark = pytest.mark.django_db

BERLIN = ZoneInfo("Europe/Berlin")


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def today(now):
    return now.astimezone(BERLIN).date()


@pytest.fixture
def acme(now):
    """A month of 20 calls and 5 e-mails: 12.5 credits; and two long calls of the month before."""
    company = people.company()
    lately, before = now - timedelta(days=3), now - timedelta(days=45)
    conversations.ingest(
        company,
        *(record(f"long-{n}", started_at=lately, duration_seconds=900) for n in range(4)),
        *(record(f"short-{n}", started_at=lately) for n in range(16)),
        *(record(f"mail-{n}", started_at=lately, kind="email") for n in range(5)),
        *(record(f"old-{n}", started_at=before, duration_seconds=900) for n in range(2)),
    )
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


def use_ten_a_day(company, today, *, left: str) -> None:
    """Let each of the 28 days before today use 10, and so much be left."""

    def noon(ago: int) -> datetime:
        return datetime.combine(today - timedelta(days=ago), time(12), tzinfo=BERLIN)

    with seeded_clock(noon(29)) as clock:
        people.credits_for(company, str(280 + Decimal(left)))
        for ago in range(28, 0, -1):
            clock.set(noon(ago))
            use = Use("TRACKER", "Budget", uuid.UUID(int=1), "CONTINUOUS")
            charging.charge(
                company=company, use=use, work=Work(long_calls=10), rates=people.rates()
            )


def days(client, alice, tracker, today) -> dict[str, int]:
    """Return in how many days credits run out, as the page that publishes shows it."""
    client.force_login(alice)
    response = client.get(reverse("admin:trackers_tracker_publish", args=[tracker.pk]))
    found = re.findall(
        r'data-metric="runs-out-([\w-]+)" data-value="([\d-]+)"', response.content.decode()
    )
    assert "at the present pace." in response.content.decode()
    return {name: (datetime.fromisoformat(day).date() - today).days for name, day in found}


def test_publishing_shows_the_day_before_and_after_and_with_the_history(client, acme, alice, today):
    use_ten_a_day(acme, today, left="200")
    tracker = conversations.tracker(acme, include_emails=True)

    # 200 ÷ 10 are 20 days. 12.5 a month are 0.417 a day: 200 ÷ 10.417 = 19.2 days; and the
    # 14.5 of the history leave 185.5 ÷ 10.417 = 17.8.
    assert days(client, alice, tracker, today) == {"before": 20, "after": 19, "with-history": 17}


def test_a_new_version_moves_the_day_only_by_what_it_uses_beyond_the_old_one(
    client, acme, alice, today, now
):
    use_ten_a_day(acme, today, left="200")
    # So long ago that what it uses is all in the present pace.
    long_ago = now - timedelta(days=29)
    tracker = conversations.published(acme, alice, include_emails=True, now=long_ago)
    TrackerVersion.objects.create(company=acme, tracker=tracker, number=2, question="Too dear?")

    # Both read the same, so that the history alone moves the day: 185.5 ÷ 10 are 18.5 days.
    assert days(client, alice, tracker, today) == {"before": 20, "after": 20, "with-history": 18}


def test_the_form_of_a_new_tracker_shows_the_day_before_and_after_before_it_is_saved(
    client, acme, alice, today
):
    use_ten_a_day(acme, today, left="200")
    client.force_login(alice)
    form = {"side": "ANY", "answer_type": "YES_NO", "include_calls": "on", "include_emails": "on"}

    answer = client.post(reverse("admin:trackers_tracker_add"), form | {"step": "look"})

    found = re.findall(
        r'data-metric="runs-out-([\w-]+)" data-value="([\d-]+)"', answer.content.decode()
    )
    moved = {name: (datetime.fromisoformat(day).date() - today).days for name, day in found}
    # As publishing has it: 200 ÷ 10 are 20 days, 200 ÷ 10.417 are 19.2.
    assert moved == {"before": 20, "after": 19}


def test_without_three_days_of_use_publishing_names_no_day(client, acme, alice):
    people.credits_for(acme, "200")
    tracker = conversations.tracker(acme, include_emails=True)
    client.force_login(alice)

    page = client.get(reverse("admin:trackers_tracker_publish", args=[tracker.pk]))

    html = page.content.decode()
    assert "not enough use yet to say: needs 3 full days with use, 0 so far" in html
    assert 'data-metric="runs-out-before" data-value=""' in html
    assert "runs-out-after" not in html


def test_with_nothing_available_publishing_says_so(client, acme, alice, today):
    use_ten_a_day(acme, today, left="0")
    tracker = conversations.tracker(acme, include_emails=True)
    client.force_login(alice)

    page = client.get(reverse("admin:trackers_tracker_publish", args=[tracker.pk]))

    assert "nothing is available now" in page.content.decode()
