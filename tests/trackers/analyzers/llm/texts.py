"""Conversations and questions for the language model's tests."""

from __future__ import annotations

from trackers.analyzers.base import (
    Affiliation,
    Calibration,
    ConversationText,
    Kind,
    Side,
    TrackerQuestion,
    UtteranceText,
)

SIDES = {"rep": Affiliation.COMPANY, "customer": Affiliation.NON_COMPANY}
NOTHING_LEARNED = Calibration("llm", "1")


def call(*turns: tuple[str, str], id: str = "call") -> ConversationText:
    utterances = [
        UtteranceText(str(100 + at), SIDES[who], text) for at, (who, text) in enumerate(turns)
    ]
    return ConversationText(id, Kind.CALL, tuple(utterances))


OBJECTION = call(
    ("rep", "Here is our proposal."), ("customer", "That is too   expensive for us – sorry.")
)


def question(id: str = "price", side: Side = Side.CUSTOMER, **changes) -> TrackerQuestion:
    text = changes.pop("text", "Did the customer object to the price?")
    return TrackerQuestion(id, text, side=side, **changes)


def read(analyzer, conversation=OBJECTION, *questions):
    return analyzer.evaluate(conversation, list(questions or [question()]), NOTHING_LEARNED)
