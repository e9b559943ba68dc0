"""Try a key as an AI client would: the SDK's own client asks our own door, in this process.

Everything but the network between is real: host, key, protocol, tools and one call.
"""

from __future__ import annotations

from dataclasses import dataclass

import anyio
import httpx2
from django.views.decorators.debug import sensitive_variables
from mcp.client import Client
from mcp.client.streamable_http import streamable_http_client
from mcp_types import TextContent

from trackers.mcp.application import Application
from trackers.mcp.authentication import PATH

SECONDS_MAX = 20
BALANCE = "get_credit_balance"


@dataclass(frozen=True, slots=True)
class Seen:
    """What the client saw: the protocol's version, the tools, and what the balance tool said."""

    protocol: str
    tools: tuple[str, ...]
    balance: str


class TrialFailed(Exception):
    """The test did not get an answer; the message says what came instead."""


@sensitive_variables("key")
def look(*, site: str, key: str, address: str) -> Seen:
    """Connect with the key as if from that network address, and list the tools.

    :raises TrialFailed: with the status of the answer, or that none came in 20 seconds.
    """
    statuses: list[int] = []

    async def note(response: httpx2.Response) -> None:
        statuses.append(response.status_code)

    async def connect() -> Seen:
        application = Application()
        transport = httpx2.ASGITransport(app=application, client=(address or "127.0.0.1", 0))
        headers = {"Authorization": f"Bearer {key}"}
        with anyio.fail_after(SECONDS_MAX):
            async with (
                application.running(),
                httpx2.AsyncClient(
                    transport=transport, headers=headers, event_hooks={"response": [note]}
                ) as http,
                Client(streamable_http_client(f"{site}{PATH}", http_client=http)) as client,
            ):
                listed = await client.list_tools()
                said = await client.call_tool(BALANCE, {})
                text = " ".join(one.text for one in said.content if isinstance(one, TextContent))
                return Seen(
                    protocol=str(client.protocol_version),
                    tools=tuple(tool.name for tool in listed.tools),
                    balance=text,
                )

    try:
        return anyio.run(connect)
    except TimeoutError as error:
        raise TrialFailed(f"No answer came within {SECONDS_MAX} seconds.") from error
    except Exception as error:
        refused = next((status for status in statuses if status >= 400), None)
        if refused is None:
            raise
        raise TrialFailed(
            f"The server refused the key (HTTP {refused})."
            if refused in (401, 403)
            else f"The server answered HTTP {refused}."
        ) from error
