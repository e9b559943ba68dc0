"""How many briefs a person runs by hand in a day, for nothing."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.support import briefs as support
from tests.support import conversations, people
from trackers import running_briefs
from trackers.models import BriefRun

pytestmark = pytest.mark.django_db


@pytest.fixture
def acme():
    return people.company("Acme")


def test_a_person_runs_20_briefs_a_day_by_hand(acme, alice):
    conversations.ingest(acme, conversations.record("one"))
    brief = support.brief(acme, alice)
    bob = people.bob(acme)
    for _ in range(20):
        support.run(support.by_hand(alice, acme), brief)

    with pytest.raises(running_briefs.DayFull):
        support.run(support.by_hand(alice, acme), brief)

    assert support.run(support.by_hand(bob, acme), brief).credits == 0
    assert BriefRun.objects.filter(started_by=alice).count() == 20
    assert running_briefs.left_today(requester=support.by_hand(bob, acme), now=timezone.now()) == 19


def test_what_a_person_s_programs_run_leaves_them_their_runs_by_hand(acme, alice):
    conversations.ingest(acme, conversations.record("one"))
    people.credits_for(acme, "10")
    brief = support.brief(acme, alice)
    for action in ("API_REQUEST", "MCP_REQUEST"):
        support.run(support.program(acme, action=action, user=alice), brief)

    left = running_briefs.left_today(requester=support.by_hand(alice, acme), now=timezone.now())

    assert BriefRun.objects.filter(started_by=alice).count() == 2
    assert left == 20
