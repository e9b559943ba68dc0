"""One request to the model: sent once, bounded in time and size, its faults told apart."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from time import time
from typing import Any

import httpx2 as httpx
import openai

from trackers.analyzers.llm.bounded import Bounded, TooMuch
from trackers.analyzers.llm.endpoint import Dialect, Endpoint, Mode
from trackers.analyzers.llm.faults import Completion, Fault
from trackers.analyzers.llm.gate import Outcome
from trackers.analyzers.llm.prompts import Prompt

CONNECT_SECONDS = 5.0
REQUEST_ID_LENGTH_MAX = 200
RETRY_AFTER_SECONDS_MAX = 3600.0
# More than any model reads or writes at once: a count above it is none.
TOKENS_MAX = 10_000_000
NAME = "tallystick"
_TOO_LONG = re.compile(
    r"context.?(length|window|size)|maximum context|maximum number of tokens|too many tokens"
    r"|(prompt|input) is too (long|large)|reduce the length",
    re.I,
)
# Alone more than the server takes in a minute: waiting never helps.
_TOO_LARGE = re.compile(r"request too large|reduce your message size", re.I)
_FORM = re.compile(r"response.?format|json.?schema|json.?object|grammar|structured", re.I)
_NO_ID = re.compile(r"[^A-Za-z0-9._:/-]")
# A server that takes a form of answer at all says these to one it does not take.
_MODE_STATUSES = {400, 404, 415, 422, 500, 501}
# What comes of reading a 200 that is not what the protocol says; nested too deep, too.
_NOT_THE_PROTOCOL = (
    openai.OpenAIError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    RecursionError,
)


class Client:
    """Speaks to one endpoint. Nothing is sent twice by itself, and no redirect is followed."""

    def __init__(self, endpoint: Endpoint) -> None:
        self.endpoint = endpoint
        timeout = httpx.Timeout(endpoint.timeout_seconds, connect=CONNECT_SECONDS)
        self._http = httpx.Client(
            timeout=timeout,
            follow_redirects=False,
            # Neither proxies nor credentials of this process's environment.
            trust_env=False,
            transport=Bounded(endpoint.timeout_seconds, endpoint.certificates),
        )
        self._sdk = openai.OpenAI(
            base_url=endpoint.base_url,
            # The SDK insists on one; servers that want none ignore it.
            api_key=endpoint.key or "none",
            organization="",
            project="",
            max_retries=0,
            timeout=timeout,
            # Packed, a small answer could be a very large one.
            default_headers={"User-Agent": NAME, "Accept-Encoding": "identity"},
            http_client=self._http,
        )

    def close(self) -> None:
        """Give up the connections that are kept open."""
        self._http.close()

    def complete(self, prompt: Prompt, dialect: Dialect) -> Completion:
        """Send one request and return what the model wrote.

        :raises Fault: there is no answer; says whose fault that is.
        """
        try:
            answer = self._sdk.chat.completions.create(**self._body(prompt, dialect))
            return _completion(answer)
        except openai.APITimeoutError as error:
            raise Fault(Outcome.TIMEOUT) from error
        except openai.APIStatusError as error:
            raise _status_fault(error, dialect) from error
        except (openai.APIConnectionError, TooMuch, httpx.HTTPError) as error:
            raise Fault(_network_outcome(error)) from error
        except _NOT_THE_PROTOCOL as error:
            raise Fault(Outcome.MALFORMED) from error

    def _body(self, prompt: Prompt, dialect: Dialect) -> dict[str, Any]:
        name = "max_completion_tokens" if dialect.has_completion_tokens else "max_tokens"
        body: dict[str, Any] = {
            "model": self.endpoint.model,
            "messages": prompt.messages(dialect.mode),
            name: self.endpoint.answer_tokens,
        }
        if dialect.has_temperature:
            body["temperature"] = 0
        match dialect.mode:
            case Mode.JSON_SCHEMA:
                schema = {"name": "answer", "strict": True, "schema": prompt.strict}
                body["response_format"] = {"type": "json_schema", "json_schema": schema}
            case Mode.JSON_OBJECT:
                # The schema is an extension that some servers hold to, and others pass over.
                body["response_format"] = {"type": "json_object", "schema": prompt.bounded}
        return body


def _completion(answer: Any) -> Completion:
    choice = answer.choices[0]
    content, refusal = choice.message.content, getattr(choice.message, "refusal", None)
    reason = choice.finish_reason
    return Completion(
        content=content if isinstance(content, str) else "",
        is_truncated=reason == "length",
        is_refused=bool(refusal) or reason == "content_filter",
        tokens_in=_count(answer.usage, "prompt_tokens"),
        tokens_out=_count(answer.usage, "completion_tokens"),
        request_id=_short(getattr(answer, "_request_id", None) or answer.id),
    )


def _count(usage: Any, name: str) -> int | None:
    """Return what a server counted; None for what cannot be a count, as 0 of what was sent."""
    value = getattr(usage, name, None)
    return value if isinstance(value, int) and 0 < value <= TOKENS_MAX else None


def _status_fault(error: openai.APIStatusError, dialect: Dialect) -> Fault:
    status, said = error.status_code, _said(error)
    request_id = _short(error.response.headers.get("x-request-id"))
    is_too_long = status in (400, 422, 500) and _TOO_LONG.search(said)
    if status == 413 or is_too_long or (status == 429 and _TOO_LARGE.search(said)):
        return Fault(Outcome.TOO_LONG, status=status, request_id=request_id)
    if status == 429:
        after = _retry_after(error.response.headers)
        return Fault(
            Outcome.RATE_LIMITED, status=status, retry_after_seconds=after, request_id=request_id
        )
    if (wanted := _wanted(status, said, dialect)) is not None:
        return Fault(Outcome.MODE_REFUSED, status=status, request_id=request_id, wanted=wanted)
    if status in _MODE_STATUSES and dialect.mode is not Mode.PROMPT and _FORM.search(said):
        return Fault(Outcome.MODE_REFUSED, status=status, request_id=request_id)
    if status >= 500:
        return Fault(Outcome.SERVER_ERROR, status=status, request_id=request_id)
    return Fault(Outcome.REJECTED, status=status, request_id=request_id)


def _wanted(status: int, said: str, dialect: Dialect) -> Dialect | None:
    """Return how the server wants to be told what it did not understand."""
    if status != 400:
        return None
    if "max_completion_tokens" in said and not dialect.has_completion_tokens:
        return Dialect(dialect.mode, True, dialect.has_temperature)
    if "temperature" in said and dialect.has_temperature:
        return Dialect(dialect.mode, dialect.has_completion_tokens, False)
    return None


def _said(error: openai.APIStatusError) -> str:
    """Return what the server says about an error, to be searched and never shown."""
    return f"{error.message} {error.code or ''} {error.body!r}"[:10_000]


def _retry_after(headers: Mapping[str, str]) -> float | None:
    """Return the seconds that a server asks to wait, as a number or a date."""
    text = headers.get("retry-after", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - time()
        except (ValueError, TypeError, OverflowError):
            return None
    # Not a number is neither.
    return min(max(seconds, 0.0), RETRY_AFTER_SECONDS_MAX) if seconds == seconds else None


def _network_outcome(error: BaseException) -> Outcome:
    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, TooMuch):
            return Outcome.MALFORMED
        if isinstance(cause, (httpx.TimeoutException, openai.APITimeoutError)):
            return Outcome.TIMEOUT
        cause = cause.__cause__ or cause.__context__
    return Outcome.UNREACHABLE


def _short(text: Any) -> str:
    """Return an id as it can be stored: no id has other characters."""
    return _NO_ID.sub("", str(text or ""))[:REQUEST_ID_LENGTH_MAX]
