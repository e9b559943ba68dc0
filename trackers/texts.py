"""What was said in conversations, as an analyzer reads it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from uuid import UUID

from trackers import vectors
from trackers.analyzers.base import Affiliation as TextAffiliation
from trackers.analyzers.base import ConversationText, UtteranceText
from trackers.analyzers.base import Kind as TextKind
from trackers.models import Conversation, Utterance


@dataclass(frozen=True, slots=True)
class Said:
    """One conversation at one revision; ``starts`` are the times of its utterances as stored."""

    text: ConversationText
    starts: tuple[Decimal | None, ...]
    duration_seconds: int


def load(revisions: Mapping[UUID, int]) -> dict[UUID, Said]:
    """Load whole conversations, without vectors, at the revisions named; three statements at most.

    An analyzer knows a conversation by its external id, which is the same wherever it was
    imported, so that whatever it derives from the id is the same too.
    """
    found = Conversation.objects.filter(pk__in=list(revisions)).values_list(
        "pk", "external_id", "kind", "language", "duration_seconds"
    )
    turns: dict[UUID, list[UtteranceText]] = {pk: [] for pk in revisions}
    starts: dict[UUID, list[Decimal | None]] = {pk: [] for pk in revisions}
    rows = (
        Utterance.objects.filter(
            conversation__in=list(revisions), revision__in=set(revisions.values())
        )
        .order_by("conversation", "revision", "position")
        .values_list("conversation_id", "revision", "pk", "affiliation", "text", "start_seconds")
    )
    for pk, revision, utterance_id, affiliation, text, start in rows:
        if revisions[pk] == revision:
            turns[pk].append(UtteranceText(str(utterance_id), TextAffiliation(affiliation), text))
            starts[pk].append(start)
    return {
        pk: Said(
            ConversationText(external_id, TextKind(kind), tuple(turns[pk]), language),
            tuple(starts[pk]),
            duration,
        )
        for pk, external_id, kind, language, duration in found
    }


def whole(revisions: Mapping[UUID, int]) -> dict[UUID, ConversationText]:
    """Load whole conversations with their vectors, in the order of the revisions.

    Outside a transaction: vectors that are not stored yet are computed.
    """
    found = load(revisions)
    texts = vectors.attached({pk: said.text for pk, said in found.items()}, revisions)
    return {pk: texts[pk] for pk in revisions if pk in texts}
