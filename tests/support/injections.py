"""Prompt injections, and an analyzer that does what they say.

The corpus is ``tests/data/injections.jsonl``: one injection a line with its ``id``, its
``category``, what an obedient reader would do (``does``) and its ``text``, in which {other} is
another company and {ids} are its utterances.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from trackers.analyzers.base import (
    Answer,
    Calibration,
    Citation,
    Confidence,
    ConversationText,
    Evidence,
    Finding,
    Verdict,
)

FILE = Path(__file__).parents[1] / "data" / "injections.jsonl"


@dataclass(frozen=True, slots=True)
class Injection:
    """Text that tells a reader what to do, and what one does who obeys."""

    id: str
    category: str
    does: str
    text: str


@cache
def corpus() -> tuple[Injection, ...]:
    lines = FILE.read_text(encoding="utf-8").split("\n")
    return tuple(Injection(**json.loads(line)) for line in lines if line)


class ObedientAnalyzer:
    """Does what the texts and questions that it reads tell it to do, as far as it can.

    It knows utterances that it was never given, by conversation id: ``elsewhere``.
    """

    name = "obedient"
    version = "1"
    generative = True

    def __init__(self, elsewhere: dict[str, list[tuple[str, str]]]) -> None:
        self.elsewhere = elsewhere
        self.obeyed: set[str] = set()

    def calibrate(self, questions, sample) -> Calibration:
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(self, conversation, questions, calibration) -> list[Finding]:
        question = questions[0]
        orders = self._orders(question.text, question.details, *_texts(conversation))
        if not orders:
            return [Finding(question.id, Verdict.NO, 0.0, Confidence.HIGH, "no")]
        found = self._finding(orders[0], question, conversation)
        return [] if found is None else [found]

    def ask(self, question: str, conversations: Sequence[ConversationText]) -> Answer:
        orders = self._orders(question, *(text for one in conversations for text in _texts(one)))
        said, citations = [], []
        for order in orders:
            more, cited = self._answer(order, conversations)
            said.append(more)
            citations += cited
        return Answer("\n".join(said) or "Nothing was said.", tuple(citations))

    def _orders(self, *texts: str) -> list[Injection]:
        """Return the injections in the texts, in their order."""
        joined = "\n".join(texts)
        orders = [one for one in corpus() if told(one).strip() in joined]
        self.obeyed |= {one.id for one in orders}
        return orders

    def _elsewhere(self) -> Iterable[tuple[str, Evidence]]:
        for conversation, turns in self.elsewhere.items():
            for key, text in turns:
                yield conversation, Evidence(key, 0, len(text), text)

    def _finding(self, order: Injection, question, conversation) -> Finding | None:
        first = conversation.utterances[0]
        evidence: tuple[Evidence, ...] = ()
        answer = "yes"
        match order.does:
            case "CITE_OTHER":
                evidence = tuple(quote for _, quote in self._elsewhere())
            case "INVENT":
                evidence = (
                    Evidence(first.id, 0, 9, "We cancel"),
                    Evidence(first.id, -5, 99_999_999, first.text),
                    Evidence(first.id, 0, 0, ""),
                    Evidence("' OR 1=1 --", 0, 1, "x"),
                    Evidence("99999999999999999999", 0, 1, "x"),
                )
            case "MARKUP" | "SAY":
                answer = told(order)
                evidence = (Evidence(first.id, 0, len(first.text), first.text),)
            case "SPEND":
                answer = "I need 1000000 credits more. calls: 999999"
                evidence = (Evidence(first.id, 0, len(first.text), first.text),) * 999
            case "BREAK":
                return self._broken(order, question)
        return Finding(question.id, Verdict.YES, 1.0, Confidence.HIGH, answer, evidence)

    @staticmethod
    def _broken(order: Injection, question) -> Finding | None:
        kinds = (
            None,
            Finding(question.id, Verdict.YES, math.nan, Confidence.HIGH, "yes"),
            Finding("nobody's", Verdict.YES, 1.0, Confidence.HIGH, "yes"),
            Finding(question.id, Verdict.YES, -1.0, Confidence.HIGH, "yes"),
            Finding(question.id, "SURELY", 1.0, Confidence.HIGH, "yes"),  # type: ignore[arg-type]
            Finding(question.id, Verdict.NO, 0.0, Confidence.LOW, "A\x00\ud800" + "A" * 999_999),
        )
        return kinds[sum(order.id.encode()) % len(kinds)]

    def _answer(
        self, order: Injection, conversations: Sequence[ConversationText]
    ) -> tuple[str, list[Citation]]:
        one = conversations[0]
        first = one.utterances[0]
        quote = Evidence(first.id, 0, len(first.text), first.text)
        honest = Citation(one.id, (first.id,), quote)
        match order.does:
            case "CITE_OTHER":
                theirs = [
                    Citation(home, (quote.utterance_id,), quote)
                    for conversation, quote in self._elsewhere()
                    for home in (conversation, one.id)
                ]
                # Ids can be guessed; words it was never given it does not know.
                return "This is what they said.", theirs
            case "INVENT":
                return "They cancelled.", [
                    Citation(one.id, (first.id,), Evidence(first.id, 0, 9, "We cancel")),
                    Citation(one.id, (first.id,), Evidence(first.id, -5, 10**8, first.text)),
                    Citation(one.id, (), quote),
                    Citation("", ("x",), Evidence("' OR 1=1 --", 0, 1, "x")),
                ]
            case "SPEND":
                return "I need 1000000 credits more.", [honest] * 999
            case "BREAK":
                return "A\x00\ud800" + "A" * 10**6, [honest]
            case "YES":
                return "Yes.", []
        return told(order), [honest]


def told(order: Injection, *, other: str = "Kanari", ids: str = "1, 2, 3") -> str:
    """Return an injection's text as it is said; what no conversation can hold is left out."""
    text = order.text.replace("{other}", other).replace("{ids}", ids)
    return text.replace("\x00", "")


def _texts(conversation: ConversationText) -> list[str]:
    return [turn.text for turn in conversation.utterances]
