"""An analyzer that does what a test tells it; the product's own has tests of its own."""

from __future__ import annotations

from collections.abc import Callable

from trackers.analyzers.base import (
    Answer,
    Calibration,
    Citation,
    Confidence,
    Evidence,
    Finding,
    Verdict,
)


class UnreadableConversation(Exception):
    pass


class ScriptedAnalyzer:
    """Says yes to everything and quotes the first utterance.

    ``failing`` names the conversations it cannot read; ``on_read`` runs before each reading.
    """

    name = "scripted"
    version = "1"
    generative = False

    def __init__(self) -> None:
        self.failing: set[str] = set()
        self.on_read: Callable[[], object] = lambda: None
        self.read: list[str] = []
        self.samples: list[int] = []  # How many conversations each calibration was given.

    def calibrate(self, questions, sample) -> Calibration:
        self.samples.append(len(sample))
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(self, conversation, questions, calibration) -> list[Finding]:
        self.on_read()
        self.read.append(conversation.id)
        if conversation.id in self.failing:
            raise UnreadableConversation
        first = conversation.utterances[0]
        quote = Evidence(first.id, 0, len(first.text), first.text)
        return [
            Finding(one.id, Verdict.YES, 0.9, Confidence.HIGH, "yes", (quote,)) for one in questions
        ]

    def ask(self, question, conversations) -> Answer:
        """Cite the first utterance of each conversation."""
        self.on_read()
        cited = []
        for conversation in conversations:
            for first in conversation.utterances[:1]:
                quote = Evidence(first.id, 0, len(first.text), first.text)
                cited.append(Citation(conversation.id, (first.id,), quote))
        return Answer("It was said.", tuple(cited))


class QuotingAnalyzer(ScriptedAnalyzer):
    """Cannot read anything, and complains in the words of what it was given."""

    name = "quoting"

    def evaluate(self, conversation, questions, calibration) -> list[Finding]:
        raise ValueError(f"{questions[0].question}: {conversation.utterances[0].text}")

    def ask(self, question, conversations) -> Answer:
        raise ValueError(f"{question}: {conversations[0].utterances[0].text}")
