"""A campaign's last day: set on a tracker, by whichever door, and what is suggested after it."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse
from django.utils import timezone

from tests.security.acting import seen
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import advising
from trackers.models import Suggestion, Tracker

pytestmark = pytest.mark.django_db

ADD = reverse("admin:trackers_tracker_add")
FORM = {
    "name": "Winter promo",
    "description": "",
    "question": "Did the customer mention the winter promotion?",
    "details": "",
    "answer_type": "YES_NO",
    "choices": "",
    "side": "CUSTOMER",
    "include_calls": "on",
    "examples": "",
    "counter_examples": "",
    "edit_number": "",
}


@pytest.fixture
def acme():
    acme = people.company()
    people.credits_for(acme, "1000")
    return acme


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def client(acme, alice):
    return signed_in(alice, acme)


def address(page: str, tracker) -> str:
    return reverse(f"admin:trackers_tracker_{page}", args=[tracker.pk])


def test_the_last_day_is_kept_shown_and_told_in_the_history(client):
    client.post(ADD, FORM | {"campaign_end_date": "2027-06-30"})
    tracker = Tracker.objects.get()
    form = client.get(address("change", tracker)).content.decode()

    client.post(address("change", tracker), FORM | {"edit_number": str(tracker.edit_number)})

    assert tracker.campaign_end_date == date(2027, 6, 30)
    assert 'value="2027-06-30"' in form
    tracker.refresh_from_db()
    assert tracker.campaign_end_date is None
    history = pages.read(client.get(address("history", tracker))).text
    assert "Campaign's last day: 30 Jun 2027 → none" in history


def test_a_day_that_is_none_is_refused_in_a_file(client):
    file = SimpleUploadedFile("t.csv", b"name,question,campaign_end_date\nPromo,Sold?,31.12.2026")

    page = client.post(reverse("admin:trackers_tracker_import"), {"file": file})

    (outcome,) = page.context["preview"].outcomes
    assert outcome.reason == "“campaign_end_date” is no day such as 2027-06-30."
    assert not Tracker.objects.exists()


def test_a_tracker_whose_campaign_is_over_is_unpublished_in_two_steps(acme, alice, client):
    now = timezone.now()
    calls = [record(f"call-{n}", started_at=now - timedelta(days=n + 1)) for n in range(4)]
    conversations.ingest(acme, *calls)
    tracker = conversations.published(acme, alice, campaign_end_date=date(2026, 9, 30))
    advising.refresh(company=acme, now=now)
    apply = reverse("admin:trackers_suggestion_apply", args=[Suggestion.objects.get().pk])
    shown = pages.read(client.get(reverse("admin:credits_page")))

    page = pages.read(client.get(apply))
    answer = seen(client, apply)

    reason = "Its campaign ended on 30 Sep 2026; 0 results in 0 conversations read in 30 days."
    assert "Unpublish “Pricing objection”" in shown.text
    assert reason in shown.text
    assert reason in page.text
    assert "Published → Unpublished" in page.text
    assert (page.figure("credits-before"), page.figure("credits-after")) == ("2.0", "0.0")
    tracker.refresh_from_db()
    assert tracker.state == "UNPUBLISHED"
    assert f'href="{address("publish", tracker)}">Publish it again</a>' in (
        client.get(answer["Location"]).content.decode()
    )


def test_another_last_day_overtakes_the_suggestion(acme, alice, client):
    now = timezone.now()
    calls = [record(f"call-{n}", started_at=now - timedelta(days=n + 1)) for n in range(4)]
    conversations.ingest(acme, *calls)
    tracker = conversations.published(acme, alice, campaign_end_date=date(2026, 9, 30))
    advising.refresh(company=acme, now=now)

    later = FORM | {
        "name": tracker.name,
        "campaign_end_date": "2099-12-31",
        "edit_number": str(tracker.edit_number),
    }
    client.post(address("change", tracker), later)

    shown = pages.read(client.get(reverse("admin:credits_page")))
    assert shown.all(data_metric="suggestion") == []
    advising.refresh(company=acme, now=now)
    assert not Suggestion.objects.exists()
