from __future__ import annotations

import json

import numpy as np
import pytest

from tests.trackers.analyzers.offline.samples import PRICE_QUESTION, asks_about_price, calls
from trackers.analyzers.base import Affiliation, Kind, Verdict
from trackers.analyzers.offline import calibration, metrics, training
from trackers.analyzers.offline.calibration import Mode
from trackers.analyzers.offline.combiner import Combiner
from trackers.analyzers.offline.labeled import LabeledTracker, load
from trackers.analyzers.offline.scorers import FEATURES


def write_folder(folder):
    """Write the made-up calls and e-mails in the format of the tracker benchmark."""
    conversations = []
    labels = []
    for kind in Kind:
        for index, one in enumerate(calls(60, kind=kind)):
            conversations.append(
                {
                    "id": one.id,
                    "source": "made-up",
                    "kind": kind.lower(),
                    "participants": [
                        {"id": "alice", "role": "internal"},
                        {"id": "bob", "role": "external"},
                    ],
                    "utterances": [
                        {
                            "id": said.id,
                            "speaker": "alice"
                            if said.affiliation is Affiliation.COMPANY
                            else "bob",
                            "text": said.text,
                        }
                        for said in one.utterances
                    ],
                }
            )
            labels.append(
                {
                    "conversation": one.id,
                    "tracker": "price",
                    "answer": asks_about_price(index),
                    "evidence": ["u7"] if asks_about_price(index) else None,
                }
            )
    tracker = {
        "id": "price",
        "source": "made-up",
        "question": PRICE_QUESTION.text,
        "side": "customer",
        "kinds": ["call", "email"],
        "example_phrases": list(PRICE_QUESTION.examples),
        "counter_examples": list(PRICE_QUESTION.counter_examples),
    }
    for name, records in (
        ("conversations", conversations),
        ("labels", labels),
        ("trackers", [tracker]),
    ):
        lines = "".join(json.dumps(record) + "\n" for record in records)
        (folder / f"{name}.jsonl").write_text(lines, encoding="utf-8")


@pytest.fixture(scope="module")
def price_tracker():
    return LabeledTracker(
        question=PRICE_QUESTION,
        kind=Kind.CALL,
        conversations=tuple(calls(80)),
        answers={f"call-{index}": asks_about_price(index) for index in range(80)},
        evidence={},
    )


def test_a_folder_is_read_as_one_tracker_for_each_kind(tmp_path):
    write_folder(tmp_path)

    by_call, by_email = load(tmp_path)

    assert by_call.question == PRICE_QUESTION
    assert by_call.conversations == tuple(calls(60))
    assert (by_call.kind, by_email.kind) == (Kind.CALL, Kind.EMAIL)
    assert by_call.answers["call-4"] is True
    assert by_call.evidence["call-4"] == {"u7"}


def test_the_shipped_file_is_made_by_the_command_and_made_again_the_same(tmp_path):
    write_folder(tmp_path)
    first, second = tmp_path / "first.json", tmp_path / "second.json"

    training.main([str(tmp_path), "-o", str(first)])
    training.main([str(tmp_path), "-o", str(second)])

    made = json.loads(first.read_text())
    assert first.read_bytes() == second.read_bytes()
    assert made["learned_from"]["answers"] == 120
    assert set(made["combiners"]) == set(Mode)
    assert set(made["combiners"][Mode.VECTORS]) == set(Kind)


def test_the_shipped_file_holds_numbers_under_known_names_only():
    content = json.loads(calibration.SHIPPED_FILE.read_text(encoding="utf-8"))

    assert set(content) == {"combiners", "learned_from", "made_by"}
    for mode in Mode:
        for kind in Kind:
            stored = content["combiners"][mode][kind]
            weights = stored.pop("weights")
            assert set(weights) <= set(FEATURES)
            assert all(type(value) is float for value in [*weights.values(), *stored.values()])


def test_a_combiner_learned_from_labels_finds_what_they_mean(analyzer, price_tracker):
    combiner = training.train(
        training.tracker_rows(price_tracker, analyzer), mode=Mode.VECTORS, kind=Kind.CALL
    )
    learned = calibration.with_combiners(
        analyzer.calibrate([PRICE_QUESTION], calls(80)), {Kind.CALL: combiner}
    )

    fresh = calls(160)[80:]
    found = [analyzer.evaluate(one, [PRICE_QUESTION], learned)[0].verdict for one in fresh]

    right = [(one is Verdict.YES) == asks_about_price(index) for index, one in enumerate(found)]
    assert sum(right) >= 78


def test_rows_are_computed_for_answered_conversations_with_words_on_the_side(
    analyzer, price_tracker
):
    rows = training.feature_rows(
        PRICE_QUESTION,
        price_tracker.conversations,
        analyzer.calibrate([PRICE_QUESTION], ()),
        answers={"call-1": False, "call-4": True},
        analyzer=analyzer,
    )

    assert rows.ids == ("call-1", "call-4")
    assert rows.features.shape == (2, len(FEATURES))
    assert rows.answers.tolist() == [False, True]


def test_a_combiner_survives_json():
    combiner = Combiner(
        weights={"whole": 1.5},
        intercept=-1.0,
        unsure_margin=0.3,
        medium_margin=0.6,
        high_margin=1.2,
    )

    again = json.loads(json.dumps(combiner.to_json()))

    assert calibration.combiner.from_json(again) == combiner


class TestMetrics:
    def test_precision_recall_and_f1(self):
        found = np.array([True, True, True, False, False])
        right = np.array([True, False, False, True, False])

        quality = metrics.quality(found, right)

        assert (quality.precision, quality.recall, quality.f1) == (1 / 3, 1 / 2, 2 / 5)

    def test_always_yes_has_the_f1_of_the_prevalence(self):
        assert metrics.always_yes_f1(np.array([True, False, False])) == 0.5

    def test_the_area_under_the_curve_counts_ties_half(self):
        right = np.array([True, True, False, False])

        assert metrics.area_under_curve(np.array([0.9, 0.4, 0.4, 0.1]), right) == 0.875
