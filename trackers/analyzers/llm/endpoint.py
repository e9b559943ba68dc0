"""Where the language model is, how it is spoken to, and what it may use."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An OpenAI-compatible server and one of its models, as the operator set them.

    ``certificates`` in PEM are the only ones that may vouch for the server; empty for the system's.
    """

    base_url: str
    model: str
    key: str = field(default="", repr=False)
    certificates: str = field(default="", repr=False)
    timeout_seconds: int = 60
    concurrency: int = 4
    chunk_tokens: int = 6_000
    answer_tokens: int = 1_500
    run_tokens: int = 2_000_000
    day_tokens: int = 5_000_000

    @property
    def digest(self) -> str:
        """Name the server and the model; not the key."""
        return hashlib.sha256(f"{self.base_url}\n{self.model}".encode()).hexdigest()


class Mode(StrEnum):
    """How the model is held to a form of answer, the strictest first."""

    JSON_SCHEMA = "JSON_SCHEMA"
    JSON_OBJECT = "JSON_OBJECT"
    PROMPT = "PROMPT"

    @property
    def laxer(self) -> Mode | None:
        """Return the next one to try where a server does not take this one."""
        order = list(Mode)
        place = order.index(self) + 1
        return order[place] if place < len(order) else None


@dataclass(frozen=True, slots=True)
class Dialect:
    """What of the protocol a server takes: found out once, remembered for all processes.

    Newer models want ``max_completion_tokens`` for ``max_tokens``, or take no ``temperature``.
    """

    mode: Mode = Mode.JSON_SCHEMA
    has_completion_tokens: bool = False
    has_temperature: bool = True
