"""What was said in conversations, as an analyzer reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from django.db import connection

from trackers import vectors
from trackers.analyzers.base import Affiliation as TextAffiliation
from trackers.analyzers.base import ConversationText, Side, UtteranceText
from trackers.analyzers.base import Kind as TextKind
from trackers.models import Conversation

# By place in the list asked for: a number costs less than a key with each utterance.
_UTTERANCES = (
    "SELECT {}"
    " FROM unnest(%s::uuid[], %s::int[]) WITH ORDINALITY AS asked (id, revision, place)"
    " JOIN trackers_utterance AS said"
    "   ON said.conversation_id = asked.id AND said.revision = asked.revision"
    " ORDER BY asked.place, said.position"
)
_UNTIMED = "asked.place::int - 1, said.id::text, said.affiliation, said.text"
_TIMED = f"{_UNTIMED}, said.start_seconds"
_SIDES = {side.value: side for side in TextAffiliation}


@dataclass(frozen=True, slots=True)
class Said:
    """One conversation at one revision; ``starts`` are its utterances' times, if asked for."""

    text: ConversationText
    starts: tuple[Decimal | None, ...]
    duration_seconds: int


def load(revisions: Mapping[UUID, int], *, with_starts: bool = False) -> dict[UUID, Said]:
    """Load whole conversations, without vectors, at the revisions named; two statements.

    Without ``starts``, which cost as much as the words, unless asked for.

    An analyzer knows a conversation by its external id, which is the same wherever it was
    imported, so that whatever it derives from the id is the same too.
    """
    found = Conversation.objects.filter(pk__in=list(revisions)).values_list(
        "pk", "external_id", "kind", "language", "duration_seconds"
    )
    order = list(revisions)
    turns: list[list[UtteranceText]] = [[] for _ in order]
    starts: list[list[Decimal | None]] = [[] for _ in order]
    columns = _TIMED if with_starts else _UNTIMED
    with connection.cursor() as cursor:
        cursor.execute(_UTTERANCES.format(columns), [order, list(revisions.values())])
        for place, utterance_id, affiliation, text, *start in cursor.fetchall():
            turns[place].append(UtteranceText(utterance_id, _SIDES[affiliation], text))
            starts[place] += start
    places = {pk: place for place, pk in enumerate(order)}
    return {
        pk: Said(
            ConversationText(external_id, TextKind(kind), tuple(turns[places[pk]]), language),
            tuple(starts[places[pk]]),
            duration,
        )
        for pk, external_id, kind, language, duration in found
    }


def whole(revisions: Mapping[UUID, int]) -> dict[UUID, ConversationText]:
    """Load whole conversations with their vectors, in the order of the revisions.

    Outside a transaction: vectors that are not stored yet are computed.
    """
    found = load(revisions)
    texts = vectors.attached(
        {pk: said.text for pk, said in found.items()}, revisions, side=Side.ANY
    )
    return {pk: texts[pk] for pk in revisions if pk in texts}
