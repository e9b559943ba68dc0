"""The door over HTTP: host, origin and key are looked at before the protocol's server is.

Stateless: each request is answered by itself, so that any web process answers any request, and
there is no session to hijack. Nothing is pushed to clients, so there is nothing to GET.
"""

from __future__ import annotations

import io
import json
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, MutableMapping
from contextlib import asynccontextmanager
from typing import Any
from urllib.parse import urlsplit

from django.conf import settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.asgi import ASGIRequest
from django.db import OperationalError
from django.http import HttpRequest
from django.http.request import validate_host
from mcp.server.streamable_http_manager import StreamableHTTPSessionManager
from mcp.server.transport_security import TransportSecuritySettings

from credits import api_keys, origins
from credits.api import answers, problems
from credits.api.problems import Problem
from trackers.mcp import authentication, server, workers
from trackers.mcp.authentication import METADATA_PATH, PATH, Caller

logger = logging.getLogger(__name__)

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Any]]
Send = Callable[[Any], Awaitable[None]]

BODY_BYTES_MAX = 65_536
METADATA_PATHS = (METADATA_PATH, METADATA_PATH + PATH)
NOT_RUNNING = (
    "The MCP server is not running: the web server was started without the lifespan protocol."
)


class Application:
    """ASGI: answers ``/mcp`` and its metadata document while ``running``."""

    def __init__(self) -> None:
        self._manager: StreamableHTTPSessionManager | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Let requests in until the block ends."""
        manager = StreamableHTTPSessionManager(
            app=server.build(),
            stateless=True,
            max_request_body_size=BODY_BYTES_MAX,
            # Host and origin are compared below, with Django's own list and its wildcards.
            security_settings=TransportSecuritySettings(enable_dns_rebinding_protection=False),
        )
        async with manager.run():
            self._manager = manager
            try:
                yield
            finally:
                self._manager = None

    async def live(self, receive: Receive, send: Send) -> None:
        """Run from the web server's start to its end (ASGI's lifespan)."""
        await receive()
        async with self.running():
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    @staticmethod
    def answers(path: str) -> bool:
        """Tell whether a path is ours."""
        return path.rstrip("/") == PATH or path.rstrip("/") in METADATA_PATHS

    async def alone(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as a web server's only application: other addresses are not there."""
        if scope["type"] == "lifespan":
            await self.live(receive, send)
        elif scope["type"] == "http" and self.answers(scope["path"]):
            await self(scope, receive, send)
        elif scope["type"] == "http":
            await _write(send, 404, {"content-type": "text/plain"}, b"There is only /mcp here.\n")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = ASGIRequest(scope, io.BytesIO())
        with origins.coming_from(origins.of_request(request)) as origin:
            try:
                _refuse_strangers(request)
                if request.path.rstrip("/") in METADATA_PATHS:
                    _refuse_method(request, "GET")
                    await _send(send, 200, authentication.metadata(request), origin)
                    return
                _refuse_method(request, "POST")
                caller = await workers.run(_let_in, request, origin)
                if self._manager is None:
                    raise Problem(problems.UNAVAILABLE, NOT_RUNNING)
            except Problem as problem:
                await _send_problem(send, request, problem)
                return
            token = authentication.current.set(caller)
            try:
                await self._manager.handle_request(scope, receive, _with_request_id(send, origin))
            finally:
                authentication.current.reset(token)


def _refuse_strangers(request: HttpRequest) -> None:
    """Check the host that was asked for, and that no other site's page asks (DNS rebinding)."""
    try:
        request.get_host()
    except DisallowedHost as error:
        raise Problem(problems.BAD_REQUEST, "This site does not have that name.") from error
    origin = request.headers.get("Origin")
    if origin is not None:
        host = urlsplit(origin).hostname
        if host is None or not validate_host(host, settings.ALLOWED_HOSTS):
            raise Problem(
                problems.BAD_REQUEST, "Pages of other sites may not ask here.", status=403
            )
    if settings.SECURE_SSL_REDIRECT and not request.is_secure():
        raise Problem(problems.BAD_REQUEST, "Use https; a key sent without it is no secret.")


def _refuse_method(request: HttpRequest, allowed: str) -> None:
    if request.method != allowed:
        raise Problem(
            problems.METHOD_NOT_ALLOWED,
            f"This address takes {allowed} only.",
            headers={"Allow": allowed},
        )


def _let_in(request: HttpRequest, origin: origins.Origin) -> Caller:
    text = authentication.bearer(request)
    try:
        key = authentication.recognize(text=text, origin=origin)
    except api_keys.KeyRefused as refusal:
        raise Problem(
            problems.UNAUTHORIZED,
            problems.UNAUTHORIZED.detail,
            headers={"WWW-Authenticate": authentication.challenge(request)},
        ) from refusal
    except OperationalError as error:
        logger.exception("The database did not answer.")
        raise Problem(problems.UNAVAILABLE, problems.UNAVAILABLE.detail) from error
    return Caller(origin=origin, text=text, key=key)


def _with_request_id(send: Send, origin: origins.Origin) -> Send:
    """Tell each answer's id, as every other answer does, and that nobody may keep it."""
    more = [
        (origins.REQUEST_ID_HEADER.lower().encode(), origin.request_id.encode()),
        (b"cache-control", b"no-store"),
    ]
    ours = {name for name, _ in more}

    async def told(message: Any) -> None:
        if message["type"] == "http.response.start":
            headers = [pair for pair in message.get("headers", ()) if pair[0].lower() not in ours]
            message = message | {"headers": [*headers, *more]}
        await send(message)

    return told


async def _send_problem(send: Send, request: HttpRequest, problem: Problem) -> None:
    answer = answers.of(request, problem)
    headers = {name.lower(): value for name, value in answer.headers.items()}
    headers[origins.REQUEST_ID_HEADER.lower()] = origins.current().request_id
    await _write(send, answer.status_code, headers, answer.content)


async def _send(send: Send, status: int, body: dict[str, Any], origin: origins.Origin) -> None:
    headers = {
        "content-type": "application/json",
        origins.REQUEST_ID_HEADER.lower(): origin.request_id,
    }
    await _write(send, status, headers, json.dumps(body).encode())


async def _write(send: Send, status: int, headers: dict[str, str], body: bytes) -> None:
    pairs = [(name.encode(), value.encode()) for name, value in headers.items()]
    pairs.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})
