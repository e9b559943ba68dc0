"""AI clients as they are: the official SDK's own client, over HTTP."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, TypeVar

import anyio
import httpx2
from django.utils import timezone
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import CallToolResult, Tool

from credits.models import Company, IntegrationContext, Scope, User
from tests.support import api
from trackers.mcp import connecting

SECONDS_MAX = 120
Found = TypeVar("Found")
# The protocol of today, and the one with a handshake that clients of last year speak.
MODES = ("auto", "legacy")


@dataclass(frozen=True, slots=True)
class AiClient:
    """A program with a key at one site."""

    site: str
    key: str
    mode: str = "auto"

    def tools(self) -> list[Tool]:
        async def listed(client: Client) -> list[Tool]:
            return (await client.list_tools()).tools

        return self.run(listed)

    def call(self, name: str, **arguments: Any) -> CallToolResult:
        return self.run(lambda client: client.call_tool(name, arguments))

    def together(self, count: int, name: str, **arguments: Any) -> list[CallToolResult]:
        """Call one tool so many times at once, each over a connection of its own."""
        answers: list[CallToolResult] = []

        async def one() -> None:
            async with self._connected() as client:
                answers.append(await client.call_tool(name, arguments))

        async def all_of_them() -> None:
            with anyio.fail_after(SECONDS_MAX):
                async with anyio.create_task_group() as group:
                    for _ in range(count):
                        group.start_soon(one)

        anyio.run(all_of_them)
        return answers

    def run(self, act: Callable[[Client], Awaitable[Found]]) -> Found:
        """Return what an act with a connected client gives."""

        async def connected() -> Found:
            with anyio.fail_after(SECONDS_MAX):
                async with self._connected() as client:
                    return await act(client)

        return anyio.run(connected)

    def _connected(self) -> _Connected:
        return _Connected(self)


class _Connected:
    """A client, connected for the length of a block, and its HTTP connections after it closed."""

    def __init__(self, program: AiClient) -> None:
        self._http = httpx2.AsyncClient(
            headers={"Authorization": f"Bearer {program.key}"}, timeout=SECONDS_MAX
        )
        transport = streamable_http_client(f"{program.site}/mcp", http_client=self._http)
        self._client = Client(transport, mode=program.mode)

    async def __aenter__(self) -> Client:
        await self._http.__aenter__()
        return await self._client.__aenter__()

    async def __aexit__(self, *how: Any) -> None:
        try:
            await self._client.__aexit__(*how)
        finally:
            await self._http.__aexit__(*how)


def connection(
    company: Company,
    *,
    by: User | None = None,
    person: User | None = None,
    scopes: tuple[Scope, ...] = (Scope.BALANCE_READ, Scope.ASK, Scope.BRIEF),
    name: str = "Sales assistant",
    **more: Any,
) -> connecting.Connection:
    """Connect a client as the page does: a personal one when a person is named."""
    return connecting.connect(
        company=company,
        name=name,
        scopes=scopes,
        by=by or api.admin(company),
        now=timezone.now(),
        context=IntegrationContext.PERSONAL if person else IntegrationContext.SHARED,
        person=person,
        **more,
    )
