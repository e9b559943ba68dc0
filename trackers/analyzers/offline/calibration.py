"""The stored form of a calibration: plain JSON, read back into scorers and combiners."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cache
from hashlib import sha256
from pathlib import Path
from typing import Any

from trackers.analyzers.base import Calibration, Kind, TrackerQuestion
from trackers.analyzers.offline import combiner, fitting, scorers
from trackers.analyzers.offline.combiner import Combiner
from trackers.analyzers.offline.embedding import Embedder
from trackers.analyzers.offline.scorers import QuestionScorer

NAME = "offline"
FORMAT = 1
SHIPPED_FILE = Path(__file__).with_name("shipped.json")


class Mode(StrEnum):
    """What passages are compared by: word vectors and words, or words alone."""

    VECTORS = "VECTORS"
    WORDS = "WORDS"


class StaleCalibration(Exception):
    """The calibration belongs to another analyzer, format, question wording or examples;
    calibrate again.
    """


def mode_of(embedder: Embedder | None) -> Mode:
    return Mode.WORDS if embedder is None else Mode.VECTORS


@cache
def version() -> str:
    """Name the format and the shipped coefficients: another version may find differently."""
    return f"{FORMAT}.{sha256(SHIPPED_FILE.read_bytes()).hexdigest()[:8]}"


@cache
def shipped(mode: Mode, kind: Kind) -> Combiner:
    data = json.loads(SHIPPED_FILE.read_text(encoding="utf-8"))
    return combiner.from_json(data["combiners"][mode][kind])


def with_combiners(calibration: Calibration, combiners: Mapping[Kind, Combiner]) -> Calibration:
    """Return the calibration with other combiners than the shipped ones.

    A benchmark that leaves one tracker out passes what the other trackers taught this way.
    """
    stored = {kind.value: one.to_json() for kind, one in combiners.items()}
    return replace(calibration, data={**calibration.data, "combiners": stored})


def encode(question: TrackerQuestion, fitted: Mapping[Kind, QuestionScorer]) -> dict[str, Any]:
    return {
        "fingerprint": fitting.fingerprint(question),
        "scorers": {kind.value: one.to_json() for kind, one in fitted.items()},
    }


@dataclass(frozen=True, slots=True)
class Decoded:
    """A calibration read back: scorers by question id and kind, combiners where it overrides
    the shipped ones.
    """

    mode: Mode
    fingerprints: Mapping[str, str]
    scorers: Mapping[tuple[str, Kind], QuestionScorer]
    combiners: Mapping[Kind, Combiner]

    def combiner(self, kind: Kind) -> Combiner:
        return self.combiners.get(kind) or shipped(self.mode, kind)

    def scorer(self, question: TrackerQuestion, kind: Kind) -> QuestionScorer | None:
        """Return the scorer of a question; None when the calibration does not know it.

        :raises StaleCalibration: the wording, the side or the examples have changed since.
        """
        fingerprint = self.fingerprints.get(question.id)
        if fingerprint is None:
            return None
        if fingerprint != fitting.fingerprint(question):
            raise StaleCalibration(f"Question {question.id} has changed; calibrate again.")
        return self.scorers[question.id, kind]


def decode(calibration: Calibration, default_mode: Mode) -> Decoded:
    """Read a calibration; an empty one knows no question and has the default mode.

    :raises StaleCalibration: another analyzer or another format wrote it.
    """
    if calibration.analyzer != NAME:
        raise StaleCalibration(f"The analyzer {calibration.analyzer!r} wrote it; calibrate again.")
    data = calibration.data
    if data.get("format", FORMAT) != FORMAT:
        raise StaleCalibration(f"Its format is {data['format']}, not {FORMAT}; calibrate again.")
    mode = Mode(data.get("mode", default_mode))
    questions: Mapping[str, Any] = data.get("questions", {})
    return Decoded(
        mode=mode,
        fingerprints={key: entry["fingerprint"] for key, entry in questions.items()},
        scorers={
            (key, Kind(kind)): scorers.from_json(scorer)
            for key, entry in questions.items()
            for kind, scorer in entry["scorers"].items()
        },
        combiners={
            Kind(kind): combiner.from_json(one) for kind, one in data.get("combiners", {}).items()
        },
    )
