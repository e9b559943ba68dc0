"""Errors as clients of this API know them: ``{"requestId": …, "errors": ["One sentence."]}``."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from django.http import HttpRequest, HttpResponse
from rest_framework import exceptions

from credits import origins
from credits.api import answers, problems
from credits.api.problems import Problem

PREFIX = "/v2/"
CHALLENGE = 'Basic realm="Tallystick", Bearer realm="Tallystick"'
RETRY_SECONDS = 1
NO_KEY = "Send a key: “Authorization: Basic base64(access key:secret)”, or “Bearer <key>”."
# What the published schema has no status for. A client that waits for 429 waits for this, too.
_STATUSES = {
    problems.IDEMPOTENCY_IN_FLIGHT.code: 429,
    problems.IDEMPOTENCY_KEY_REUSED.code: 400,
    problems.IDEMPOTENCY_ANSWER_EXPIRED.code: 400,
    problems.MAX_CREDITS_EXCEEDED.code: 400,
}


class ErrorAnswer(HttpResponse):
    """An error in the shape of this API."""


class GongMiddleware:
    """Give every error below /v2/ the shape of this API, whoever answered it."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        is_ours = request.path_info.startswith(PREFIX)
        if is_ours and response.status_code >= 400 and not isinstance(response, ErrorAnswer):
            return of(_bare(response.status_code))
        return response


def of(problem: Problem, *, denied_status: int = 403) -> ErrorAnswer:
    """Return the problem as an answer. Nobody may keep it."""
    status = _STATUSES.get(problem.type.code, problem.status)
    if problem.type is problems.MISSING_SCOPE:
        status = denied_status
    body = {"requestId": origins.current().request_id, "errors": _sentences(problem)}
    headers = {"Cache-Control": "no-store"} | problem.headers
    if status == 401:
        headers["WWW-Authenticate"] = CHALLENGE
    if status == 429:
        headers.setdefault("Retry-After", str(RETRY_SECONDS))
    return ErrorAnswer(
        json.dumps(body), status=status, content_type="application/json", headers=headers
    )


def to_exception(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer what a view raised; None for what nobody expected, which the middleware answers."""
    view = context["view"]
    if isinstance(error, exceptions.NotAuthenticated):
        return of(Problem(problems.UNAUTHORIZED, NO_KEY))
    problem = answers.problem_of(error, view)
    return None if problem is None else of(problem, denied_status=view.denied_status)


def _bare(status: int) -> Problem:
    if status == 404:
        detail = "There is nothing at this address. The addresses there are: docs/gong-api.md."
        return Problem(problems.NOT_FOUND, detail)
    return problems.for_status(status)


def _sentences(problem: Problem) -> list[str]:
    errors = problem.extras.get("errors")
    if not errors:
        return [problem.detail]
    return [
        f"{one['name']}: {one['detail']}" if one["name"] else str(one["detail"]) for one in errors
    ]
