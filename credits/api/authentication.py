"""Who asks: a key in the header Authorization, and nothing else."""

from __future__ import annotations

from typing import Any

from django.contrib.auth.models import AnonymousUser
from django.utils import timezone
from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from credits import api_keys, origins
from credits.api import answers, problems
from credits.models import ApiKey, Scope

SCHEME = "bearer"


class KeyAuthentication(BaseAuthentication):
    """Recognizes “Authorization: Bearer <key>”, and nothing else: no session, no cookie."""

    def authenticate(self, request: Request) -> tuple[AnonymousUser, ApiKey] | None:
        header = request.headers.get("Authorization")
        if header is None:
            return None
        try:
            key = api_keys.authenticate(
                text=self.key_text(header), address=origins.current().ip or "", now=timezone.now()
            )
        except api_keys.KeyRefused as refusal:
            raise AuthenticationFailed(problems.UNAUTHORIZED.detail) from refusal
        return AnonymousUser(), key

    def key_text(self, header: str) -> str:
        """Return the key in the header; empty where there is none."""
        scheme, _, text = header.partition(" ")
        return text.strip() if scheme.lower() == SCHEME else ""

    def authenticate_header(self, request: Request) -> str:
        return answers.CHALLENGE


class KeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    """Describes the keys in the OpenAPI document."""

    target_class = KeyAuthentication
    name = "apiKey"

    def get_security_definition(self, auto_schema: Any) -> dict[str, Any]:
        scopes = "\n".join(f"- `{scope}`: {scope.label}" for scope in Scope)
        return {
            "type": "http",
            "scheme": SCHEME,
            "description": "A key of your company, made on the page “API keys”. Scopes:\n\n"
            + scopes,
        }

    def get_security_requirement(self, auto_schema: Any) -> dict[str, list[str]]:
        return {self.name: [str(auto_schema.view.scopes[auto_schema.method])]}
