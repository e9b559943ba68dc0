"""BM25 over passages, for the words of a question."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

_SATURATION = 1.2
_LENGTH_SHARE = 0.75


def idf(document_count: int, holding_count: int) -> float:
    """Weigh a term by its rarity; never negative."""
    return math.log(1.0 + (document_count - holding_count + 0.5) / (holding_count + 0.5))


def holding_counts(documents: Iterable[Iterable[str]], terms: Iterable[str]) -> dict[str, int]:
    """Count the documents that hold each of the terms."""
    wanted = set(terms)
    counts = Counter(chain.from_iterable(wanted.intersection(one) for one in documents))
    return {term: counts[term] for term in sorted(wanted)}


@dataclass(frozen=True, slots=True)
class Query:
    """Stems to look for with their idf, and the mean passage length of the corpus in stems."""

    idfs: Mapping[str, float]
    length_mean: float

    def scores(self, passages: Sequence[Sequence[str]]) -> NDArray[np.float64]:
        """Return one score a passage, as a share of the highest score any passage could get.

        All zero for a query without terms.
        """
        best = sum(self.idfs.values()) * (_SATURATION + 1.0)
        if best == 0.0:
            return np.zeros(len(passages))
        return np.array([self._score(passage) for passage in passages]) / best

    def _score(self, passage: Sequence[str]) -> float:
        score = 0.0
        length_factor = 1.0 - _LENGTH_SHARE + _LENGTH_SHARE * len(passage) / self.length_mean
        for term, weight in self.idfs.items():
            count = passage.count(term)
            if count:
                score += (
                    weight * count * (_SATURATION + 1.0) / (count + _SATURATION * length_factor)
                )
        return score
