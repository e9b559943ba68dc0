"""Who asks: a key as a bearer token, checked on every request; nothing else lets anybody in.

There is no authorization server: keys are made by a tech admin on a page. The metadata document
of RFC 9728 says so by naming none, and where to read how to get a key.
"""

from __future__ import annotations

from contextvars import ContextVar
from dataclasses import dataclass, field, replace
from typing import Any

from django.conf import settings
from django.http import HttpRequest
from django.urls import reverse
from django.utils import timezone
from django.views.decorators.debug import sensitive_variables

from credits import api_keys
from credits.identifiers import new_id
from credits.models import ApiKey, Scope
from credits.origins import Origin

PATH = "/mcp"
METADATA_PATH = "/.well-known/oauth-protected-resource"
# What a client of these tools may need; a key has those that its maker ticked.
SCOPES = (Scope.BALANCE_READ, Scope.ASK, Scope.BRIEF)


@dataclass(frozen=True, slots=True)
class Caller:
    """A client whose key was let in at the door; over stdio the key is checked at every call.

    ``text`` is the key itself, kept out of ``repr``.
    """

    origin: Origin
    text: str = field(repr=False)
    key: ApiKey | None = None

    def for_call(self) -> Caller:
        """Return who makes the next call: over stdio each has an id of its own."""
        if self.key is not None:
            return self
        return replace(self, origin=replace(self.origin, request_id=str(new_id())))

    def known(self) -> ApiKey:
        """Return the caller's key.

        :raises api_keys.KeyRefused: it does not work, or no longer.
        """
        if self.key is not None:
            return self.key
        return recognize(text=self.text, origin=self.origin)


current: ContextVar[Caller] = ContextVar("mcp_caller")


@sensitive_variables("text")
def recognize(*, text: str, origin: Origin) -> ApiKey:
    """Return the key whose text came from there.

    :raises api_keys.KeyRefused: it opens nothing.
    """
    return api_keys.authenticate(
        text=text, address=origin.ip or "", now=timezone.now(), reads_context=True
    )


@sensitive_variables("text", "header")
def bearer(request: HttpRequest) -> str:
    """Return the token of the header Authorization; empty when there is none of that kind."""
    scheme, _, text = request.headers.get("Authorization", "").partition(" ")
    return text.strip() if scheme.lower() == "bearer" else ""


def challenge(request: HttpRequest) -> str:
    """Return the header WWW-Authenticate, which names the metadata document (RFC 9728 §5.1)."""
    said = 'Bearer realm="Tallystick"'
    if "Authorization" in request.headers:
        said += ', error="invalid_token"'  # RFC 6750 §3: no error where nothing was brought.
    return f'{said}, resource_metadata="{_address(request, METADATA_PATH + PATH)}"'


def metadata(request: HttpRequest) -> dict[str, Any]:
    """Return the metadata document of this protected resource (RFC 9728 §2)."""
    return {
        "resource": _address(request, PATH),
        "resource_name": "Tallystick",
        "bearer_methods_supported": ["header"],
        "scopes_supported": [str(scope) for scope in SCOPES],
        # Of the web pages, which a server alone does not have.
        "resource_documentation": settings.PUBLIC_URL + reverse("admin:credits_integration_add"),
    }


def _address(request: HttpRequest, path: str) -> str:
    return request.build_absolute_uri(path)
