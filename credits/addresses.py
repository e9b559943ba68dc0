"""Refuse addresses that no page of ours has, before anything looks at them."""

from __future__ import annotations

from collections.abc import Callable
from urllib.parse import unquote

from django.core.exceptions import BadRequest
from django.http import HttpRequest, HttpResponse

NUL = "\x00"


class NoNulMiddleware:
    """Answer 400 to an address with a NUL character: no text in the database can hold one.

    Lists pass what an address filters by to the database as it is. The API's own parameters are
    refused by name.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        query = unquote(request.META.get("QUERY_STRING", ""))
        if NUL in request.path or (NUL in query and not request.path.startswith("/api/")):
            raise BadRequest("The address has a NUL character.")
        return self.get_response(request)
