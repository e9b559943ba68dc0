"""Run the MCP server by itself: ``manage.py mcp_server``, over HTTP or stdio."""

from __future__ import annotations

import argparse
from typing import Any

import anyio
import uvicorn
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError

from credits import api_keys, origins
from credits.origins import Origin
from trackers.mcp import authentication, server
from trackers.mcp.application import Application
from trackers.mcp.authentication import Caller

PORT_DEFAULT = 8001
PORT_MAX = 65_535


class Command(BaseCommand):
    help = (
        "Runs the MCP server without the web pages: over HTTP on this machine, or over stdio for\n"
        "an AI client that starts it. The web process has the same server at /mcp already.\n\n"
        "Over stdio the key comes from TALLYSTICK_MCP_KEY and is checked at every call. Keys are\n"
        "made on the page “Connect an AI client”.\n\n"
        "Exit code 0: ended by the client or Ctrl-C. 2: not started, with the reason.\n\n"
        "Examples:\n"
        "  manage.py mcp_server --port 8001\n"
        "  TALLYSTICK_MCP_KEY=tsk_… manage.py mcp_server --stdio"
    )

    def create_parser(self, *args: Any, **kwargs: Any) -> Any:
        kwargs["formatter_class"] = argparse.RawDescriptionHelpFormatter
        return super().create_parser(*args, **kwargs)

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        parser.add_argument("--stdio", action="store_true", help="speak on standard input/output")
        parser.add_argument(
            "--port",
            type=int,
            default=PORT_DEFAULT,
            metavar="N",
            help=f"where to listen on 127.0.0.1; {PORT_DEFAULT} without it",
        )

    def handle(self, **options: Any) -> None:
        if options["stdio"]:
            anyio.run(server.serve_stdio, _caller())
            return
        port = options["port"]
        if not 1 <= port <= PORT_MAX:
            raise CommandError(f"A port is a number from 1 to {PORT_MAX:,}.", returncode=2)
        self.stderr.write(f"MCP server: http://127.0.0.1:{port}/mcp. Ctrl-C ends it.")
        uvicorn.run(
            Application().alone,
            host="127.0.0.1",
            port=port,
            # A bound method is not seen to be one of today's interface.
            interface="asgi3",
            lifespan="on",
            proxy_headers=False,
            log_level="warning",
            # Ours quotes nothing (config/logs.py).
            log_config=None,
        )


def _caller() -> Caller:
    origin = Origin(door="MCP", job="mcp_server", who=origins.of_command("mcp_server").who)
    if not settings.MCP_KEY:
        raise CommandError(
            "Set TALLYSTICK_MCP_KEY to a key; make one on the page “Connect an AI client”.",
            returncode=2,
        )
    try:
        authentication.recognize(text=settings.MCP_KEY, origin=origin)
    except api_keys.KeyRefused as refusal:
        raise CommandError(str(refusal), returncode=2) from refusal
    return Caller(origin=origin, text=settings.MCP_KEY)
