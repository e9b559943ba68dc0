"""Read what a request says, all of it: whatever the operation does not know is refused by name."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import IO, Any

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.parsers import BaseParser

from credits.api import problems
from credits.api.fields import shortened
from credits.api.problems import Problem

BODY_BYTES_MAX = 64 * 1024
ERRORS_MAX = 20

Errors = list[dict[str, str]]


class Parameters(serializers.Serializer[Any]):
    """The parameters of an operation's address; this one takes none."""


class JsonParser(BaseParser):
    """Reads a JSON object of a bounded size. Compressed bodies are refused: they know no bound."""

    media_type = "application/json"
    bytes_max = BODY_BYTES_MAX

    def parse(
        self,
        stream: IO[Any],
        media_type: str | None = None,
        parser_context: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        request = (parser_context or {})["request"]
        if request.headers.get("Content-Encoding", "identity") != "identity":
            raise UnsupportedMediaType(request.headers["Content-Encoding"])
        text = stream.read(self.bytes_max + 1)
        if len(text) > self.bytes_max:
            raise Problem(
                problems.PAYLOAD_TOO_LARGE, f"A body has at most {self.bytes_max:,} bytes here."
            )
        try:
            found = json.loads(
                text.decode(),
                parse_constant=_refuse_constant,
                object_pairs_hook=_refuse_twins,
            )
        except _Twin as twin:
            detail = f"The body gives “{shortened(twin)}” twice; give it once."
            raise Problem(
                problems.INVALID_BODY,
                detail,
                errors=[{"name": shortened(twin), "detail": "Give it once only."}],
            ) from twin
        # Brackets nested thousands deep end in a RecursionError.
        except (ValueError, RecursionError) as error:
            raise Problem(
                problems.INVALID_BODY, "The body is not JSON.", errors=[_not_json(error)]
            ) from error
        if not isinstance(found, dict):
            raise _not_an_object()
        return found


def parameters(declared: type[Parameters], query: QueryDict) -> dict[str, Any]:
    """Return the values of the declared parameters.

    :raises Problem: for a parameter that is unknown, given twice, empty or wrong.
    """
    serializer = declared(data={name: query[name] for name in query})
    known = list(serializer.fields)
    if unknown := [name for name in query if name not in known]:
        raise _unknown(problems.UNKNOWN_PARAMETER, "parameter", unknown, known)
    errors: Errors = []
    for name, values in query.lists():
        if len(values) > 1:
            errors.append({"name": name, "detail": "Give it once only."})
        elif not values[0]:
            errors.append({"name": name, "detail": "Give it a value, or leave it out."})
    if not errors and not serializer.is_valid():
        errors = _errors(serializer)
    if errors:
        raise _wrong(problems.INVALID_PARAMETER, errors)
    return dict(serializer.validated_data)


def body(declared: type[serializers.Serializer[Any]], data: Any) -> dict[str, Any]:
    """Return the values of the body's fields.

    :raises Problem: for a body that is no object, or a field that is unknown or wrong.
    """
    if not isinstance(data, dict):
        raise _not_an_object()
    serializer = declared(data=data)
    known = list(serializer.fields)
    if unknown := [name for name in data if name not in known]:
        raise _unknown(problems.UNKNOWN_FIELD, "field", unknown, known)
    if not serializer.is_valid():
        raise _wrong(problems.INVALID_BODY, _errors(serializer))
    return dict(serializer.validated_data)


def _errors(serializer: serializers.Serializer[Any]) -> Errors:
    return [
        {"name": "" if name == "non_field_errors" else name, "detail": str(details[0])}
        for name, details in serializer.errors.items()
    ]


def _unknown(
    problem_type: problems.ProblemType, noun: str, names: list[str], known: list[str]
) -> Problem:
    def detail(name: str) -> str:
        return problems.nearest(name, known) or (
            f" Those there are: {', '.join(known)}." if known else " This operation takes none."
        )

    return Problem(
        problem_type,
        f"There is no {noun} “{shortened(names[0])}”.{detail(names[0])}",
        errors=[
            {"name": shortened(name), "detail": f"There is no such {noun}.{detail(name)}"}
            for name in names[:ERRORS_MAX]
        ],
    )


def _wrong(problem_type: problems.ProblemType, errors: Errors) -> Problem:
    first = errors[0]
    detail = f"{first['name']}: {first['detail']}" if first["name"] else first["detail"]
    return Problem(problem_type, detail, errors=errors[:ERRORS_MAX])


def _not_json(error: Exception) -> dict[str, str]:
    place = (
        f" It breaks at character {error.pos}." if isinstance(error, json.JSONDecodeError) else ""
    )
    return {"name": "", "detail": f"The body is not JSON.{place}"}


def _not_an_object() -> Problem:
    detail = "The body is a JSON object, such as {}."
    return Problem(problems.INVALID_BODY, detail, errors=[{"name": "", "detail": detail}])


class _Twin(Exception):
    """A name that an object of the body has twice: readers disagree on which value counts."""


def _refuse_twins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        if name in found:
            raise _Twin(name)
        found[name] = value
    return found


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON.")
