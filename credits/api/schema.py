"""The OpenAPI document: what REST framework's views declare, plus the problems each may answer."""

from __future__ import annotations

from typing import Any

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.utils import (
    Direction,
    OpenApiExample,
    OpenApiResponse,
    PolymorphicProxySerializer,
)
from rest_framework import serializers

from credits.api import answers, problems
from credits.api.problems import ProblemType

ALWAYS = (
    problems.UNKNOWN_PARAMETER,
    problems.UNAUTHORIZED,
    problems.MISSING_SCOPE,
    problems.NOT_ACCEPTABLE,
    problems.RATE_LIMITED,
    problems.INTERNAL_ERROR,
    problems.UNAVAILABLE,
)
ON_WRITES = (
    problems.INVALID_BODY,
    problems.UNKNOWN_FIELD,
    problems.IDEMPOTENCY_KEY_MISSING,
    problems.IDEMPOTENCY_KEY_INVALID,
    problems.IDEMPOTENCY_IN_FLIGHT,
    problems.IDEMPOTENCY_ANSWER_EXPIRED,
    problems.PAYLOAD_TOO_LARGE,
    problems.UNSUPPORTED_MEDIA_TYPE,
    problems.IDEMPOTENCY_KEY_REUSED,
)
EXAMPLE_REQUEST_ID = "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"
EXAMPLE_HOST = "https://credits.example.com"
# Two codes share a status here, and a status has one answer in OpenAPI: they are its examples.
_HEADERS: dict[int, dict[str, str]] = {
    401: {"WWW-Authenticate": "How to authenticate."},
    409: {"Retry-After": "Seconds to wait, while the first request is under way."},
    429: {"Retry-After": "Seconds to wait."},
    503: {"Retry-After": "Seconds to wait."},
}

PATH_PARAMETERS = {
    "id": "The id of the row, as a list gives it; one of another company is not found.",
    "sequence": "The number of the ledger entry, which counts your company's own.",
}
PROBLEM_SCHEMA: dict[str, Any] = {
    "type": "object",
    "description": "RFC 9457. Compare `code`; show `detail` to people.",
    "properties": {
        "type": {
            "type": "string",
            "format": "uri-reference",
            "description": "The page that explains this type.",
        },
        "title": {"type": "string", "description": "The type in a few words."},
        "status": {"type": "integer", "description": "The HTTP status."},
        "detail": {"type": "string", "description": "What happened, and what to do now."},
        "code": {"type": "string", "description": "Stable; one for each type."},
        "request_id": {
            "type": "string",
            "pattern": "^[A-Za-z0-9._-]{8,64}$",
            "description": "Also in the header X-Request-Id, and in the log of this site.",
        },
        "instance": {"type": "string", "description": "This very occurrence."},
        "errors": {
            "type": "array",
            "description": "What is wrong with a request, name by name.",
            "items": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "detail": {"type": "string"}},
                "required": ["name", "detail"],
            },
        },
    },
    "required": ["type", "title", "status", "detail", "code", "request_id", "instance"],
}


class ApiSchema(AutoSchema):
    """Adds to each operation the problems it may answer, each with an example."""

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        bodies = super()._get_response_bodies(direction)
        raised = _raised(self.view, self.method)
        for status in sorted({one.status for one in raised}):
            bodies[str(status)] = _response([one for one in raised if one.status == status])
        return bodies


def example(problem_type: ProblemType) -> dict[str, Any]:
    """Return a problem of the type as a client may see it."""
    return {
        "type": f"{EXAMPLE_HOST}/docs/problems/{problem_type.slug}",
        "title": problem_type.title,
        "status": problem_type.status,
        "detail": problem_type.detail,
        "code": problem_type.code,
        "request_id": EXAMPLE_REQUEST_ID,
        "instance": f"/requests/{EXAMPLE_REQUEST_ID}",
    } | {name: one.example for name, one in problem_type.extras.items() if one.is_always_there}


def answered(
    output: type[serializers.Serializer[Any]] | PolymorphicProxySerializer,
    description: str,
    **examples: Any,
) -> OpenApiResponse:
    """Describe a good answer, with its examples by name."""
    return OpenApiResponse(
        output,
        description=description,
        examples=[
            OpenApiExample(name.replace("_", " "), value=value) for name, value in examples.items()
        ],
    )


def _raised(view: Any, method: str) -> list[ProblemType]:
    own = getattr(view, "raises", ())
    if method == "GET":
        return [*ALWAYS, *own]
    return [*ALWAYS, *own, *getattr(view, "raises_on_writes", ()), *ON_WRITES]


def _response(types: list[ProblemType]) -> dict[str, Any]:
    status = types[0].status
    response: dict[str, Any] = {
        "description": "; ".join(one.title for one in types) + ".",
        "content": {
            answers.CONTENT_TYPE: {
                "schema": {"$ref": "#/components/schemas/Problem"},
                "examples": {
                    one.code: {"summary": one.title, "value": example(one)} for one in types
                },
            }
        },
    }
    if headers := _HEADERS.get(status):
        response["headers"] = {
            name: {"description": text, "schema": {"type": "string"}}
            for name, text in headers.items()
        }
    return response


def add_problem(result: Any, **kwargs: Any) -> Any:
    """Add the shape that all errors have, and what the parameters of paths are.

    One of drf-spectacular's post-processing hooks.
    """
    result["components"]["schemas"]["Problem"] = PROBLEM_SCHEMA
    for methods in result["paths"].values():
        for operation in methods.values():
            for parameter in operation.get("parameters", ()):
                if parameter["in"] == "path":
                    parameter.setdefault("description", PATH_PARAMETERS[parameter["name"]])
    return result
