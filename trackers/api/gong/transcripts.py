"""What was said in calls: monologues of one speaker each, with times in milliseconds."""

from __future__ import annotations

from collections.abc import Sequence
from decimal import Decimal
from itertools import groupby
from typing import Any
from uuid import UUID

from django.db.models import F

from trackers.api.gong import numbers
from trackers.models import Conversation, Utterance


def of(calls: Sequence[Conversation]) -> list[dict[str, Any]]:
    """Return the transcript of each call, in its current text."""
    said = utterances(calls)
    return [
        {"callId": numbers.call(call), "transcript": _transcript(call, said.get(call.pk, []))}
        for call in calls
    ]


def utterances(calls: Sequence[Conversation]) -> dict[UUID, list[Utterance]]:
    """Return the utterances of calls in their current text, in order."""
    found: dict[UUID, list[Utterance]] = {}
    rows = (
        Utterance.objects.filter(conversation__in=calls, revision=F("conversation__text_revision"))
        .select_related("speaker")
        .order_by("conversation", "position")
    )
    for one in rows:
        found.setdefault(one.conversation_id, []).append(one)
    return found


def spans(call: Conversation, said: Sequence[Utterance]) -> list[tuple[Decimal, Decimal] | None]:
    """Return when each utterance begins and ends, in seconds; None where no time was recorded.

    Only beginnings are recorded: one lasts until the next begins, the last until the call's end.
    """
    found: list[tuple[Decimal, Decimal] | None] = []
    end = Decimal(call.duration_seconds)
    for one in reversed(said):
        start = one.start_seconds
        if start is None:
            found.append(None)
            continue
        found.append((start, max(start, end)))
        end = start
    return found[::-1]


def _transcript(call: Conversation, said: Sequence[Utterance]) -> list[dict[str, Any]]:
    timed = zip(said, spans(call, said), strict=True)
    return [
        {
            "speakerId": numbers.participant(call.pk, turns[0][0].speaker.external_id),
            "sentences": [_sentence(one, span) for one, span in turns],
        }
        for turns in (list(group) for _, group in groupby(timed, lambda turn: turn[0].speaker_id))
    ]


def _sentence(one: Utterance, span: tuple[Decimal, Decimal] | None) -> dict[str, Any]:
    times = {} if span is None else {"start": _milliseconds(span[0]), "end": _milliseconds(span[1])}
    return {**times, "text": one.text}


def _milliseconds(seconds: Decimal) -> int:
    return int(seconds * 1000)
