"""How good scores and verdicts are, against the right answers."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True)
class Quality:
    """Precision is 0 when nothing was found, recall is 0 when there was nothing to find."""

    precision: float
    recall: float
    f1: float


def quality(found: NDArray[np.bool_], right: NDArray[np.bool_]) -> Quality:
    both = int((found & right).sum())
    return Quality(
        precision=both / max(int(found.sum()), 1),
        recall=both / max(int(right.sum()), 1),
        f1=f1(found, right),
    )


def f1(found: NDArray[np.bool_], right: NDArray[np.bool_]) -> float:
    return 2 * int((found & right).sum()) / max(int(found.sum()) + int(right.sum()), 1)


def always_yes_f1(right: NDArray[np.bool_]) -> float:
    return f1(np.ones_like(right), right)


def area_under_curve(scores: NDArray[np.float64], right: NDArray[np.bool_]) -> float:
    """Return the chance that a right yes scores above a right no; ties count half.

    Needs at least one of each.
    """
    _, places, counts = np.unique(scores, return_inverse=True, return_counts=True)
    ranks = (np.cumsum(counts) - (counts - 1) / 2)[places]
    yes_count = int(right.sum())
    no_count = len(right) - yes_count
    return float((ranks[right].sum() - yes_count * (yes_count + 1) / 2) / (yes_count * no_count))
