"""Writes: each needs an Idempotency-Key, and is done once however often it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

from django.http import HttpResponse
from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers

from credits import amounts, idempotency
from credits.api import problems, reading
from credits.api.problems import Problem
from credits.api.views import ApiView
from credits.idempotency import Answer
from credits.ledger import KEY_LENGTH_MAX, IdempotencyConflict, Key

HEADER = "Idempotency-Key"
RETRY_SECONDS = 1

PARAMETERS = [
    OpenApiParameter(
        HEADER,
        str,
        OpenApiParameter.HEADER,
        required=True,
        description="1 to 255 printable characters of your own choosing: new for each new "
        "request, the same when you repeat one.",
    ),
    OpenApiParameter(
        "Idempotent-Replayed",
        str,
        OpenApiParameter.HEADER,
        response=[201],
        description="“true” when this is the answer to an earlier request with the key.",
    ),
    OpenApiParameter(
        "Location",
        str,
        OpenApiParameter.HEADER,
        response=[201],
        description="The address of what was made.",
    ),
]


def once(
    view: ApiView,
    *,
    operation: str,
    body: type[serializers.Serializer[Any]],
    act: Callable[[dict[str, Any]], Answer],
) -> HttpResponse:
    """Read the body, run ``act`` on its values unless the key was used, and answer.

    :raises Problem: for a key that is missing, in use, or of another request.
    """
    key, values = read(view, body=body)
    with refused():
        answer = idempotency.once(
            company=view.company,
            operation=operation,
            key=key,
            now=timezone.now(),
            act=lambda: act(values),
        )
    headers = {"Location": answer.location, "Cache-Control": "no-store"}
    if answer.is_replay:
        headers["Idempotent-Replayed"] = "true"
    return HttpResponse(
        answer.text, status=answer.status, content_type="application/json", headers=headers
    )


def read(view: ApiView, *, body: type[serializers.Serializer[Any]]) -> tuple[Key, dict[str, Any]]:
    """Return the key of a request and the values of its body, which the key is of.

    :raises Problem: for a key that is missing or cannot be kept, and a body that is wrong.
    """
    text = _key(view)
    values = reading.body(body, view.request.data)
    # What the body says counts, not how it says it: “1” and “1.0” credits are the same request.
    return Key.of(text, body={name: _said(value) for name, value in values.items()}), values


@contextmanager
def refused() -> Iterator[None]:
    """Answer a key that is in use or of another request with its problem."""
    try:
        yield
    except idempotency.InFlight as error:
        raise Problem(
            problems.IDEMPOTENCY_IN_FLIGHT,
            problems.IDEMPOTENCY_IN_FLIGHT.detail,
            headers={"Retry-After": str(RETRY_SECONDS)},
        ) from error
    except IdempotencyConflict as error:
        raise Problem(
            problems.IDEMPOTENCY_KEY_REUSED, problems.IDEMPOTENCY_KEY_REUSED.detail
        ) from error
    except idempotency.AnswerExpired as error:
        raise Problem(
            problems.IDEMPOTENCY_ANSWER_EXPIRED,
            problems.IDEMPOTENCY_ANSWER_EXPIRED.detail,
            result_id=str(error.result_ref),
        ) from error


def _said(value: Any) -> Any:
    return amounts.text(value) if isinstance(value, Decimal) else value


def text_of(data: Any) -> str:
    """Return an answer's body as it is sent and kept."""
    return json.dumps(data, ensure_ascii=False)


def _key(view: ApiView) -> str:
    text = view.request.headers.get(HEADER, "")
    if not text:
        raise Problem(problems.IDEMPOTENCY_KEY_MISSING, problems.IDEMPOTENCY_KEY_MISSING.detail)
    if len(text) > KEY_LENGTH_MAX:
        raise Problem(
            problems.IDEMPOTENCY_KEY_INVALID,
            f"An Idempotency-Key has at most {KEY_LENGTH_MAX} characters; this one has "
            f"{len(text):,}.",
        )
    if not text.isprintable():
        raise Problem(
            problems.IDEMPOTENCY_KEY_INVALID,
            "An Idempotency-Key has printable characters only, such as a random UUID.",
        )
    return text
