"""From a conversation's features to a score, a verdict and a confidence band."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import Confidence, Verdict
from trackers.analyzers.offline.scorers import FEATURES, SCORE_DIGITS

THRESHOLD_DEFAULT = 0.5
_LOGIT_MAX = 30.0


@dataclass(frozen=True, slots=True)
class Combiner:
    """A logistic combination of features, shifted so that the learned threshold is one half.

    ``unsure_margin``, ``medium_margin`` and ``high_margin`` are distances from the threshold in
    log-odds: scores up to the first below it are unsure, scores beyond the others on either side
    are of medium or high confidence.
    """

    weights: Mapping[str, float]
    intercept: float
    unsure_margin: float
    medium_margin: float
    high_margin: float

    def score(self, features: NDArray[np.float64]) -> float:
        """Return the score between 0 and 1 of features in the order of ``FEATURES``."""
        logit = self.intercept
        for name, value in zip(FEATURES, features, strict=True):
            logit += self.weights.get(name, 0.0) * float(value)
        return round(1.0 / (1.0 + math.exp(-_clip(logit))), SCORE_DIGITS)

    def judge(self, score: float, threshold: float | None) -> tuple[Verdict, Confidence]:
        """Judge a score against the question's threshold, or the learned one when None."""
        limit = THRESHOLD_DEFAULT if threshold is None else threshold
        distance = log_odds(score) - log_odds(limit)
        if score >= limit:
            return Verdict.YES, self._confidence(distance)
        if distance >= -self.unsure_margin:
            return Verdict.UNSURE, Confidence.LOW
        return Verdict.NO, self._confidence(-distance)

    def _confidence(self, distance: float) -> Confidence:
        if distance >= self.high_margin:
            return Confidence.HIGH
        return Confidence.MEDIUM if distance >= self.medium_margin else Confidence.LOW

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


def from_json(data: Mapping[str, Any]) -> Combiner:
    return Combiner(
        weights={str(name): float(value) for name, value in data["weights"].items()},
        intercept=float(data["intercept"]),
        unsure_margin=float(data["unsure_margin"]),
        medium_margin=float(data["medium_margin"]),
        high_margin=float(data["high_margin"]),
    )


def log_odds(score: float) -> float:
    if score <= 0.0:
        return -_LOGIT_MAX
    if score >= 1.0:
        return _LOGIT_MAX
    return _clip(math.log(score / (1.0 - score)))


def _clip(logit: float) -> float:
    return max(-_LOGIT_MAX, min(_LOGIT_MAX, logit))
