"""Writes: each needs an Idempotency-Key, and is done once however often it is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
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
CREATED = 201
NO_CONTENT = 204


def parameters(status: int) -> list[OpenApiParameter]:
    """Describe the headers of a write that answers with ``status``."""
    described = [
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
            response=[status],
            description="“true” when this is the answer to an earlier request with the key.",
        ),
    ]
    if status == CREATED:
        described.append(
            OpenApiParameter(
                "Location",
                str,
                OpenApiParameter.HEADER,
                response=[CREATED],
                description="The address of what was made.",
            )
        )
    return described


PARAMETERS = parameters(CREATED)


def once(
    view: ApiView,
    *,
    operation: str,
    body: type[serializers.Serializer[Any]],
    act: Callable[[dict[str, Any]], Answer],
    about: Mapping[str, Any] | None = None,
) -> HttpResponse:
    """Read the body, run ``act`` on its values unless the key was used, and answer.

    ``about`` is what a request says outside its body, such as the row that its address names: the
    same key with another one is another request.

    :raises Problem: for a key that is missing, in use, or of another request.
    """
    key, values = read(view, body=body, about=about)
    with refused():
        answer = idempotency.once(
            company=view.company,
            operation=operation,
            key=key,
            now=timezone.now(),
            act=lambda: act(values),
        )
    headers = {"Cache-Control": "no-store"}
    if answer.status == CREATED:
        headers["Location"] = answer.location
    if answer.is_replay:
        headers["Idempotent-Replayed"] = "true"
    if answer.status == NO_CONTENT:
        return HttpResponse(status=NO_CONTENT, headers=headers)
    return HttpResponse(
        answer.text, status=answer.status, content_type="application/json", headers=headers
    )


def read(
    view: ApiView,
    *,
    body: type[serializers.Serializer[Any]],
    about: Mapping[str, Any] | None = None,
) -> tuple[Key, dict[str, Any]]:
    """Return the key of a request and the values of its body, which the key is of.

    ``about`` as in ``once``.

    :raises Problem: for a key that is missing or cannot be kept, and a body that is wrong.
    """
    text = key_text(view)
    values = reading.body(body, view.request.data)
    # What the body says counts, not how it says it: “1” and “1.0” credits are the same request.
    said = {name: _said(value) for name, value in values.items()}
    return Key.of(text, body=said, **({"about": dict(about)} if about else {})), values


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


def key_text(view: ApiView) -> str:
    """Return the key that a request brought.

    :raises Problem: it brought none, or one that cannot be kept.
    """
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
