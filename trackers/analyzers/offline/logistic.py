"""Weighted ridge logistic regression, by Newton's method."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS_MAX = 50
STEP_SIZE_MIN = 1e-8
# The intercept is left free but for this, which keeps the system solvable.
_INTERCEPT_RIDGE = 1e-9


@dataclass(frozen=True, slots=True)
class Fit:
    weights: NDArray[np.float64]
    intercept: float


def fit(
    *,
    rows: NDArray[np.floating],
    answers: NDArray[np.bool_],
    row_weights: NDArray[np.floating],
    ridge: float,
) -> Fit:
    """Fit P(answer | row) with row weights scaled to sum to one.

    ``ridge`` is therefore independent of the number of rows.
    """
    columns = np.hstack([rows.astype(np.float64), np.ones((len(rows), 1))])
    scaled = row_weights / row_weights.sum()
    penalty = np.full(columns.shape[1], ridge)
    penalty[-1] = _INTERCEPT_RIDGE
    beta = np.zeros(columns.shape[1])
    for _ in range(STEPS_MAX):
        probability = 1.0 / (1.0 + np.exp(-(columns @ beta)))
        gradient = columns.T @ (scaled * (probability - answers)) + penalty * beta
        curvature = (columns * (scaled * probability * (1.0 - probability))[:, None]).T @ columns
        curvature[np.diag_indices_from(curvature)] += penalty
        step = np.linalg.solve(curvature, gradient)
        beta -= step
        if np.abs(step).max() < STEP_SIZE_MIN:
            break
    return Fit(weights=beta[:-1], intercept=float(beta[-1]))


def sides_balanced(answers: NDArray[np.bool_], row_weights: NDArray[np.floating]) -> NDArray[np.float64]:
    """Scale the weights so that the yes rows and the no rows each sum to one half."""
    yes_total = float(row_weights[answers].sum())
    no_total = float(row_weights[~answers].sum())
    return np.where(answers, row_weights / (2 * yes_total), row_weights / (2 * no_total))
