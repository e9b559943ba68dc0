"""The language is one of the filters: a change of it is taken back like any other."""

from __future__ import annotations

from dataclasses import replace

import pytest
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import changes, configuring, narrowing, publishing
from trackers.admin import narrowing_shown
from trackers.models import Tracker

pytestmark = pytest.mark.django_db

NOW = timezone.now()


@pytest.fixture
def acme():
    company = people.company()
    conversations.ingest(company, record("german", language="de"), record("unknown"))
    return company


def in_language(tracker, by, language="de"):
    version = publishing.next_version(tracker)
    return configuring.save(
        company=tracker.company,
        tracker_id=tracker.pk,
        edit_number=tracker.edit_number,
        settings=replace(configuring.settings_of(tracker), language=language),
        question=configuring.question_of(version),
        by=by,
        now=NOW,
    )


def test_a_changed_language_is_taken_back(acme, alice):
    tracker = in_language(conversations.tracker(acme), alice)
    change = changes.last_of(tracker)
    shown = dict(narrowing_shown.facts(tracker, narrowing.before(change), now=NOW))
    assert shown["Filters"] == "language is German → all conversations"

    narrowing.undo(narrowing_id=change.pk, by=alice, now=NOW)

    assert Tracker.objects.get().language == ""


@pytest.mark.parametrize(
    ("later", "shown"), [("en", "language is English"), ("", "all conversations")]
)
def test_a_replaced_or_removed_language_is_brought_back(acme, alice, later, shown):
    conversations.ingest(acme, record("english", language="en"))
    tracker = in_language(in_language(conversations.tracker(acme), alice), alice, later)
    change = changes.last_of(tracker)
    facts = dict(narrowing_shown.facts(tracker, narrowing.before(change), now=NOW))
    assert facts["Filters"] == f"{shown} → language is German"

    narrowing.undo(narrowing_id=change.pk, by=alice, now=NOW)

    assert Tracker.objects.get().language == "de"


def test_narrowing_by_other_filters_keeps_the_language(acme, alice):
    tracker = in_language(conversations.tracker(acme), alice)

    narrowing.save(
        tracker=tracker,
        edit_number=tracker.edit_number,
        reads=replace(narrowing.of(tracker), emails=True),
        by=alice,
        now=NOW,
    )

    assert (Tracker.objects.get().language, Tracker.objects.get().include_emails) == ("de", True)
