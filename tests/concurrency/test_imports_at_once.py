"""Two imports bring the same new conversations at once: each is taken in once (SPEC §5, §9)."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.utils import timezone

from tests.concurrency.test_acting_once import TOGETHER
from tests.concurrency.test_previews_at_once import all_at_once
from tests.support import conversations, people
from tests.support.conversations import record
from trackers import ingestion
from trackers.models import Conversation, Participant, Scan, Utterance


@pytest.fixture
def acme(committed):
    return people.company()


def test_each_conversation_is_made_by_one_import_and_known_to_the_others(acme):
    now = timezone.now()
    conversations.published(acme, people.alice(acme), now=now - timedelta(days=1))
    records = [record(f"call-{n}", started_at=now) for n in range(5)]

    def imported():
        *_, report = ingestion.ingest(company=acme, records=records, now=now)
        return report.created, report.unchanged, report.scans

    reports = all_at_once(f"ingestion of company {acme.pk}", [imported] * TOGETHER)

    assert sorted(reports) == [(0, 5, 0)] * (TOGETHER - 1) + [(5, 0, 5)]
    assert (Conversation.objects.count(), Scan.objects.count()) == (5, 5)
    assert (Participant.objects.count(), Utterance.objects.count()) == (10, 10)
