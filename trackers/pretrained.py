"""The shipped trackers: free, each with example phrases written by us (``pretrained.json``).

A tracker of a company names one by its code and copies its question, so codes stay for ever and a
question is never changed under its code. Examples may get better with an ``edition``; like those
a company adds, they never make anything payable.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from trackers.models import Side

FILE = Path(__file__).with_suffix(".json")


@dataclass(frozen=True, slots=True)
class Pretrained:
    """One shipped tracker; ``side`` is whose words its examples are."""

    code: str
    name: str
    question: str
    details: str
    side: Side
    reads_emails: bool
    examples: tuple[str, ...]
    counter_examples: tuple[str, ...]


def shipped() -> dict[str, Pretrained]:
    """Return the set by code, in the order in which it is offered."""
    return _loaded()[1]


def edition() -> int:
    """Return the number of the set, which counts up whenever an example changes."""
    return _loaded()[0]


def examples_of(code: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the examples and counter-examples of a shipped tracker; none of an unknown one."""
    found = shipped().get(code)
    return ((), ()) if found is None else (found.examples, found.counter_examples)


@cache
def _loaded() -> tuple[int, dict[str, Pretrained]]:
    content: dict[str, Any] = json.loads(FILE.read_text(encoding="utf-8"))
    found = {
        one["code"]: Pretrained(
            code=one["code"],
            name=one["name"],
            question=one["question"],
            details=one["details"],
            side=Side(one["side"]),
            reads_emails="email" in one["kinds"],
            examples=tuple(one["examples"]),
            counter_examples=tuple(one["counter_examples"]),
        )
        for one in content["trackers"]
    }
    return content["edition"], found
