"""The base of every API operation: who asks, how often, for what, and of which company.

A view answers one address; each of its methods is one operation with one scope.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from django.db.models import QuerySet
from django.http import HttpRequest, QueryDict
from rest_framework import serializers
from rest_framework.exceptions import NotAuthenticated
from rest_framework.negotiation import DefaultContentNegotiation
from rest_framework.renderers import JSONRenderer
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from credits import rate_limits
from credits.api import pages, problems, reading
from credits.api.authentication import KeyAuthentication
from credits.api.problems import Problem
from credits.models import ApiKey, Company, Scope

# The answer is of one key's company: a client may keep it, and asks whether it still holds.
CACHE_CONTROL = "private, no-cache"


class Negotiation(DefaultContentNegotiation):
    """Takes an empty Accept header for what it means: anything will do."""

    def get_accept_list(self, request: Request) -> list[str]:
        accepted = [media.strip() for media in request.headers.get("Accept", "").split(",")]
        return [media for media in accepted if media] or ["*/*"]


class ApiView(APIView):
    """Lets in a key that works, counts the request, asks for the scope, and reads the address.

    ``scopes`` names the scope of each method; ``parameters`` declares those that GET takes,
    ``parameters_of_writes`` those that the others take;
    ``raises`` the problems it may answer besides those of every operation, ``raises_on_writes``
    those that only writes do; ``tallies`` where a method is counted, if not with the others.
    """

    scopes: ClassVar[dict[str, Scope]]
    parameters: ClassVar[type[reading.Parameters]] = reading.Parameters
    parameters_of_writes: ClassVar[type[reading.Parameters]] = reading.Parameters
    raises: ClassVar[tuple[problems.ProblemType, ...]] = ()
    raises_on_writes: ClassVar[tuple[problems.ProblemType, ...]] = ()
    tallies: ClassVar[dict[str, rate_limits.Tally]] = {}
    authentication_classes = (KeyAuthentication,)
    permission_classes = ()
    renderer_classes = (JSONRenderer,)
    content_negotiation_class = Negotiation
    parser_classes = (reading.JsonParser,)

    values: dict[str, Any]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        # An answer to a refused Accept header is written before there is any other renderer.
        self.format_kwarg = None
        renderer, media_type = self.perform_content_negotiation(request)
        request.accepted_renderer, request.accepted_media_type = renderer, media_type
        self.perform_authentication(request)
        if not isinstance(request.auth, ApiKey):
            raise NotAuthenticated("Send the header “Authorization: Bearer <key>”.")
        method = "GET" if request.method == "HEAD" else str(request.method)
        tally = self.tallies.get(method, rate_limits.REQUESTS)
        rate_limits.count(company=request.auth.company, tally=tally)
        if method not in self.scopes:
            return  # No handler either: 405, or what OPTIONS says.
        self.ask_for(self.scopes[method])
        declared = self.parameters if method == "GET" else self.parameters_of_writes
        self.values = self.read(declared, request.query_params)

    def read(self, declared: type[reading.Parameters], query: QueryDict) -> dict[str, Any]:
        """Return the values of the declared parameters."""
        return reading.parameters(declared, query)

    def options(self, request: HttpRequest, *args: Any, **kwargs: Any) -> Response:
        """Say which methods there are."""
        return Response(status=204, headers={"Allow": ", ".join(self.allowed_methods)})

    def finalize_response(
        self, request: Request, response: Response, *args: Any, **kwargs: Any
    ) -> Any:
        response = super().finalize_response(request, response, *args, **kwargs)
        if "Cache-Control" not in response.headers:
            response["Cache-Control"] = CACHE_CONTROL
        response["Vary"] = "Authorization, Accept"
        return response

    @property
    def allowed_methods(self) -> list[str]:
        methods = list(self.scopes)
        return [*methods, *(["HEAD"] if "GET" in methods else []), "OPTIONS"]

    @property
    def key(self) -> ApiKey:
        key = self.request.auth
        assert isinstance(key, ApiKey)  # initial() lets nobody else in.
        return key

    @property
    def company(self) -> Company:
        """The company of the key: the only one whose rows the request may touch."""
        return self.key.company

    def ask_for(self, scope: Scope) -> None:
        """Refuse a key without the scope.

        :raises Problem: it lacks the scope.
        """
        if scope not in self.key.scopes:
            verb = scope.label[0].lower() + scope.label[1:]
            raise Problem(
                problems.MISSING_SCOPE,
                f"This key may not do this ({verb}): it lacks the scope {scope}.",
                required_scope=str(scope),
            )


class PageView(ApiView):
    """Answers a list of the company's rows, page by page."""

    parameters = pages.PageParameters
    raises: ClassVar[tuple[problems.ProblemType, ...]] = (
        problems.INVALID_PARAMETER,
        problems.INVALID_CURSOR,
    )
    order: ClassVar[pages.Order]
    output: ClassVar[type[serializers.Serializer[Any]]]

    def page(self, rows: QuerySet[Any], *, context: dict[str, Any] | None = None) -> Response:
        """Answer one page of the rows, which are of this company already."""
        found = pages.page(rows, order=self.order, values=self.values, name=type(self).__name__)
        data = {
            "items": self.shown(found.rows, context or {}),
            "next_cursor": found.next_cursor,
        }
        headers = {}
        if found.next_cursor is not None:
            headers["Link"] = pages.next_link(self.request._request, found.next_cursor)
        return Response(data, headers=headers)

    def shown(self, rows: Sequence[Any], context: dict[str, Any]) -> Any:
        return self.output(rows, many=True, context=context).data


def not_found(noun: str) -> Problem:
    """Return the answer for a row that is not there, or is another company's: the same for both."""
    return Problem(problems.NOT_FOUND, f"There is no such {noun} in your company.")
