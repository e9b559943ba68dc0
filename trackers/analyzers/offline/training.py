"""Learning the combiner's coefficients from labelled conversations.

The shipped file is made by
``python -m trackers.analyzers.offline.training FOLDER -o shipped.json``.

A benchmark that leaves one tracker out computes the rows of every tracker once with
``feature_rows``, calls ``train`` on the rows of the others of that kind, and passes the result
with ``calibration.with_combiners(analyzer.calibrate([question], sample), {kind: combiner})``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import Calibration, ConversationText, Kind, TrackerQuestion
from trackers.analyzers.offline import embedding, labelled, logistic, metrics
from trackers.analyzers.offline.analyzer import OfflineAnalyzer
from trackers.analyzers.offline.calibration import Mode
from trackers.analyzers.offline.combiner import Combiner
from trackers.analyzers.offline.embedding import VectorsUnavailable
from trackers.analyzers.offline.labelled import LabelledTracker
from trackers.analyzers.offline.scorers import FEATURES

FEATURES_USED: Mapping[tuple[Mode, Kind], tuple[str, ...]] = {
    (Mode.VECTORS, Kind.CALL): ("examples_mean", "examples_best", "words_best"),
    (Mode.VECTORS, Kind.EMAIL): ("examples_mean", "question_best", "whole"),
    (Mode.WORDS, Kind.CALL): ("examples_mean", "examples_best", "words_best"),
    (Mode.WORDS, Kind.EMAIL): ("examples_mean", "examples_best", "words_best"),
}
RIDGE = 0.01
THRESHOLD_CANDIDATES = 200
# The F1 curve of a few trackers is jagged; its moving average has the threshold to trust.
THRESHOLD_WINDOW = 9
UNSURE_SHARE = 0.10
BAND_QUANTILES = (1 / 3, 2 / 3)
_DIGITS = 6


@dataclass(frozen=True, slots=True)
class Rows:
    """The features of one tracker's labelled conversations that have words on its side, and the
    right answers.
    """

    ids: tuple[str, ...]
    features: NDArray[np.float64]
    answers: NDArray[np.bool_]


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


def train(trackers: Sequence[Rows], *, mode: Mode, kind: Kind) -> Combiner:
    """Learn weights, threshold and bands; every tracker counts the same, whatever its size.

    Each needs answers of both kinds.
    """
    used = [FEATURES.index(name) for name in FEATURES_USED[mode, kind]]
    features = np.vstack([rows.features[:, used] for rows in trackers])
    mean, deviation = features.mean(axis=0), features.std(axis=0) + 1e-9
    found = logistic.fit(
        rows=(features - mean) / deviation,
        answers=np.concatenate([rows.answers for rows in trackers]),
        row_weights=np.concatenate(
            [logistic.sides_balanced(rows.answers, np.ones(len(rows.ids))) for rows in trackers]
        ),
        ridge=RIDGE,
    )
    weights = found.weights / deviation
    intercept = found.intercept - float(weights @ mean)
    logits = [rows.features[:, used] @ weights + intercept for rows in trackers]
    threshold = _threshold(logits, [rows.answers for rows in trackers])
    distances = np.concatenate([one - threshold for one in logits])
    shares = np.concatenate([np.full(len(one), 1 / (len(one) * len(logits))) for one in logits])
    medium, high = _weighted_quantiles(np.abs(distances), shares, BAND_QUANTILES)
    return Combiner(
        weights={
            FEATURES[index]: round(float(weight), _DIGITS)
            for index, weight in zip(used, weights, strict=True)
        },
        intercept=round(intercept - threshold, _DIGITS),
        unsure_margin=round(_unsure_margin(distances, shares), _DIGITS),
        medium_margin=round(medium, _DIGITS),
        high_margin=round(high, _DIGITS),
    )


def _threshold(logits: Sequence[NDArray[np.float64]], answers: Sequence[NDArray[np.bool_]]) -> float:
    """Find the log-odds at which the mean F1 over the trackers is highest."""
    candidates = np.quantile(np.concatenate(logits), np.linspace(0.02, 0.995, THRESHOLD_CANDIDATES))
    means = [
        np.mean([metrics.f1(one >= candidate, right) for one, right in zip(logits, answers, strict=True)])
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


def rows_of(trackers: Sequence[LabelledTracker], analyzer: OfflineAnalyzer) -> list[Rows]:
    """Calibrate each tracker on its own source's texts and compute its rows."""
    return [
        feature_rows(
            tracker.question,
            tracker.conversations,
            analyzer.calibrate([tracker.question], tracker.conversations),
            answers=tracker.answers,
            analyzer=analyzer,
        )
        for tracker in trackers
    ]


def shipped(folder: Path) -> dict[str, Any]:
    """Return the content of the shipped file: coefficients, and where they come from."""
    trackers = labelled.load(folder)
    combiners: dict[str, dict[str, Any]] = {}
    for mode in Mode:
        analyzer = _analyzer(mode)
        combiners[mode] = {}
        for kind in Kind:
            of_kind = [tracker for tracker in trackers if tracker.kind is kind]
            combiner = train(rows_of(of_kind, analyzer), mode=mode, kind=kind)
            combiners[mode][kind] = combiner.to_json()
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
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("-o", "--output", type=Path, required=True)
    options = parser.parse_args(arguments)
    content = json.dumps(shipped(options.folder), indent=2, sort_keys=True)
    options.output.write_text(content + "\n", encoding="utf-8")


if __name__ == "__main__":
    main(sys.argv[1:])
