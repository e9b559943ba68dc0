"""What was tried, reviewed and learned of a conversation is erased with it (SPEC §10)."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from tests.support import conversations, people
from tests.support.conversations import record
from trackers import (
    analyzers,
    calibrating,
    erasure,
    erasure_requests,
    previewing,
    reviewing,
)
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.models import (
    ConversationVectors,
    Preview,
    PreviewResult,
    Review,
    Tracker,
    TrackerVersion,
)

pytestmark = pytest.mark.django_db

NOW = timezone.now()
# A word that nothing else says.
SAID = "The quibblewort is far too expensive for us."
WORD = "quibblewort"


class ErasingAnalyzer(OfflineAnalyzer):
    """The product's own; what ``on_calibrated`` does happens before the result is stored."""

    def __init__(self):
        super().__init__()
        self.on_calibrated = lambda: None

    def calibrate(self, questions, sample):
        found = super().calibrate(questions, sample)
        self.on_calibrated()
        return found


@pytest.fixture
def analyzer(monkeypatch):
    erasing = ErasingAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: erasing)
    return erasing


@pytest.fixture
def version(acme, analyzer):
    """A tracker tested on two calls; somebody confirmed one and let it learn from that."""
    said = [{"id": "u0", "speaker": "c", "start": 0.0, "text": SAID}]
    conversations.ingest(acme, record("first", utterances=said), record("second"))
    alice = people.alice(acme)
    tracker = conversations.tracker(acme)
    previewing.run(tracker_id=tracker.pk, count=2, by=alice, clock=lambda: NOW)
    result = PreviewResult.objects.get(conversation__external_id="first")
    reviewing.judge_preview(result=result, is_right=True, by=alice, now=NOW)
    Review.objects.update(is_learned=True)
    return tracker.versions.get()


def erase(acme):
    erasure.erase(
        request=erasure_requests.by_external_id(company=acme, external_id="first"),
        by=None,
        reason="Asked for by letter",
        now=NOW,
    )


def stored(version) -> str:
    return json.dumps(TrackerVersion.objects.get(pk=version.pk).calibration)


def test_what_an_analyzer_learned_of_a_reviewed_phrase_is_erased(acme, version):
    calibrating.of_version(version.pk)
    assert WORD in stored(version)

    erase(acme)

    assert stored(version) == "null"
    tracker = Tracker.objects.get(pk=version.tracker_id)
    assert SAID not in calibrating.question_of(tracker, version).examples
    calibrating.of_version(version.pk)
    assert WORD not in stored(version)


def test_what_is_learned_while_the_phrase_is_erased_is_not_stored(acme, version, analyzer):
    TrackerVersion.objects.update(calibration=None)
    analyzer.on_calibrated = lambda: erase(acme)

    calibrating.of_version(version.pk)

    assert WORD not in stored(version)


def test_results_reviews_and_vectors_go_and_that_it_was_tested_stays(acme, version):
    erase(acme)

    assert not Review.objects.exists()
    assert PreviewResult.objects.get().conversation.external_id == "second"
    assert ConversationVectors.objects.get().conversation.external_id == "second"
    assert Preview.objects.get().conversation_count == 2
    tracker = Tracker.objects.get(pk=version.tracker_id)
    assert previewing.room(tracker=tracker, now=NOW).left == 8
