"""What an analyzer makes of a text whatever is asked is stored with the first reading."""

from __future__ import annotations

import threading
from dataclasses import replace
from datetime import timedelta

import numpy as np
import pytest
from django.db import connection, transaction
from django.utils import timezone

from tests.support import conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, calibrating, previewing, scanning
from trackers.analyzers.base import Side
from trackers.analyzers.offline import embedding, packing, reading
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.models import Conversation, ConversationVectors, Scan, TrackerVersion, Utterance

NOW = timezone.now()
WHOLE = TrackerVersion()


class CountingAnalyzer(OfflineAnalyzer):
    """The product's own, which notes what it made vectors of."""

    def __init__(self, model=None):
        super().__init__()
        self.made = []
        self.model = model
        self.on_made = lambda: None

    def vectors_model(self):
        return self.model or super().vectors_model()

    def vectors_of(self, conversation, side):
        found = super().vectors_of(conversation, side)
        if found is not conversation.vectors:
            self.made.append(conversation.id)
            self.on_made()
        return found


@pytest.fixture
def analyzer(monkeypatch):
    counting = CountingAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: counting)
    return counting


def new_calls(company, *names):
    conversations.ingest(company, *(record(name, started_at=NOW) for name in names), now=NOW)


def work_off(tracker):
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)


def published(company, by, name):
    return conversations.published(company, by, name, now=NOW - timedelta(days=60))


def findings(tracker):
    rows = Scan.objects.filter(tracker=tracker).order_by("conversation__external_id")
    return list(rows.values_list("verdict", "score", "quotes__start", "quotes__utterance"))


@pytest.mark.django_db
def test_the_first_reading_stores_them_and_every_later_tracker_takes_them(analyzer):
    acme = people.company()
    people.credits_for(acme, "10")
    alice = people.alice(acme)
    first, second = published(acme, alice, "First"), published(acme, alice, "Second")
    new_calls(acme, "call-1", "call-2")

    work_off(first)
    assert sorted(analyzer.made) == ["call-1", "call-2"]
    work_off(second)

    assert sorted(analyzer.made) == ["call-1", "call-2"]
    assert ConversationVectors.objects.count() == 2
    assert set(ConversationVectors.objects.values_list("model", flat=True)) == {
        embedding.WEIGHTS_SHA256
    }
    assert findings(first) == findings(second)


@pytest.mark.django_db
@pytest.mark.parametrize("part", ["FIRST", "LAST"])
def test_a_part_of_a_call_takes_its_own_from_those_of_the_whole(analyzer, part):
    acme = people.company()
    turns = [
        {"id": f"u{n}", "speaker": "c", "start": 50.0 * n, "text": f"This is about topic {n}."}
        for n in range(4)
    ]
    conversation = conversations.conversation(
        acme, "call-1", utterances=turns, duration_seconds=200
    )
    asked = TrackerVersion(part=part, part_minutes=1)

    (text,) = calibrating.texts_of({conversation.pk: 1}, version=asked).values()

    said = [turn.text[-2] for turn in text.utterances]
    assert said == (["0", "1"] if part == "FIRST" else ["3"])
    fresh = replace(text, vectors=None, vector_ids=())
    embedder = analyzer._load()
    stored, anew = (reading.read(one, Side.ANY, embedder) for one in (text, fresh))
    assert np.array_equal(stored.vectors, anew.vectors)
    assert packing.unpack(text).keys() >= {turn.id for turn in text.utterances}
    (whole,) = calibrating.texts_of({conversation.pk: 1}, version=WHOLE).values()
    assert (len(whole.utterances), analyzer.made) == (4, ["call-1"])


@pytest.mark.django_db
def test_a_tracker_of_one_side_stores_that_side_s_and_the_next_adds_the_other_s(analyzer):
    """The customer said ten times as much as our rep did."""
    acme = people.company()
    people.credits_for(acme, "10")
    alice = people.alice(acme)
    theirs = published(acme, alice, "Theirs")
    ours, both = (
        conversations.published(acme, alice, name, now=NOW - timedelta(days=60), side=side)
        for name, side in (("Ours", "REP"), ("Both", "ANY"))
    )
    turns = [
        {"id": f"u{n}", "speaker": "c" if n else "r", "start": 4.0 * n, "text": f"Turn {n} of it."}
        for n in range(11)
    ]
    conversations.ingest(acme, record("call-1", started_at=NOW, utterances=turns), now=NOW)
    sizes = []

    for tracker in (theirs, theirs, ours, both):
        work_off(tracker)
        sizes.append(len(bytes(ConversationVectors.objects.get().vectors)))

    head = 4 + 11 * 2
    assert sizes == [head + 10 * 512, head + 10 * 512, head + 11 * 512, head + 11 * 512]
    assert analyzer.made == ["call-1", "call-1"]
    whole = OfflineAnalyzer().vectors_of(replace(only_text(), vectors=None, vector_ids=()))
    assert bytes(ConversationVectors.objects.get().vectors) == whole


def only_text():
    (pk,) = Conversation.objects.values_list("pk", flat=True)
    return calibrating.texts_of({pk: 1}, version=WHOLE)[pk]


@pytest.mark.django_db
def test_keywords_need_none(analyzer):
    acme = people.company()
    conversation = conversations.conversation(acme, "call-1")

    calibrating.texts_of({conversation.pk: 1}, version=TrackerVersion(kind="KEYWORD"))

    assert (analyzer.made, ConversationVectors.objects.count()) == ([], 0)


@pytest.mark.django_db
def test_a_preview_stores_them_too(analyzer):
    acme = people.company()
    conversations.ingest(acme, record("call-1"))
    draft = conversations.tracker(acme)

    previewing.run(tracker_id=draft.pk, count=1, by=people.alice(acme), clock=timezone.now)

    assert ConversationVectors.objects.get().conversation.external_id == "call-1"


@pytest.mark.django_db
def test_a_changed_text_has_vectors_of_its_own(analyzer):
    acme = people.company()
    conversation = conversations.conversation(acme, "call-1")
    calibrating.texts_of({conversation.pk: 1}, version=WHOLE)
    said = [{"id": "u0", "speaker": "c", "start": 0.0, "text": "Something else altogether."}]
    conversations.ingest(acme, record("call-1", utterances=said))

    for revision in (1, 2, 2):
        calibrating.texts_of({conversation.pk: revision}, version=WHOLE)

    assert analyzer.made == ["call-1", "call-1"]
    rows = ConversationVectors.objects.order_by("revision")
    assert list(rows.values_list("revision", flat=True)) == [1, 2]


@pytest.mark.django_db
def test_other_weights_compute_them_anew_and_write_over(analyzer):
    acme = people.company()
    conversation = conversations.conversation(acme, "call-1")
    calibrating.texts_of({conversation.pk: 1}, version=WHOLE)
    analyzer.model = "other weights"

    text = calibrating.texts_of({conversation.pk: 1}, version=WHOLE)[conversation.pk]

    assert analyzer.made == ["call-1", "call-1"]
    stored = ConversationVectors.objects.get()
    assert (stored.model, bytes(stored.vectors)) == ("other weights", text.vectors)


@pytest.mark.django_db
def test_an_analyzer_without_vectors_stores_none(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    acme = people.company()
    conversation = conversations.conversation(acme, "call-1")

    text = calibrating.texts_of({conversation.pk: 1}, version=WHOLE)[conversation.pk]

    assert (text.vectors, ConversationVectors.objects.count()) == (None, 0)


def test_a_text_erased_while_they_were_computed_gets_none(committed, analyzer):
    acme = people.company()
    conversation = conversations.conversation(acme, "call-1")

    def erase():
        try:
            with transaction.atomic():
                Conversation.objects.select_for_update(no_key=True).get(pk=conversation.pk)
                Utterance.objects.filter(conversation=conversation).delete()
        finally:
            connection.close()

    def erase_in_another_session():
        other = threading.Thread(target=erase)
        other.start()
        other.join()

    analyzer.on_made = erase_in_another_session

    calibrating.texts_of({conversation.pk: 1}, version=WHOLE)

    assert (analyzer.made, ConversationVectors.objects.count()) == (["call-1"], 0)
