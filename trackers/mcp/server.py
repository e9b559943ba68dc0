"""The protocol's server, of the official SDK: lists the tools at today's prices and calls them.

Its low-level server and not ``MCPServer``, which reads a tool's arguments from a Python signature:
descriptions here state the prices in force, arguments are refused in one sentence each, and the
list of tools stays below 1,500 tokens.
"""

from __future__ import annotations

import logging
from typing import Any

from django.conf import settings
from django.db import OperationalError
from mcp.server.context import ServerRequestContext
from mcp.server.lowlevel import Server
from mcp.server.stdio import stdio_server
from mcp_types import (
    CallToolRequestParams,
    CallToolResult,
    ListToolsResult,
    PaginatedRequestParams,
)

from credits import api_keys
from credits.api import problems
from credits.api.problems import Problem
from trackers.mcp import authentication, calling, results, tools, workers
from trackers.mcp.authentication import Caller

logger = logging.getLogger(__name__)

NAME = "tallystick"
INSTRUCTIONS = (
    "Answers from the company's own calls and e-mails. ask_account, ask_deal and generate_brief "
    "use credits, which are not refilled by themselves; estimate_cost is free."
)

Context = ServerRequestContext[Any]


def build() -> Server[Any]:
    """Return a new server; each serves one process until it ends."""
    return Server(
        NAME,
        title="Tallystick",
        version=settings.VERSION,
        instructions=INSTRUCTIONS,
        on_list_tools=_list_tools,
        on_call_tool=_call_tool,
    )


async def serve_stdio(caller: Caller) -> None:
    """Answer one client on standard input and output until it closes them."""
    server = build()
    authentication.current.set(caller)
    async with stdio_server() as (reads, writes):
        await server.run(reads, writes, server.create_initialization_options())


async def _list_tools(context: Context, params: PaginatedRequestParams | None) -> ListToolsResult:
    return ListToolsResult(tools=await workers.run(tools.listed))


async def _call_tool(context: Context, params: CallToolRequestParams) -> CallToolResult:
    caller = authentication.current.get().for_call()
    try:
        done = await workers.run(
            calling.call, name=params.name, given=params.arguments or {}, caller=caller
        )
    except Problem as known:
        problem = known
    except api_keys.KeyRefused:
        problem = Problem(problems.UNAUTHORIZED, problems.UNAUTHORIZED.detail)
    except OperationalError:
        logger.exception("The database did not answer.")
        problem = Problem(problems.UNAVAILABLE, problems.UNAVAILABLE.detail)
    except Exception:  # The boundary of the process: what nobody expected is logged, not told.
        # A name that is no tool's is whatever a client sent.
        logger.exception("A tool failed: %s.", getattr(tools.named(params.name), "name", "none"))
        problem = Problem(problems.INTERNAL_ERROR, problems.INTERNAL_ERROR.detail)
    else:
        return results.of(done)
    return results.refused(problem, request_id=caller.origin.request_id)
