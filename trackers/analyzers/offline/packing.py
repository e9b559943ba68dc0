"""A conversation's vectors as bytes, so that they are computed once and stored.

Little-endian: how many utterances (4 bytes), how many passages of each (2 bytes), then for each
passage the sum of its token vectors in half precision. Sums and not unit vectors, because the
conversation read as one text is the sum of its passages.

Note [Rounded wherever they come from]
    Sums are rounded to half precision whether they were stored or not, so that a finding does
    not depend on that.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import ConversationText, UtteranceText
from trackers.analyzers.offline import passages
from trackers.analyzers.offline.embedding import DIMENSIONS, Embedder

_COUNT, _COUNTS, _SUMS = np.dtype("<u4"), np.dtype("<u2"), np.dtype("<f2")
_COUNT_MAX = 2**16 - 1


def rounded(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to what is stored. See Note [Rounded wherever they come from]."""
    return sums.astype(_SUMS).astype(np.float32)


def pack(conversation: ConversationText, embedder: Embedder) -> bytes:
    """Compute the vectors of both sides of a conversation.

    Utterances past ``passages.CONVERSATION_CHARACTERS_MAX`` have none; they are hardly ever read.
    """
    cut = list(_cut(conversation.utterances))
    texts = [passage.text for found in cut for passage in found]
    sums = embedder.sums(texts) if texts else np.zeros((0, DIMENSIONS), dtype=np.float32)
    return b"".join(
        (
            np.array([len(cut)], dtype=_COUNT).tobytes(),
            np.array([len(found) for found in cut], dtype=_COUNTS).tobytes(),
            sums.astype(_SUMS).tobytes(),
        )
    )


def unpack(conversation: ConversationText) -> dict[str, NDArray[np.float32]] | None:
    """Return the sums of each utterance's passages, by utterance id; None where there are none.

    None too for bytes that are not of this conversation.
    """
    stored = conversation.vectors
    ids = conversation.vector_ids or tuple(one.id for one in conversation.utterances)
    if stored is None or len(stored) < _COUNT.itemsize:
        return None
    (count,) = np.frombuffer(stored, dtype=_COUNT, count=1)
    head = _COUNT.itemsize + len(ids) * _COUNTS.itemsize
    if count != len(ids) or len(stored) < head:
        return None
    counts = np.frombuffer(stored, dtype=_COUNTS, count=len(ids), offset=_COUNT.itemsize)
    if len(stored) != head + int(counts.sum()) * DIMENSIONS * _SUMS.itemsize:
        return None
    sums = np.frombuffer(stored, dtype=_SUMS, offset=head).reshape(-1, DIMENSIONS)
    ends = np.cumsum(counts)
    return {
        utterance_id: sums[end - number : end].astype(np.float32)
        for utterance_id, number, end in zip(ids, counts.tolist(), ends.tolist(), strict=True)
    }


def _cut(utterances: Sequence[UtteranceText]) -> list[tuple[passages.Passage, ...]]:
    left, found = passages.CONVERSATION_CHARACTERS_MAX, []
    for utterance in utterances:
        left -= len(utterance.text)
        cut = passages.of_utterance(utterance) if left >= 0 else ()
        found.append(cut if len(cut) <= _COUNT_MAX else ())
    return found
