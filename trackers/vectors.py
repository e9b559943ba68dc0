"""What an analyzer computes of a text whatever is asked: stored with the first reading, reused.

Tied to the weights that made them: with others they are computed anew and written over. Of one
side where only that was asked about: what the other side said is computed when it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import accumulate
from uuid import UUID

from django.db import connection

from trackers import analyzers
from trackers.analyzers.base import ConversationText, Side, StoresVectors

_STORED = (
    "SELECT asked.place::int, made.vectors"
    " FROM unnest(%s::uuid[], %s::int[]) WITH ORDINALITY AS asked (id, revision, place)"
    " JOIN trackers_conversationvectors AS made"
    "   ON made.conversation_id = asked.id AND made.revision = asked.revision"
    " WHERE made.model = %s"
)
# The words are looked for as well: the row says that it was erased, its utterances that it is
# not about to be, whoever takes them away first.
_STORE = (
    "INSERT INTO trackers_conversationvectors"
    " (company_id, conversation_id, revision, model, vectors)"
    " SELECT there.company_id, there.id, made.revision, %s, substr(%s, made.first, made.length)"
    " FROM unnest(%s::uuid[], %s::int[], %s::int[], %s::int[])"
    "   AS made (conversation_id, revision, first, length)"
    " JOIN (SELECT id, company_id FROM trackers_conversation AS conversation"
    "        WHERE id = ANY(%s) AND erased_at IS NULL AND EXISTS"
    "          (SELECT FROM trackers_utterance WHERE conversation_id = conversation.id)"
    "        ORDER BY id FOR SHARE) AS there ON there.id = made.conversation_id"
    " ON CONFLICT (conversation_id, revision)"
    " DO UPDATE SET model = excluded.model, vectors = excluded.vectors"
)


def attached(
    texts: Mapping[UUID, ConversationText], revisions: Mapping[UUID, int], *, side: Side
) -> dict[UUID, ConversationText]:
    """Return whole texts with the vectors of a side, computing and storing those not there yet.

    Outside a transaction: computing takes its time. An analyzer without vectors gets none.
    """
    analyzer = analyzers.in_use()
    model = analyzer.vectors_model() if isinstance(analyzer, StoresVectors) else None
    if model is None or not isinstance(analyzer, StoresVectors):
        return dict(texts)
    stored = _stored(texts, revisions, model)
    found, made = {}, {}
    for pk, text in texts.items():
        with_stored = replace(
            text,
            vectors=stored.get(pk),
            vector_ids=tuple(utterance.id for utterance in text.utterances),
        )
        vectors = analyzer.vectors_of(with_stored, side)
        if vectors is not None and vectors is not with_stored.vectors:
            made[pk] = vectors
            with_stored = replace(with_stored, vectors=vectors)
        found[pk] = with_stored
    _store(made, revisions, model)
    return found


def _stored(texts: Iterable[UUID], revisions: Mapping[UUID, int], model: str) -> dict[UUID, bytes]:
    ids = list(texts)
    with connection.cursor() as cursor:
        cursor.execute(_STORED, [ids, [revisions[pk] for pk in ids], model])
        return {ids[place - 1]: bytes(vectors) for place, vectors in cursor.fetchall()}


def _store(made: Mapping[UUID, bytes], revisions: Mapping[UUID, int], model: str) -> None:
    """Store vectors of texts that are still there: erasing waits for us, or we for it.

    One statement. Conversations are locked in one order, so that two workers with the same texts
    do not lock each other; of one that was erased while we waited the row itself says so. All
    vectors are one string of bytes, which costs a tenth of quoting each.
    """
    if not made:
        return
    ids = list(made)
    lengths = [len(made[pk]) for pk in ids]
    with connection.cursor() as cursor:
        cursor.execute(
            _STORE,
            [
                model,
                b"".join(made.values()),
                ids,
                [revisions[pk] for pk in ids],
                [
                    1 + end - length
                    for end, length in zip(accumulate(lengths), lengths, strict=True)
                ],
                lengths,
                ids,
            ],
        )
