"""A conversation's vectors as bytes, so that they are computed once and stored.

Little-endian: how many utterances (4 bytes, the two highest bits say of which side, none of both),
how many passages of each (2 bytes), then for each passage the sum of its token vectors in half
precision. Sums and not unit vectors, because the
conversation read as one text is the sum of its passages.

Note [Rounded wherever they come from]
    Sums are rounded to half precision whether they were stored or not, so that a finding does
    not depend on that.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from trackers.analyzers.base import Affiliation, ConversationText, Side, UtteranceText
from trackers.analyzers.offline import passages
from trackers.analyzers.offline.embedding import DIMENSIONS, Embedder

_COUNT, _COUNTS, _SUMS = np.dtype("<u4"), np.dtype("<u2"), np.dtype("<f2")
_COUNT_MAX = 2**16 - 1
_FIRST = struct.Struct("<I")
_UTTERANCES_MAX = 2**30 - 1
# The two highest bits of the first number: whose vectors they are.
_HELD = {
    0: frozenset(Affiliation),
    1 << 30: frozenset({Affiliation.COMPANY}),
    2 << 30: frozenset({Affiliation.NON_COMPANY}),
}
_FLAGS = {sides: flag for flag, sides in _HELD.items()}


@dataclass(frozen=True, slots=True)
class _Head:
    """Vectors read back: of which utterances, whose, how many of each, and all of them."""

    ids: tuple[str, ...]
    held: int
    counts: NDArray[np.uint16]
    sums: NDArray[np.float16]


def rounded(sums: NDArray[np.float32]) -> NDArray[np.float32]:
    """Round to what is stored. See Note [Rounded wherever they come from]."""
    return sums.astype(_SUMS).astype(np.float32)


def pack(conversation: ConversationText, embedder: Embedder, side: Side = Side.ANY) -> bytes | None:
    """Return the vectors of a side of a conversation, with those it came with.

    They are those it came with where they hold the side already; None for one without utterances.
    Utterances past ``passages.CONVERSATION_CHARACTERS_MAX`` have none; they are hardly ever read.
    """
    if not conversation.utterances:
        return None
    head = _head(conversation)
    held = _HELD[head.held] if head is not None else frozenset()
    missing = passages.AFFILIATIONS[side] - held
    if not missing:
        return conversation.vectors
    cut = _cut(conversation.utterances, missing)
    texts = [passage.text for found in cut for passage in found]
    sums = embedder.sums(texts) if texts else np.zeros((0, DIMENSIONS), dtype=np.float32)
    packed, counts = sums.astype(_SUMS), [len(found) for found in cut]
    if head is not None:
        packed, counts = _merged(head, packed, counts)
    return b"".join(
        (
            np.array([len(cut) | _FLAGS[held | missing]], dtype=_COUNT).tobytes(),
            np.array(counts, dtype=_COUNTS).tobytes(),
            packed.tobytes(),
        )
    )


def unpack(conversation: ConversationText) -> dict[str, NDArray[np.float16]] | None:
    """Return the sums of each utterance's passages, by utterance id; None where there are none.

    None too for bytes that are not of this conversation. An utterance of a side that was not
    asked about yet has none.
    """
    head = _head(conversation)
    if head is None:
        return None
    ends = np.cumsum(head.counts).tolist()
    return {
        utterance_id: head.sums[end - number : end]
        for utterance_id, number, end in zip(head.ids, head.counts.tolist(), ends, strict=True)
    }


def _head(conversation: ConversationText) -> _Head | None:
    """Read the bytes a conversation came with; None where they are none of its own."""
    stored = conversation.vectors
    ids = conversation.vector_ids or tuple(one.id for one in conversation.utterances)
    if stored is None or len(stored) < _COUNT.itemsize:
        return None
    (first,) = _FIRST.unpack_from(stored)
    held = first & ~_UTTERANCES_MAX
    head = _COUNT.itemsize + len(ids) * _COUNTS.itemsize
    if held not in _HELD or first & _UTTERANCES_MAX != len(ids) or len(stored) < head:
        return None
    counts = np.frombuffer(stored, dtype=_COUNTS, count=len(ids), offset=_COUNT.itemsize)
    if len(stored) != head + int(counts.sum()) * DIMENSIONS * _SUMS.itemsize:
        return None
    sums = np.frombuffer(stored, dtype=_SUMS, offset=head).reshape(-1, DIMENSIONS)
    return _Head(ids=ids, held=held, counts=counts, sums=sums)


def _merged(
    head: _Head, sums: NDArray[np.float16], counts: Sequence[int]
) -> tuple[NDArray[np.float16], list[int]]:
    """Put what was computed of one side among what is held of the other, as it was said."""
    blocks: list[NDArray[np.float16]] = []
    both = head.counts.tolist()
    old = new = 0
    for place, (held, made) in enumerate(zip(both, counts, strict=True)):
        blocks += (head.sums[old : old + held], sums[new : new + made])
        old, new = old + held, new + made
        both[place] = held + made
    return np.concatenate(blocks), both


def _cut(
    utterances: Sequence[UtteranceText], sides: AbstractSet[Affiliation]
) -> list[tuple[passages.Passage, ...]]:
    left, found = passages.CONVERSATION_CHARACTERS_MAX, []
    for utterance in utterances:
        left -= len(utterance.text)
        is_cut = left >= 0 and utterance.affiliation in sides
        cut = passages.of_utterance(utterance) if is_cut else ()
        found.append(cut if len(cut) <= _COUNT_MAX else ())
    return found
