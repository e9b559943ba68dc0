"""Turn what went wrong into an answer, wherever it went wrong: in a view, before, or around it."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any

from django.conf import settings
from django.core.exceptions import DisallowedHost, RequestDataTooBig
from django.db import OperationalError
from django.http import Http404, HttpRequest, HttpResponse
from django.urls import reverse
from django.utils import timezone
from rest_framework import exceptions

from credits import amounts, limits, origins
from credits.api import problems
from credits.api.fields import instant_text, shortened
from credits.api.problems import Problem
from credits.ledger import InsufficientCredits
from credits.limits import LimitReached
from credits.rate_limits import PER_DAY, RateLimited

logger = logging.getLogger(__name__)

PREFIX = "/api/"
CONTENT_TYPE = "application/problem+json"
RETRY_SECONDS = 5
POOL = "company_pool"
CHALLENGE = 'Bearer realm="Tallystick"'


class ApiMiddleware:
    """Make every error below /api/ a problem.

    Stands outside all others but the one that gives requests their ids, so that what Django
    answers by itself comes by here: an unknown address, an unknown host, a body too large, a
    failure.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        response = self.get_response(request)
        is_problem = response.headers.get("Content-Type") == CONTENT_TYPE
        if response.status_code >= 400 and not is_problem:
            response = of(request, problems.for_status(response.status_code))
        return response


def of(request: HttpRequest, problem: Problem) -> HttpResponse:
    """Return the problem as an answer. Nobody may keep it."""
    request_id = origins.current().request_id
    body: dict[str, Any] = {
        "type": type_address(request, problem.type),
        "title": problem.type.title,
        "status": problem.status,
        "detail": problem.detail,
        "code": problem.type.code,
        "request_id": request_id,
        "instance": f"/requests/{request_id}",
    }
    # Plain ASCII: a name that a client sent may hold half a character, which UTF-8 cannot write.
    if problem.type is problems.INSUFFICIENT_CREDITS:
        body |= where_to_go()
    text = json.dumps(body | problem.extras)
    headers = {"Cache-Control": "no-store"} | problem.headers
    return HttpResponse(text, status=problem.status, content_type=CONTENT_TYPE, headers=headers)


def where_to_go() -> dict[str, str]:
    """Return what a refusal for want of credits adds: as of when, and where a person looks."""
    return {
        "as_of": instant_text(timezone.now()),
        "manage_url": settings.PUBLIC_URL + reverse("admin:index"),
    }


def type_address(request: HttpRequest, problem_type: problems.ProblemType) -> str:
    """Return the address of a problem type's page on the site that the client asked."""
    path = reverse("problem", args=[problem_type.slug])
    try:
        return request.build_absolute_uri(path)
    except DisallowedHost:
        return path  # The client asked for a host name that is not ours.


def to_exception(error: Exception, context: dict[str, Any]) -> HttpResponse | None:
    """Answer what a view raised; None for what nobody expected, which Django logs and answers.

    This is REST framework's EXCEPTION_HANDLER.
    """
    request: HttpRequest = context["request"]._request
    problem = problem_of(error, context["view"])
    return None if problem is None else of(request, problem)


def problem_of(error: Exception, view: Any) -> Problem | None:
    """Return the problem that an error of a view is; None for what nobody expected."""
    match error:
        case Problem():
            return error
        case RateLimited() | InsufficientCredits():
            return _refused(error)
        case exceptions.NotAuthenticated() | exceptions.AuthenticationFailed():
            return Problem(
                problems.UNAUTHORIZED, str(error.detail), headers={"WWW-Authenticate": CHALLENGE}
            )
        case Http404() | exceptions.NotFound():
            return problems.for_status(404)
        case exceptions.MethodNotAllowed():
            allowed = ", ".join(view.allowed_methods)
            return Problem(
                problems.METHOD_NOT_ALLOWED,
                f"This address takes {allowed} only.",
                headers={"Allow": allowed},
            )
        case exceptions.UnsupportedMediaType():
            return Problem(problems.UNSUPPORTED_MEDIA_TYPE, _not_read(view.request.headers))
        case exceptions.NotAcceptable():
            return problems.for_status(406)
        case RequestDataTooBig():
            return problems.for_status(413)
        case OperationalError():
            logger.exception("The database did not answer.", exc_info=error)
            return Problem(
                problems.UNAVAILABLE,
                problems.UNAVAILABLE.detail,
                headers={"Retry-After": str(RETRY_SECONDS)},
            )
    return None


def _refused(error: RateLimited | InsufficientCredits) -> Problem:
    return rate_limited(error) if isinstance(error, RateLimited) else out_of_credits(error)


def out_of_credits(error: InsufficientCredits) -> Problem:
    """Say what was needed and what stopped it: the pool, or the limit with its figures."""
    extras: dict[str, Any] = {
        "required": amounts.text(error.required),
        "available": amounts.text(error.available),
        "shortfall": amounts.text(error.shortfall),
        "limit_source": POOL,
    }
    if isinstance(error, LimitReached):
        extras["limit_source"] = limits.source_of(error.limit)
        extras["limit"] = {
            "id": str(error.limit.pk),
            "name": error.limit.name,
            "window": error.limit.window,
            "credits": amounts.text(error.limit.credits),
            "window_ends_at": instant_text(error.until),
        }
        return Problem(problems.INSUFFICIENT_CREDITS, str(error), **extras)
    detail = (
        f"This needs {amounts.grouped(error.required)} credits and "
        f"{amounts.grouped(error.available)} are available."
    )
    return Problem(problems.INSUFFICIENT_CREDITS, detail, **extras)


def _not_read(headers: Mapping[str, str]) -> str:
    """Say what of a body's headers is the reason that it is not read."""
    coding = headers.get("Content-Encoding", "identity")
    if coding != "identity":
        return f"Send the body uncompressed, not as {shortened(coding)}."
    sent = headers.get("Content-Type", "")
    if not sent:
        return "Send the body with “Content-Type: application/json”; it came without a type."
    return f"Send the body as application/json, not as {shortened(sent)}."


def rate_limited(error: RateLimited) -> Problem:
    """Return the problem for a request too many: which limit, and when to try again."""
    span = "a day" if error.limit == PER_DAY else "any second"
    wait = f"{error.retry_seconds:,} second{'' if error.retry_seconds == 1 else 's'}"
    return Problem(
        problems.RATE_LIMITED,
        f"Your company may make {error.count_max:,} {error.noun} in {span}. Try again in {wait}.",
        headers={"Retry-After": str(error.retry_seconds)},
        limit=error.limit,
        limit_count=error.count_max,
    )
