"""The base of these endpoints: who asks, and answers in the shape that their clients know.

A company has one workspace. Whichever number of one a client was set up with, it is answered of
that one, and the answer names the number it gave.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Callable
from typing import Any, ClassVar

from django.http import QueryDict
from rest_framework import serializers
from rest_framework.response import Response

from credits import origins
from credits.api import problems, reading
from credits.api.authentication import KeyAuthentication
from credits.api.fields import FlagField
from credits.api.problems import Problem
from credits.api.views import ApiView
from trackers.api.gong import answers, numbers
from trackers.api.gong.numbers import NUMBER


class GongAuthentication(KeyAuthentication):
    """Recognizes a key as Basic, its two halves being access key and secret, or as Bearer.

    The access key is what comes before the second underscore of a key, ``tsk_<prefix>``; the
    secret is what comes after it.
    """

    def key_text(self, header: str) -> str:
        scheme, _, text = header.partition(" ")
        if scheme.lower() != "basic":
            return super().key_text(header)
        try:
            pair = base64.b64decode(text.strip(), validate=True).decode()
        except (binascii.Error, ValueError):
            return ""
        access_key, _, secret = pair.partition(":")
        return f"{access_key}_{secret}"

    def authenticate_header(self, request: Any) -> str:
        return answers.CHALLENGE


class GongView(ApiView):
    """Answers one address of this API. ``denied_status`` answers a key without the scope."""

    schema = None  # Described by the schema of that API, not by ours.
    authentication_classes = (GongAuthentication,)
    # The published schema has 403 for some addresses, and 401 alone for the others.
    denied_status: ClassVar[int] = 401

    def get_exception_handler(self) -> Callable[..., Any]:
        return answers.to_exception

    def read(self, declared: type[reading.Parameters], query: QueryDict) -> dict[str, Any]:
        """Return the declared parameters that say something; what else is sent asks for nothing."""
        kept = QueryDict(mutable=True)
        for name, field in declared().fields.items():
            # A flag that is neither true nor false says something, and wrongly.
            is_flag = isinstance(field, FlagField)
            values = [value for value in query.getlist(name) if value or is_flag]
            if values:
                kept.setlist(name, values)
        return super().read(declared, kept)

    def body(self, declared: type[serializers.Serializer[Any]]) -> dict[str, Any]:
        """Return the values of the body's fields; null says nothing, and so do unknown ones.

        :raises Problem: for a body that is no object, or a field that is wrong.
        """
        serializer = declared(data=self.request.data)
        if not serializer.is_valid():
            errors = [
                {"name": name, "detail": detail} for name, detail in _flat(serializer.errors, "")
            ]
            raise Problem(problems.INVALID_BODY, errors[0]["detail"], errors=errors)
        return dict(serializer.validated_data)

    def answer(self, **data: Any) -> Response:
        """Answer with the data and the id of the request."""
        return Response({"requestId": origins.current().request_id, **data})

    def workspace(self, number: str | None) -> str:
        """Return the number that the answer names for the company's workspace.

        :raises Problem: the number is none.
        """
        if not number:
            return numbers.workspace(self.company)
        if not NUMBER.fullmatch(number):
            raise Problem(problems.NOT_FOUND, "Workspace not found: its id is a number.")
        return number


class WorkspaceParameters(reading.Parameters):
    """Of which workspace; of all without it."""

    workspaceId = serializers.CharField(required=False)


def _flat(errors: Any, path: str) -> list[tuple[str, str]]:
    """Return each error of nested fields under its path: ``filter.callIds``."""
    if isinstance(errors, dict):
        found = []
        for name, inner in errors.items():
            is_own = name == "non_field_errors" or isinstance(name, int)
            found += _flat(inner, path if is_own else f"{path}.{name}" if path else str(name))
        return found
    return [(path, str(error)) for error in errors if not isinstance(error, dict)] or [
        pair for error in errors for pair in _flat(error, path)
    ]
