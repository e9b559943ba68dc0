"""What stands between the analyzer and the model: brakes, and a record of every request.

The analyzer holds no database. Whoever makes it gives it a gate, which knows for whom it works.
"""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from trackers.analyzers.llm.endpoint import Dialect, Mode


class Outcome(StrEnum):
    """How one request to the model ended."""

    OK = "OK"
    MODE_REFUSED = "MODE_REFUSED"
    MALFORMED = "MALFORMED"
    TRUNCATED = "TRUNCATED"
    TOO_LONG = "TOO_LONG"
    REFUSED = "REFUSED"
    RATE_LIMITED = "RATE_LIMITED"
    SERVER_ERROR = "SERVER_ERROR"
    TIMEOUT = "TIMEOUT"
    UNREACHABLE = "UNREACHABLE"
    REJECTED = "REJECTED"

    @property
    def is_outage(self) -> bool:
        """Tell whether the server itself is at fault, whatever it was asked."""
        return self in (
            Outcome.SERVER_ERROR,
            Outcome.TIMEOUT,
            Outcome.UNREACHABLE,
            Outcome.REJECTED,
        )


@dataclass(slots=True)
class Attempt:
    """One request as it goes on record: no word of what was asked or answered.

    Tokens are None until the server says what it counted; ``is_estimated`` where it never does.
    """

    outcome: Outcome | None = None
    tokens_in: int | None = None
    tokens_out: int | None = None
    is_estimated: bool = False
    request_id: str = ""
    retry_after_seconds: float | None = None


class Gate(Protocol):
    def dialect(self) -> Dialect | None:
        """Return how the server is spoken to; None while nobody found out."""
        ...

    def remember(self, dialect: Dialect) -> None:
        """Keep what was found out, for every process."""
        ...

    def attempt(
        self, *, tokens_in: int, tokens_out: int, mode: Mode
    ) -> AbstractContextManager[Attempt]:
        """Let one request through, and put it on record when the block ends.

        ``tokens_in`` is what it is estimated to send, ``tokens_out`` the most that may come back.

        :raises AnalyzerBusy: not now; nothing was sent.
        :raises AnalyzerRefused: a cap is reached; nothing was sent.
        """
        ...
