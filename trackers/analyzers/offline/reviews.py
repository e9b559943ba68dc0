"""A tracker's own threshold, from the conversations that somebody has reviewed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.offline.combiner import log_odds
from trackers.analyzers.offline.scorers import SCORE_DIGITS

# What is believed of P(yes | log-odds of the score) before the first review: intercept and slope,
# each with its standard deviation.
PRIOR = np.array([-0.7, 1.2])
PRIOR_DEVIATION = np.array([1.5, 0.5])
_STEPS = 30


@dataclass(frozen=True, slots=True)
class Review:
    """A finding's score, and what the person who read the conversation says."""

    score: float
    is_yes: bool


def threshold(reviews: Sequence[Review], scores: Sequence[float]) -> float:
    """Choose the threshold with the highest expected F1 over the scores of all findings.

    The reviews, ten or more for any use, tell how likely a yes is at each score. ``scores`` are
    those of the tracker's findings, reviewed or not, and decide how many would be found.
    """
    intercept, slope = _fit(reviews)
    ordered = np.sort(np.array([log_odds(score) for score in scores]))[::-1]
    likely = 1.0 / (1.0 + np.exp(-(intercept + slope * ordered)))
    found_counts = np.arange(1, len(ordered) + 1)
    expected_f1 = 2 * np.cumsum(likely) / (found_counts + likely.sum())
    lowest = ordered[int(np.argmax(expected_f1))]
    return round(float(1.0 / (1.0 + np.exp(-lowest))), SCORE_DIGITS)


def log_likelihood(reviews: Sequence[Review]) -> float:
    """Return how well scores tell what people said, at the curve fitted to them; at most zero."""
    intercept, slope = _fit(reviews)
    logits = np.array([intercept + slope * log_odds(review.score) for review in reviews])
    answers = np.array([review.is_yes for review in reviews], dtype=bool)
    return -float(np.logaddexp(0.0, np.where(answers, -logits, logits)).sum())


def _fit(reviews: Sequence[Review]) -> NDArray[np.float64]:
    """Find the most likely intercept and slope given the prior, by Newton's method."""
    rows = np.array([[1.0, log_odds(review.score)] for review in reviews]).reshape(-1, 2)
    answers = np.array([review.is_yes for review in reviews], dtype=float)
    precision = 1.0 / PRIOR_DEVIATION**2
    beta = PRIOR.copy()
    for _ in range(_STEPS):
        likely = 1.0 / (1.0 + np.exp(-(rows @ beta)))
        gradient = rows.T @ (likely - answers) + precision * (beta - PRIOR)
        curvature = (rows * (likely * (1 - likely))[:, None]).T @ rows + np.diag(precision)
        beta = beta - np.linalg.solve(curvature, gradient)
    return beta
