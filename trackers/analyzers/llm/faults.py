"""What one request gives: a completion, or a fault. Known without the extra being installed."""

from __future__ import annotations

from dataclasses import dataclass

from trackers.analyzers.llm.endpoint import Dialect
from trackers.analyzers.llm.gate import Outcome


class Fault(Exception):
    """A request that gave no answer; never shown as it is."""

    def __init__(
        self,
        outcome: Outcome,
        *,
        status: int | None = None,
        retry_after_seconds: float | None = None,
        request_id: str = "",
        wanted: Dialect | None = None,
        is_json: bool = False,
    ) -> None:
        super().__init__(outcome)
        self.outcome = outcome
        self.status = status
        self.retry_after_seconds = retry_after_seconds
        self.request_id = request_id
        # Another way to say the same, where the server asked for one.
        self.wanted = wanted
        # An object came, only not the one that was asked for: the dialect is not at fault.
        self.is_json = is_json


@dataclass(frozen=True, slots=True)
class Completion:
    """What came back. Token counts are None where the server does not give them."""

    content: str
    is_truncated: bool
    is_refused: bool
    tokens_in: int | None
    tokens_out: int | None
    request_id: str
