"""Weighted ridge logistic regression, by Newton's method.

The Newton step is found by conjugate gradients, and sums are left to ``einsum``, which starts no
threads: on busy cores the threads of a direct solver took a hundred times longer than its
arithmetic.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

STEPS_MAX = 50
STEP_SIZE_MIN = 1e-8
# The intercept is left free but for this, which keeps the system solvable.
_INTERCEPT_RIDGE = 1e-9
_RESIDUAL_SHARE = 1e-16


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
        probability = 1.0 / (1.0 + np.exp(-_times(columns, beta)))
        gradient = _summed(columns, scaled * (probability - answers)) + penalty * beta
        step = _newton_step(columns, scaled * probability * (1.0 - probability), penalty, gradient)
        beta -= step
        if np.abs(step).max() < STEP_SIZE_MIN:
            break
    return Fit(weights=beta[:-1], intercept=float(beta[-1]))


def _newton_step(
    columns: NDArray[np.float64],
    row_curvatures: NDArray[np.float64],
    penalty: NDArray[np.float64],
    gradient: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Solve (columns' diag(row_curvatures) columns + diag(penalty)) step = gradient."""
    # Scaling by the diagonal brings the free intercept in line with the other columns.
    scale = 1.0 / ((columns * columns * row_curvatures[:, None]).sum(axis=0) + penalty)
    step = np.zeros_like(gradient)
    residual = gradient.copy()
    scaled = scale * residual
    direction = scaled.copy()
    product = float(residual @ scaled)
    target = product * _RESIDUAL_SHARE
    for _ in range(len(gradient)):
        if product <= target:
            break
        image = _summed(columns, row_curvatures * _times(columns, direction)) + penalty * direction
        length = product / float(direction @ image)
        step += length * direction
        residual -= length * image
        scaled = scale * residual
        product, product_before = float(residual @ scaled), product
        direction = scaled + (product / product_before) * direction
    return step


def _times(columns: NDArray[np.float64], vector: NDArray[np.float64]) -> NDArray[np.float64]:
    product: NDArray[np.float64] = np.einsum("ij,j->i", columns, vector)
    return product


def _summed(columns: NDArray[np.float64], rows: NDArray[np.float64]) -> NDArray[np.float64]:
    total: NDArray[np.float64] = np.einsum("ij,i->j", columns, rows)
    return total


def sides_balanced(
    answers: NDArray[np.bool_], row_weights: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Scale the weights so that the yes rows and the no rows each sum to one half."""
    yes_total = float(row_weights[answers].sum())
    no_total = float(row_weights[~answers].sum())
    return np.where(answers, row_weights / (2 * yes_total), row_weights / (2 * no_total))
