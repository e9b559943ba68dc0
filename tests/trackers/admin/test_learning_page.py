"""The page on which a tracker learns from reviews: first what would change, then a button."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.support import conversations, pages
from tests.support.conversations import record
from tests.trackers.admin.conftest import signed_in
from tests.trackers.test_teaching import SCORES, ScoringAnalyzer
from trackers import analyzers, previewing, reviewing
from trackers.models import Review, Tracker

pytestmark = pytest.mark.django_db


@pytest.fixture(autouse=True)
def scoring(monkeypatch, analyzer):
    monkeypatch.setattr(analyzers, "in_use", ScoringAnalyzer)


def address(tracker):
    return reverse("admin:trackers_tracker_learn", args=[tracker.pk])


@pytest.fixture
def draft(world):
    """A draft tested on ten calls, of which the last five hold what is asked for."""
    started = timezone.now() - timedelta(days=3)
    for place, score in enumerate(SCORES[-10:]):
        said = [{"id": "u1", "speaker": "c", "start": 4.0, "text": f"That price scores {score}"}]
        conversations.ingest(
            world.acme,
            record(f"call-{score}", started_at=started + timedelta(minutes=place), utterances=said),
        )
    tracker = conversations.tracker(world.acme)
    preview = previewing.run(tracker_id=tracker.pk, count=10, by=world.alice, clock=timezone.now)
    for result in preview.results.select_related("preview__tracker", "preview__version"):
        reviewing.judge_preview(
            result=result, is_right=result.score > 0.9, by=world.alice, now=timezone.now()
        )
    return tracker


def sent(tracker, **changes):
    tracker.refresh_from_db()
    return {"edit_number": str(tracker.edit_number)} | changes


def test_the_page_says_in_numbers_what_learning_would_do(world, draft):
    page = pages.read(signed_in(world.alice).get(address(draft)))

    assert (page.figure("reviews"), page.figure("right_before")) == ("10", "5")
    assert page.figure("right_after") == "10"
    assert (page.figure("examples"), page.figure("counter_examples")) == ("5", "5")
    assert "Threshold now the built-in one" in page.text
    assert Tracker.objects.get(pk=draft.pk).threshold is None


def test_learning_says_that_nothing_is_charged_again_and_can_be_taken_back(world, draft):
    client = signed_in(world.alice)

    answer = client.post(address(draft), sent(draft, learn="1"), follow=True)

    assert "has learned from the reviews" in pages.read(answer).text
    assert "nothing is charged again" in pages.read(answer).text
    assert "Learned so far: 5 examples, 5 counter-examples." in pages.read(answer).text
    back = client.post(address(draft), sent(draft, forget="1"), follow=True)
    assert "took back what reviews had taught it" in pages.read(back).text
    assert Review.objects.filter(is_learned=True).count() == 0


def test_too_few_reviews_are_said_to_be_too_few(world):
    tracker = conversations.tracker(world.acme)

    page = signed_in(world.alice).get(address(tracker))

    assert len(pages.read(page).all(data_status="NOTHING_TO_LEARN")) == 1
    assert "learns from 10 reviews or more; of this question there are 0." in pages.read(page).text
    assert 'name="learn"' not in page.content.decode()


def test_an_older_page_teaches_nothing(world, draft):
    answer = signed_in(world.alice).post(address(draft), {"edit_number": "0", "learn": "1"})

    assert "Somebody changed this at" in pages.read(answer).text
    assert Tracker.objects.get(pk=draft.pk).threshold is None


def test_who_may_only_read_trackers_teaches_nothing(world, draft):
    vendor = signed_in(world.vera)

    assert vendor.get(address(draft)).status_code == 403
    assert vendor.post(address(draft), sent(draft, learn="1")).status_code == 403
    assert signed_in(world.gina).get(address(draft)).status_code == 404
