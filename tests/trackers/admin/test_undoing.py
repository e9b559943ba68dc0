"""A change of what a tracker reads can be taken back whatever else is changed after it."""

from __future__ import annotations

import re
from dataclasses import replace

import pytest
from django.urls import reverse
from django.utils import timezone

from tests.security.acting import seen
from tests.support import conversations, pages, people
from tests.support.browsing import signed_in
from tests.support.conversations import record
from trackers import configuring, copies, narrowing, publishing
from trackers.models import Team, Tracker

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    company = people.company()
    conversations.ingest(company, record("a", team="EMEA"), record("b", team="APAC"))
    return company


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def tracker(acme, alice):
    """It reads calls of any team and e-mails, and is then narrowed to calls of EMEA."""
    tracker = conversations.published(acme, alice, include_emails=True)
    emea = Team.objects.get(company=acme, name="EMEA")
    reads = narrowing.of(tracker).filtered("TEAM", [str(emea.pk)], is_excluded=False)
    return narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=reads.without_emails(),
        by=alice,
        now=timezone.now(),
    )


def described(tracker, alice):
    configuring.save(
        company=tracker.company,
        tracker_id=tracker.pk,
        edit_number=tracker.edit_number,
        settings=replace(configuring.settings_of(tracker), description="For the pricing team."),
        question=configuring.question_of(tracker.version_in_force),
        by=alice,
        now=timezone.now(),
    )


def unpublished(tracker, alice):
    publishing.unpublish(
        tracker_id=tracker.pk, edit_number=tracker.edit_number, by=alice, now=timezone.now()
    )


def an_example_erased(tracker, alice):
    assert copies.remove_examples(company=tracker.company, examples={"That is too expensive."}) == 1


@pytest.mark.parametrize("change", [described, unpublished, an_example_erased])
def test_a_change_of_anything_else_leaves_the_way_back(acme, alice, tracker, change):
    change(tracker, alice)
    client = signed_in(alice, acme)
    history = client.get(reverse("admin:trackers_tracker_history", args=[tracker.pk]))
    (link,) = re.findall(r'href="([^"]*/undo/\?change=[^"]+)"', history.content.decode())
    as_it_was = Tracker.objects.get()

    shown = pages.read(client.get(link))
    seen(client, link)

    assert "team is EMEA → all conversations" in shown.text
    assert "Calls → Calls and e-mails" in shown.text
    after = Tracker.objects.get()
    assert (after.include_calls, after.include_emails, after.filters.count()) == (True, True, 0)
    assert (after.description, after.state, after.examples) == (
        *(as_it_was.description, as_it_was.state, as_it_was.examples),
    )
