"""The web process: Django, and beside it the MCP server with its own lifespan."""

from __future__ import annotations

import os
from typing import Any

from django.core.asgi import get_asgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

_django = get_asgi_application()

# Django first: what follows has models.
from trackers.mcp.application import Application  # noqa: E402

_mcp = Application()


async def application(scope: Any, receive: Any, send: Any) -> None:
    """Answer /mcp by the MCP server and everything else by Django."""
    if scope["type"] == "lifespan":
        await _mcp.live(receive, send)
    elif scope["type"] == "http" and _mcp.answers(scope["path"]):
        await _mcp(scope, receive, send)
    else:
        await _django(scope, receive, send)
