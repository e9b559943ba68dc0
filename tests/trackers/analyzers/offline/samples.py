"""Conversations made up for these tests: Alice sells software, Bob may buy it."""

from __future__ import annotations

import random

from trackers.analyzers.base import (
    Affiliation,
    Calibration,
    ConversationText,
    Finding,
    Kind,
    Side,
    TrackerQuestion,
    UtteranceText,
)
from trackers.analyzers.offline.analyzer import OfflineAnalyzer

PRICE_LINES = (
    "What would that cost us per year?",
    "How much do you charge for a seat?",
    "Is there a discount on the price if we pay up front?",
)
_REP_LINES = (
    "Thanks for making the time today.",
    "Let me show you the dashboard first.",
    "This chart is updated every night.",
    "Our support team answers within the hour.",
    "You can export everything to a spreadsheet.",
    "We price it per seat, from forty euros a month.",
    "I will send you the recording afterwards.",
    "Shall we look at the mobile app next?",
)
_CUSTOMER_LINES = (
    "Hi, good to see you again.",
    "That looks tidy.",
    "We do all of this by hand today.",
    "My team works from three cities.",
    "Can two people edit at the same time?",
    "The old tool crashed all the time.",
    "I would have to show this to my boss.",
    "Our summer party is next week.",
    "Let us talk again on Thursday.",
    "It rained the whole weekend here.",
)

BOSS_QUESTION = TrackerQuestion(
    id="boss",
    text="Does the customer need somebody else's approval?",
    side=Side.CUSTOMER,
    examples=("I need to ask my manager",),
)
PRICE_QUESTION = TrackerQuestion(
    id="price",
    text="Did the customer ask about the price?",
    side=Side.CUSTOMER,
    examples=("How much is it?", "What does it cost?", "Could you tell me the price?"),
    counter_examples=("We paid for lunch.",),
)


def conversation(
    *lines: tuple[Affiliation, str], name: str = "c", kind: Kind = Kind.CALL
) -> ConversationText:
    return ConversationText(
        id=name,
        kind=kind,
        utterances=tuple(
            UtteranceText(id=f"u{index}", affiliation=side, text=text)
            for index, (side, text) in enumerate(lines)
        ),
    )


def bob_says(text: str) -> tuple[Affiliation, str]:
    return Affiliation.NON_COMPANY, text


def alice_says(text: str) -> tuple[Affiliation, str]:
    return Affiliation.COMPANY, text


def calls(count: int, *, kind: Kind = Kind.CALL) -> list[ConversationText]:
    """Make conversations; Bob asks about the price in every fourth."""
    made = []
    for index in range(count):
        draw = random.Random(index)
        lines = [
            line
            for pair in zip(
                map(alice_says, draw.sample(_REP_LINES, 5)),
                map(bob_says, draw.sample(_CUSTOMER_LINES, 5)),
                strict=True,
            )
            for line in pair
        ]
        if asks_about_price(index):
            lines.insert(7, bob_says(draw.choice(PRICE_LINES)))
        made.append(conversation(*lines, name=f"{kind.lower()}-{index}", kind=kind))
    return made


def asks_about_price(index: int) -> bool:
    return index % 4 == 0


def only(
    analyzer: OfflineAnalyzer,
    item: ConversationText,
    question: TrackerQuestion,
    calibration: Calibration,
) -> Finding:
    (finding,) = analyzer.evaluate(item, [question], calibration)
    return finding
