"""What the analyzer knows of a text before any question is asked."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import ConversationText, Side
from trackers.analyzers.offline import lexicon, passages
from trackers.analyzers.offline.embedding import Embedder

# Presence of a term counts idf / TERM_SCALE beside word vectors of length one. A constant was
# better than dividing by the length of the passage, which passages bound anyway.
TERM_SCALE = 15.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The passages of one side of one conversation, or a list of phrases, made comparable.

    ``vectors`` and ``whole`` are None where there are no word vectors.
    """

    passages: tuple[passages.Passage, ...]
    stems: tuple[tuple[str, ...], ...]
    terms: tuple[frozenset[str], ...]
    forms: NDArray[np.float32]
    vectors: NDArray[np.float32] | None
    whole: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.stems)


def read(conversation: ConversationText, side: Side, embedder: Embedder | None) -> Reading:
    found = passages.on_side(conversation, side)
    return _reading(found, [passage.text for passage in found], embedder)


def read_phrases(texts: Sequence[str], embedder: Embedder | None) -> Reading:
    """Read texts that are no conversation: a question, example phrases."""
    return _reading((), texts, embedder)


def _reading(
    found: tuple[passages.Passage, ...], texts: Sequence[str], embedder: Embedder | None
) -> Reading:
    words = [lexicon.tokens(text) for text in texts]
    stems = tuple(tuple(lexicon.stems(one)) for one in words)
    sums = embedder.token_sums(texts) if embedder is not None and texts else None
    return Reading(
        passages=found,
        stems=stems,
        terms=tuple(frozenset(lexicon.terms(one)) for one in stems),
        forms=np.array([lexicon.form(one) for one in words], dtype=np.float32).reshape(
            len(words), lexicon.FORM_COUNT
        ),
        vectors=sums.means() if sums is not None else None,
        whole=sums.whole() if sums is not None else None,
    )
