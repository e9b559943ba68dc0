"""What an analyzer computes of a text whatever is asked: stored with the first reading, reused.

Tied to the weights that made them: with others they are computed anew and written over.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace
from itertools import accumulate
from uuid import UUID

from django.db import connection, transaction
from django.db.models import Exists, OuterRef

from trackers import analyzers, locks
from trackers.analyzers.base import ConversationText, StoresVectors
from trackers.models import Conversation, ConversationVectors, Utterance


def attached(
    texts: Mapping[UUID, ConversationText], revisions: Mapping[UUID, int]
) -> dict[UUID, ConversationText]:
    """Return whole texts with their vectors, computing and storing those there are none of.

    Outside a transaction: computing takes its time. An analyzer without vectors gets none.
    """
    analyzer = analyzers.in_use()
    model = analyzer.vectors_model() if isinstance(analyzer, StoresVectors) else None
    if model is None or not isinstance(analyzer, StoresVectors):
        return dict(texts)
    found = _stored(texts, revisions, model)
    made = {
        pk: analyzer.vectors_of(text)
        for pk, text in texts.items()
        if pk not in found and text.utterances
    }
    _store(made, revisions, model)
    return {
        pk: replace(
            text,
            vectors=found.get(pk, made.get(pk)),
            vector_ids=tuple(utterance.id for utterance in text.utterances),
        )
        for pk, text in texts.items()
    }


def _stored(texts: Iterable[UUID], revisions: Mapping[UUID, int], model: str) -> dict[UUID, bytes]:
    rows = ConversationVectors.objects.filter(
        conversation__in=list(texts), revision__in=set(revisions.values()), model=model
    ).values_list("conversation_id", "revision", "vectors")
    return {pk: bytes(found) for pk, revision, found in rows if revisions[pk] == revision}


def _store(made: Mapping[UUID, bytes], revisions: Mapping[UUID, int], model: str) -> None:
    """Store vectors of texts that are still there: erasing waits for us, or we for it."""
    if not made:
        return
    with transaction.atomic():
        locks.share(Conversation, made)
        # An erased conversation has no utterance left, of whichever revision.
        said = Utterance.objects.filter(conversation=OuterRef("pk"))
        there = Conversation.objects.filter(Exists(said), pk__in=list(made))
        companies = dict(there.values_list("pk", "company_id"))
        # In one order, so that two workers with the same texts do not lock each other. As one
        # string of bytes, which costs a tenth of quoting each.
        kept = sorted(companies)
        lengths = [len(made[pk]) for pk in kept]
        ends = accumulate(lengths)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO trackers_conversationvectors"
                " (company_id, conversation_id, revision, model, vectors)"
                " SELECT company_id, conversation_id, revision, %s, substr(%s, first, length)"
                " FROM unnest(%s::bigint[], %s::uuid[], %s::int[], %s::int[], %s::int[])"
                "   AS made (company_id, conversation_id, revision, first, length)"
                " ON CONFLICT (conversation_id, revision)"
                " DO UPDATE SET model = excluded.model, vectors = excluded.vectors",
                [
                    model,
                    b"".join(made[pk] for pk in kept),
                    [companies[pk] for pk in kept],
                    kept,
                    [revisions[pk] for pk in kept],
                    [1 + end - length for end, length in zip(ends, lengths, strict=True)],
                    lengths,
                ],
            )
