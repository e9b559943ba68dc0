"""Whatever page unpublishes a tracker says what it has under way, and that this is skipped."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from credits.identifiers import new_id
from tests.security.acting import seen
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers.models import AdviceRun, Scan, Suggestion

pytestmark = pytest.mark.django_db

ENDINGS = (
    "1 conversations are being read now; their results are thrown away.",
    "7 conversations are queued or wait for credits; they are skipped.",
)


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def tracker(acme, alice):
    """Of eight calls one is being read, one is queued and six wait for credits."""
    now = timezone.now()
    tracker = conversations.published(acme, alice, now=now - timedelta(days=60))
    conversations.ingest(acme, *(record(f"{n}", started_at=now) for n in range(8)), now=now)
    scans = list(Scan.objects.order_by("conversation__external_id"))
    lease = {"lease_token": new_id(), "leased_until": now + timedelta(minutes=5)}
    Scan.objects.filter(pk=scans[0].pk).update(state="RUNNING", **lease)
    Scan.objects.filter(pk__in=[scan.pk for scan in scans[2:]]).update(state="WAITING", price="0.5")
    return tracker


@pytest.fixture(params=["NO_RESULTS", "ENDED", "FEW_RESULTS"])
def suggestion(request, tracker):
    run = AdviceRun.objects.create(company=tracker.company, computed_at=timezone.now())
    tracker.campaign_end_date = timezone.now().date()
    tracker.save()
    return Suggestion.objects.create(
        company=tracker.company,
        run=run,
        tracker=tracker,
        kind=request.param,
        edit_number=tracker.edit_number,
        conversations_before=8,
        conversations_after=0,
        credits_before=4,
        credits_after=0,
        read_count=30,
        found_count=0 if request.param == "NO_RESULTS" else 1,
        usual_count=20 if request.param == "FEW_RESULTS" else 0,
    )


def apply_url(suggestion) -> str:
    return reverse("admin:trackers_suggestion_apply", args=[suggestion.pk])


def states() -> list[str]:
    return sorted(Scan.objects.values_list("state", flat=True))


def test_a_suggestion_says_what_its_unpublishing_skips_and_then_skips_it(acme, alice, suggestion):
    client = signed_in(alice, acme)

    page = pages.read(client.get(apply_url(suggestion)))
    seen(client, apply_url(suggestion))

    for ending in ENDINGS:
        assert ending in page.text
    assert (page.figure("running"), page.figure("waiting")) == ("1", "7")
    assert states() == ["RUNNING"] + ["SKIPPED"] * 7


def test_the_page_that_unpublishes_says_it_in_the_same_words(acme, alice, tracker):
    url = reverse("admin:trackers_tracker_unpublish", args=[tracker.pk])

    page = pages.read(signed_in(alice, acme).get(url))

    for ending in ENDINGS:
        assert ending in page.text


def test_work_that_goes_on_meanwhile_does_not_ask_for_a_second_look(acme, alice, suggestion):
    client = signed_in(alice, acme)
    shown = client.get(apply_url(suggestion))
    sent = {field.name: str(field.value()) for field in shown.context["form"].hidden_fields()}
    Scan.objects.filter(state="PENDING").update(state="WAITING", price="0.5")
    Scan.objects.filter(state="RUNNING").update(
        state="PENDING", lease_token=None, leased_until=None
    )

    client.post(apply_url(suggestion), sent | {"step": "confirm", "seen": shown.context["seen"]})

    assert states() == ["SKIPPED"] * 8
