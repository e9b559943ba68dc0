"""Ask the endpoints below /v2/ in a test's own process, with a key as these clients bring it."""

from __future__ import annotations

import base64

from django.test import Client

from tests.support import api


def halves(text: str) -> tuple[str, str]:
    """Return a key's access key and secret."""
    start, prefix, secret = text.split("_", 2)
    return f"{start}_{prefix}", secret


def basic(access_key: str, secret: str) -> Client:
    token = base64.b64encode(f"{access_key}:{secret}".encode()).decode()
    return Client(headers={"authorization": f"Basic {token}"}, raise_request_exception=False)


def of(company, *scopes) -> Client:
    return basic(*halves(api.key(company, *scopes).text))


def post(client: Client, path: str, body: object):
    return client.post(path, body, "application/json")


def errors(response) -> list[str]:
    """Return the sentences of an error, or fail with what it is instead."""
    found = response.json()
    assert set(found) == {"requestId", "errors"}, found
    assert found["requestId"] == response.headers["X-Request-Id"]
    assert response.headers["Content-Type"] == "application/json"
    return found["errors"]
