"""Labeled trackers in the format of the tracker benchmark: one folder of JSON Lines files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trackers.analyzers.base import (
    Affiliation,
    ConversationText,
    Kind,
    Side,
    TrackerQuestion,
    UtteranceText,
)


@dataclass(frozen=True, slots=True)
class LabeledTracker:
    """A question, all conversations of its source and kind, and the answers to those labeled.

    ``evidence`` holds the utterance ids of the answers that are labeled with some.
    """

    question: TrackerQuestion
    kind: Kind
    conversations: tuple[ConversationText, ...]
    answers: Mapping[str, bool]
    evidence: Mapping[str, frozenset[str]]


def load(folder: Path) -> list[LabeledTracker]:
    """Read conversations.jsonl, trackers.jsonl and labels.jsonl; one entry a tracker and kind."""
    conversations: dict[tuple[str, Kind], list[ConversationText]] = defaultdict(list)
    for record in _records(folder / "conversations.jsonl"):
        conversation = _conversation(record)
        conversations[record["source"], conversation.kind].append(conversation)
    answers: dict[str, dict[str, bool]] = defaultdict(dict)
    evidence: dict[str, dict[str, frozenset[str]]] = defaultdict(dict)
    for record in _records(folder / "labels.jsonl"):
        answers[record["tracker"]][record["conversation"]] = record["answer"]
        if record["evidence"]:
            evidence[record["tracker"]][record["conversation"]] = frozenset(record["evidence"])
    return [
        _tracker(record, kind, conversations[record["source"], kind], answers, evidence)
        for record in _records(folder / "trackers.jsonl")
        for kind in (Kind(name.upper()) for name in record["kinds"])
    ]


def _tracker(
    record: Mapping[str, Any],
    kind: Kind,
    conversations: Sequence[ConversationText],
    answers: Mapping[str, Mapping[str, bool]],
    evidence: Mapping[str, Mapping[str, frozenset[str]]],
) -> LabeledTracker:
    ids = {conversation.id for conversation in conversations}
    return LabeledTracker(
        question=_question(record),
        kind=kind,
        conversations=tuple(conversations),
        answers={key: one for key, one in answers[record["id"]].items() if key in ids},
        evidence={key: one for key, one in evidence[record["id"]].items() if key in ids},
    )


def _records(path: Path) -> Iterator[dict[str, Any]]:
    with path.open(encoding="utf-8") as lines:
        for line in lines:
            yield json.loads(line)


def _conversation(record: Mapping[str, Any]) -> ConversationText:
    internal = {one["id"] for one in record["participants"] if one["role"] == "internal"}
    return ConversationText(
        id=record["id"],
        kind=Kind(record["kind"].upper()),
        utterances=tuple(
            UtteranceText(
                id=one["id"],
                affiliation=Affiliation.COMPANY
                if one["speaker"] in internal
                else Affiliation.NON_COMPANY,
                text=one["text"],
            )
            for one in record["utterances"]
        ),
    )


def _question(record: Mapping[str, Any]) -> TrackerQuestion:
    return TrackerQuestion(
        id=record["id"],
        text=record["question"],
        side=Side(record["side"].upper()),
        examples=tuple(record["example_phrases"]),
        counter_examples=tuple(record["counter_examples"]),
    )
