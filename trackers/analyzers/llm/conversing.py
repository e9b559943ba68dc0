"""Get one answer in the right form: find out how the server is spoken to, and bear its faults.

Each fault has one consequence (MODEL): a rate limit and an outage are for whoever asked to try
again later, an answer cut off or a text too long is asked again in smaller pieces, a malformed
answer is asked for once more, a refusal is final. None of them is ever an answer.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from typing import Any, NoReturn, Protocol

from trackers.analyzers.base import AnalyzerBusy, AnalyzerFailed, AnalyzerRefused
from trackers.analyzers.llm import transcripts
from trackers.analyzers.llm.endpoint import Dialect, Endpoint
from trackers.analyzers.llm.faults import Completion, Fault
from trackers.analyzers.llm.gate import Attempt, Gate, Outcome
from trackers.analyzers.llm.prompts import Prompt

# Looked at in one answer.
OBJECTS_MAX = 100
_DECODER = json.JSONDecoder(parse_constant=lambda _: None)
# Of one question, before its dialect is known: each step once, with room to spare.
STEPS_MAX = 8
RATE_LIMITED_SECONDS = 30.0  # Where the server does not say how long.
# Where somebody waits for the answer: how long until the same is asked again after an outage.
PATIENCE_SECONDS = (0.5, 1.5)

Check = Callable[[dict[str, Any]], bool]


class Asks(Protocol):
    """What sends one request: the client of an endpoint."""

    endpoint: Endpoint

    def complete(self, prompt: Prompt, dialect: Dialect) -> Completion:
        """Send one request and return what the model wrote.

        :raises Fault: there is no answer.
        """
        ...


class TooMuch(Exception):
    """Too much at once: the text does not fit, or the answer did not."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__(outcome)
        self.outcome = outcome


class Malformed(Exception):
    """Twice the answer was not in the form that was asked for."""


class Conversing:
    """Asks one endpoint through a gate. ``patience_seconds`` are the pauses after an outage."""

    def __init__(
        self,
        client: Asks,
        gate: Gate,
        *,
        patience_seconds: tuple[float, ...] = (),
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self.client = client
        self.gate = gate
        self._patience_seconds = patience_seconds
        self._sleep = sleep

    def answer(self, prompt: Prompt, check: Check) -> dict[str, Any]:
        """Return the model's answer as the object it is, once ``check`` finds its form right.

        :raises TooMuch: ask for less at once.
        :raises Malformed: twice it was not in the form that was asked for.
        :raises AnalyzerFailed: there is no answer, and why.
        """
        known = self.gate.dialect()
        dialect = known or Dialect()
        malformed, pauses = 0, list(self._patience_seconds)
        for _ in range(STEPS_MAX + len(pauses)):
            try:
                found = self._once(prompt, dialect, check, is_probe=known is None)
            except Fault as fault:
                if (other := _another(dialect, fault)) is not None:
                    dialect = other
                    continue
                if fault.outcome is Outcome.MALFORMED:
                    malformed += 1
                    if malformed == 2:
                        raise Malformed from fault
                    if fault.is_json and dialect != known:
                        self.gate.remember(dialect)
                        known = dialect
                    laxer = dialect.mode.laxer
                    if known is None and laxer is not None:
                        dialect = replace(dialect, mode=laxer)
                    continue
                if fault.outcome is Outcome.SERVER_ERROR and pauses:
                    self._sleep(pauses.pop(0))
                    continue
                self._give_up(fault)
            if dialect != known:
                self.gate.remember(dialect)
            return found
        raise Malformed

    def _once(
        self, prompt: Prompt, dialect: Dialect, check: Check, *, is_probe: bool
    ) -> dict[str, Any]:
        """Send one request; it is on record with its outcome, whatever that is."""
        most = self.client.endpoint.answer_tokens
        with self.gate.attempt(
            tokens_in=prompt.tokens, tokens_out=most, mode=dialect.mode
        ) as attempt:
            try:
                completion = self.client.complete(prompt, dialect)
                found = _read(completion, check, attempt)
            except Fault as fault:
                if is_probe and _may_be_about_the_form(fault, dialect):
                    fault.outcome = Outcome.MODE_REFUSED
                attempt.outcome = fault.outcome
                attempt.request_id = attempt.request_id or fault.request_id
                attempt.retry_after_seconds = fault.retry_after_seconds
                raise
            attempt.outcome = Outcome.OK
        return found

    def _give_up(self, fault: Fault) -> NoReturn:
        status = f" ({fault.status})" if fault.status else ""
        match fault.outcome:
            case Outcome.TOO_LONG | Outcome.TRUNCATED:
                raise TooMuch(fault.outcome) from fault
            case Outcome.RATE_LIMITED:
                after = fault.retry_after_seconds
                seconds = RATE_LIMITED_SECONDS if after is None else after
                raise AnalyzerBusy(
                    "The language model is asked too often just now.",
                    retry_after=timedelta(seconds=seconds),
                ) from fault
            case Outcome.REFUSED:
                raise AnalyzerRefused("The language model declined to answer.") from fault
            case Outcome.TIMEOUT:
                seconds = self.client.endpoint.timeout_seconds
                raise AnalyzerFailed(
                    f"The language model did not answer within {seconds} seconds."
                ) from fault
            case Outcome.UNREACHABLE:
                raise AnalyzerFailed("The language model could not be reached.") from fault
            case Outcome.SERVER_ERROR:
                raise AnalyzerFailed(
                    f"The language model answered with an error{status}."
                ) from fault
            case _:
                raise AnalyzerFailed(
                    f"The language model's server refused the request{status}; whoever runs this "
                    "site can test the connection."
                ) from fault


def _may_be_about_the_form(fault: Fault, dialect: Dialect) -> bool:
    """Tell whether an answer may mean that the server does not take this form of answer.

    A refusal may, whatever its words. An error of 500 says nothing of the form, unless its words
    do, which the client has read by then: it comes of an outage just as well.
    """
    if dialect.mode.laxer is None:
        return False
    is_refused = fault.outcome is Outcome.REJECTED and fault.status in (400, 422)
    # Not implemented: that is no outage, though it counts among the errors.
    return is_refused or fault.status == 501


def _another(dialect: Dialect, fault: Fault) -> Dialect | None:
    """Return the next dialect to try where the server did not understand this one."""
    if fault.outcome is not Outcome.MODE_REFUSED:
        return None
    if fault.wanted is not None:
        return fault.wanted
    laxer = dialect.mode.laxer
    return None if laxer is None else replace(dialect, mode=laxer)


def _read(completion: Completion, check: Check, attempt: Attempt) -> dict[str, Any]:
    """Note what was used, then return the object that was answered.

    :raises Fault: there is none.
    """
    attempt.tokens_in, attempt.tokens_out = completion.tokens_in, completion.tokens_out
    attempt.request_id = completion.request_id
    if attempt.tokens_out is None:
        attempt.tokens_out = transcripts.estimated_tokens(completion.content)
        attempt.is_estimated = True
    if attempt.tokens_in is None:
        attempt.is_estimated = True  # The gate keeps the estimate it was given.
    if completion.is_refused:
        raise Fault(Outcome.REFUSED)
    if completion.is_truncated:
        raise Fault(Outcome.TRUNCATED)
    objects = dict(_objects_in(completion.content))
    # A model that thinks aloud may write down others before the one it means.
    found = next((one for one in reversed(objects.values()) if check(one)), None)
    if found is None:
        is_json = completion.content.find("{") in objects
        raise Fault(Outcome.MALFORMED, is_json=is_json)
    return found


def _objects_in(content: str) -> Iterator[tuple[int, dict[str, Any]]]:
    """Return the JSON objects of an answer and where each begins, whatever stands around them."""
    place = content.find("{")
    for _ in range(OBJECTS_MAX):
        if place < 0:
            return
        try:
            found, end = _DECODER.raw_decode(content, place)
        except (ValueError, RecursionError):
            end = place + 1
        else:
            yield place, found
        place = content.find("{", end)
