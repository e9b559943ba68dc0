"""What the analyzer knows of a text before any question is asked."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import chain

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import ConversationText, Side
from trackers.analyzers.offline import embedding, lexicon, packing, passages
from trackers.analyzers.offline.embedding import Embedder

# About the length of the vector of a passage's idfs, so that the terms weigh about as much as
# word vectors of length one, in a short passage and in a long one; else a score would not mean
# the same for every tracker. The constant keeps the few terms of "yes" from counting too much.
_IDF_TYPICAL = 4.0
_LENGTH_OFFSET = 3.0


@dataclass(frozen=True, slots=True)
class Reading:
    """The passages of one side of one conversation, or a list of phrases, made comparable.

    ``term_factors`` scale a sum over the terms of a passage by their number. ``vectors`` and
    ``whole`` are None where there are no word vectors.
    """

    passages: tuple[passages.Passage, ...]
    stems: tuple[tuple[str, ...], ...]
    terms: tuple[frozenset[str], ...]
    term_factors: NDArray[np.float64]
    forms: NDArray[np.float32]
    vectors: NDArray[np.float32] | None
    whole: NDArray[np.float32] | None

    def __len__(self) -> int:
        return len(self.stems)

    def only(self, indexes: Sequence[int]) -> Reading:
        """Keep some of the passages; ``whole`` is gone."""
        return Reading(
            passages=tuple(self.passages[index] for index in indexes),
            stems=tuple(self.stems[index] for index in indexes),
            terms=tuple(self.terms[index] for index in indexes),
            term_factors=self.term_factors[list(indexes)],
            forms=self.forms[list(indexes)],
            vectors=None if self.vectors is None else self.vectors[list(indexes)],
            whole=None,
        )


def read(conversation: ConversationText, side: Side, embedder: Embedder | None) -> Reading:
    found = passages.on_side(conversation, side)
    sums = None
    if embedder is not None and found:
        sums = _sums(conversation, found, embedder)
    return _reading(found, [passage.text for passage in found], sums)


def joined(readings: Sequence[Reading]) -> Reading:
    """Put the passages of several readings, at least one, after one another."""
    vectors = [one.vectors for one in readings if one.vectors is not None]
    return Reading(
        passages=tuple(chain.from_iterable(one.passages for one in readings)),
        stems=tuple(chain.from_iterable(one.stems for one in readings)),
        terms=tuple(chain.from_iterable(one.terms for one in readings)),
        term_factors=np.concatenate([one.term_factors for one in readings]),
        forms=np.concatenate([one.forms for one in readings]),
        vectors=np.concatenate(vectors) if vectors else None,
        whole=None,
    )


def read_phrases(texts: Sequence[str], embedder: Embedder | None) -> Reading:
    """Read texts that are no conversation: a question, example phrases."""
    sums = embedder.sums(texts) if embedder is not None and texts else None
    return _reading((), texts, sums)


def _sums(
    conversation: ConversationText, found: Sequence[passages.Passage], embedder: Embedder
) -> NDArray[np.float32]:
    """Take the passages' sums from what was stored; compute them all where any is missing."""
    stored = packing.unpack(conversation)
    if stored is not None:
        said = Counter(passage.utterance_id for passage in found)
        kept = [stored[utterance_id] for utterance_id in said]
        if all(len(sums) == said[one] for one, sums in zip(said, kept, strict=True)):
            return np.concatenate(kept).astype(np.float32)
    return packing.rounded(embedder.sums([passage.text for passage in found]))


def _reading(
    found: tuple[passages.Passage, ...],
    texts: Sequence[str],
    sums: NDArray[np.float32] | None,
) -> Reading:
    words = [lexicon.tokens(text) for text in texts]
    stems = tuple(tuple(lexicon.stems(one)) for one in words)
    terms = tuple(frozenset(lexicon.terms(one)) for one in stems)
    return Reading(
        passages=found,
        stems=stems,
        terms=terms,
        term_factors=np.array(
            [1.0 / (_IDF_TYPICAL * math.sqrt(len(one)) + _LENGTH_OFFSET) for one in terms]
        ),
        forms=np.array([lexicon.form(one) for one in words], dtype=np.float32).reshape(
            len(words), lexicon.FORM_COUNT
        ),
        vectors=embedding.unit(sums) if sums is not None else None,
        whole=embedding.whole(sums) if sums is not None else None,
    )
