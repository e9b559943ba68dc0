"""Learning the combiner's coefficients from labeled conversations.

The shipped file is made by
``python -m trackers.analyzers.offline.training FOLDER -o shipped.json``.

A benchmark that leaves one tracker out computes the rows of every tracker once with
``tracker_rows``, calls ``train`` on the rows of the other trackers of that kind, and passes the
result with ``with_combiners(analyzer.calibrate([question], sample), {kind: combiner})``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import Calibration, ConversationText, Kind, TrackerQuestion
from trackers.analyzers.offline import embedding, labeled, logistic, metrics
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.calibration import Mode
from trackers.analyzers.offline.combiner import Combiner
from trackers.analyzers.offline.embedding import VectorsUnavailable
from trackers.analyzers.offline.labeled import LabeledTracker
from trackers.analyzers.offline.scorers import FEATURES

FEATURES_USED: Mapping[tuple[Mode, Kind], tuple[str, ...]] = {
    (Mode.VECTORS, Kind.CALL): ("examples_mean", "examples_best", "words_best"),
    (Mode.VECTORS, Kind.EMAIL): ("examples_mean", "question_best", "whole"),
    (Mode.WORDS, Kind.CALL): ("examples_mean", "examples_best", "words_best"),
    (Mode.WORDS, Kind.EMAIL): ("examples_mean", "examples_best", "words_best"),
}
COUNT_FEATURES = ("example_doublings", "has_no_examples")
# Every tracker is also seen with fewer examples than it has, to learn what their number does.
REDUCED_EXAMPLE_COUNTS = (0, 1, 3)
RIDGE = 0.01
THRESHOLD_CANDIDATES = 200
# The F1 curve of a few trackers is jagged; its moving average has the threshold to trust.
THRESHOLD_WINDOW = 9
UNSURE_SHARE = 0.10
BAND_QUANTILES = (1 / 3, 2 / 3)
_DIGITS = 6
_DEVIATION_MIN = 1e-9


@dataclass(frozen=True, slots=True)
class Rows:
    """The features of one tracker's labeled conversations that have words on its side, and the
    right answers. ``is_reduced`` when it was given fewer examples than it has.
    """

    ids: tuple[str, ...]
    features: NDArray[np.float64]
    answers: NDArray[np.bool_]
    is_reduced: bool = False


def feature_rows(
    question: TrackerQuestion,
    conversations: Iterable[ConversationText],
    calibration: Calibration,
    *,
    answers: Mapping[str, bool],
    analyzer: OfflineAnalyzer,
) -> Rows:
    """Compute the combiner's input for the conversations that have an answer."""
    ids, features = [], []
    for conversation in conversations:
        if conversation.id not in answers:
            continue
        found = analyzer.features(conversation, question, calibration)
        if found is not None:
            ids.append(conversation.id)
            features.append(found)
    return Rows(
        ids=tuple(ids),
        features=np.array(features).reshape(len(ids), len(FEATURES)),
        answers=np.array([answers[one] for one in ids], dtype=bool),
    )


def tracker_rows(tracker: LabeledTracker, analyzer: OfflineAnalyzer) -> list[Rows]:
    """Calibrate a tracker on its own source's texts and compute its rows, with all its examples
    and with fewer.
    """
    question = tracker.question
    found: list[Rows] = []
    for count in (len(question.examples), *REDUCED_EXAMPLE_COUNTS):
        is_reduced = count < len(question.examples)
        if found and not is_reduced:
            continue
        asked = replace(question, examples=question.examples[:count])
        calibration = analyzer.calibrate([asked], tracker.conversations)
        rows = feature_rows(
            asked, tracker.conversations, calibration, answers=tracker.answers, analyzer=analyzer
        )
        found.append(replace(rows, is_reduced=is_reduced))
    return found


def train(trackers: Sequence[Rows], *, mode: Mode, kind: Kind) -> Combiner:
    """Learn weights, threshold and bands; every tracker counts the same, whatever its size.

    Each needs answers of both kinds. Reduced rows teach only what the number of examples does.
    """
    usual = [rows for rows in trackers if not rows.is_reduced]
    weights = np.zeros(len(FEATURES))
    used = [FEATURES.index(name) for name in FEATURES_USED[mode, kind]]
    weights[used] = _weights([rows.features[:, used] for rows in usual], usual)
    counts = [FEATURES.index(name) for name in COUNT_FEATURES]
    weights[counts] = _count_weights(
        [rows.features @ weights for rows in trackers],
        [rows.answers for rows in trackers],
        np.array([rows.features[0, counts] for rows in trackers]),
    )
    logits = [rows.features @ weights for rows in usual]
    threshold = _threshold(logits, [rows.answers for rows in usual])
    distances = np.concatenate([one - threshold for one in logits])
    shares = np.concatenate([np.full(len(one), 1 / (len(one) * len(logits))) for one in logits])
    medium, high = _weighted_quantiles(np.abs(distances), shares, BAND_QUANTILES)
    return Combiner(
        weights={
            FEATURES[index]: round(float(weights[index]), _DIGITS) for index in (*used, *counts)
        },
        intercept=round(-threshold, _DIGITS),
        unsure_margin=round(_unsure_margin(distances, shares), _DIGITS),
        medium_margin=round(medium, _DIGITS),
        high_margin=round(high, _DIGITS),
    )


def _weights(
    features: Sequence[NDArray[np.float64]], trackers: Sequence[Rows]
) -> NDArray[np.float64]:
    rows = np.vstack(features)
    mean, deviation = rows.mean(axis=0), rows.std(axis=0) + _DEVIATION_MIN
    found = logistic.fit(
        rows=(rows - mean) / deviation,
        answers=np.concatenate([one.answers for one in trackers]),
        row_weights=np.concatenate(
            [logistic.sides_balanced(one.answers, np.ones(len(one.ids))) for one in trackers]
        ),
        ridge=RIDGE,
    )
    weights: NDArray[np.float64] = found.weights / deviation
    return weights


def _count_weights(
    logits: Sequence[NDArray[np.float64]],
    answers: Sequence[NDArray[np.bool_]],
    counts: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Find how the point halfway between yes and no moves with the number of examples; the
    weights move it back.
    """
    halfway = [
        (float(one[right].mean()) + float(one[~right].mean())) / 2
        for one, right in zip(logits, answers, strict=True)
    ]
    columns = np.hstack([counts, np.ones((len(counts), 1))])
    moves: NDArray[np.float64] = np.linalg.lstsq(columns, np.array(halfway), rcond=None)[0]
    return -moves[:-1]


def _threshold(
    logits: Sequence[NDArray[np.float64]], answers: Sequence[NDArray[np.bool_]]
) -> float:
    """Find the log-odds at which the mean F1 over the trackers is highest."""
    candidates = np.quantile(np.concatenate(logits), np.linspace(0.02, 0.995, THRESHOLD_CANDIDATES))
    means = [
        np.mean(
            [
                metrics.f1(one >= candidate, right)
                for one, right in zip(logits, answers, strict=True)
            ]
        )
        for candidate in candidates
    ]
    smooth = np.convolve(means, np.ones(THRESHOLD_WINDOW) / THRESHOLD_WINDOW, "valid")
    return float(candidates[int(np.argmax(smooth)) + THRESHOLD_WINDOW // 2])


def _unsure_margin(distances: NDArray[np.float64], shares: NDArray[np.float64]) -> float:
    """Find how far below the threshold the nearest ``UNSURE_SHARE`` of conversations reach."""
    below = -distances[distances < 0]
    order = np.argsort(below)
    reached = np.searchsorted(np.cumsum(shares[distances < 0][order]), UNSURE_SHARE)
    return float(below[order][min(int(reached), len(below) - 1)]) if len(below) else 0.0


def _weighted_quantiles(
    values: NDArray[np.float64], shares: NDArray[np.float64], quantiles: Sequence[float]
) -> list[float]:
    order = np.argsort(values)
    places = np.searchsorted(np.cumsum(shares[order]), quantiles)
    return [float(values[order][min(int(place), len(values) - 1)]) for place in places]


def shipped(folder: Path) -> dict[str, Any]:
    """Return the content of the shipped file: coefficients, and where they come from."""
    trackers = labeled.load(folder)
    combiners: dict[str, dict[str, Any]] = {}
    for mode in Mode:
        analyzer = _analyzer(mode)
        combiners[mode] = {}
        for kind in Kind:
            of_kind = [tracker for tracker in trackers if tracker.kind is kind]
            rows = [one for tracker in of_kind for one in tracker_rows(tracker, analyzer)]
            combiners[mode][kind] = train(rows, mode=mode, kind=kind).to_json()
    return {
        "made_by": "python -m trackers.analyzers.offline.training FOLDER -o shipped.json",
        "learned_from": {
            "trackers": {
                kind.value: sum(tracker.kind is kind for tracker in trackers) for kind in Kind
            },
            "answers": sum(len(tracker.answers) for tracker in trackers),
            "files_sha256": {
                name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
                for name in ("conversations.jsonl", "labels.jsonl", "trackers.jsonl")
            },
        },
        "combiners": combiners,
    }


def _analyzer(mode: Mode) -> OfflineAnalyzer:
    return OfflineAnalyzer(load=embedding.load if mode is Mode.VECTORS else _no_vectors)


def _no_vectors() -> embedding.Embedder:
    raise VectorsUnavailable("Learning the coefficients for words alone.")


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    content = json.dumps(shipped(options.folder), indent=2, sort_keys=True)
    options.output.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
