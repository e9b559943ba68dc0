"""What to paste into a client so that it finds us, with its key in it."""

from __future__ import annotations

import json
import shlex
import sys
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.db import models
from django.views.decorators.debug import sensitive_variables

from trackers.mcp.authentication import PATH

NAME = "tallystick"
KEY_VARIABLE = "TALLYSTICK_MCP_KEY"


class Client(models.TextChoices):
    """The clients there are ready snippets for."""

    CLAUDE_CODE = "CLAUDE_CODE", "Claude Code"
    CLAUDE_DESKTOP = "CLAUDE_DESKTOP", "Claude Desktop (stdio, on this server's machine)"
    CURSOR = "CURSOR", "Cursor"
    VS_CODE = "VS_CODE", "VS Code"
    OTHER_HTTP = "OTHER_HTTP", "Another client, over HTTP"
    OTHER_STDIO = "OTHER_STDIO", "Another client, over stdio (on this server's machine)"


@dataclass(frozen=True, slots=True)
class Snippet:
    """A text to copy, and where it goes."""

    where: str
    text: str


@sensitive_variables("key", "header")
def of(client: str, *, site: str, key: str) -> Snippet:
    """Return the snippet of a client. ``site`` is our address, such as https://host."""
    address = f"{site}{PATH}"
    header = {"Authorization": f"Bearer {key}"}
    match client:
        case Client.CLAUDE_CODE:
            line = f"claude mcp add --transport http {NAME} {shlex.quote(address)} --header "
            return Snippet(
                "Run this in a terminal:",
                line + shlex.quote(f"Authorization: Bearer {key}"),
            )
        case Client.CLAUDE_DESKTOP:
            return Snippet(
                "Settings → Developer → Edit config (claude_desktop_config.json):",
                _json({"mcpServers": {NAME: _stdio(key)}}),
            )
        case Client.CURSOR:
            return Snippet(
                "In ~/.cursor/mcp.json:",
                _json({"mcpServers": {NAME: {"url": address, "headers": header}}}),
            )
        case Client.VS_CODE:
            entry = {"type": "http", "url": address, "headers": header}
            return Snippet("In .vscode/mcp.json:", _json({"servers": {NAME: entry}}))
        case Client.OTHER_STDIO:
            return Snippet(
                "The command that the client starts, and its environment:", _json(_stdio(key))
            )
    return Snippet(
        "Streamable HTTP; the address, and the header every request needs:",
        _json({"url": address, "headers": header}),
    )


def _stdio(key: str) -> dict[str, Any]:
    # Where the product lies is told only to whom it is: on a shared server it is nobody's business.
    is_here = settings.EMBEDDED
    folder = str(settings.PROJECT) if is_here else "/path/to/tallystick"
    python = sys.executable if is_here else f"{folder}/.venv/bin/python"
    return {
        "command": python,
        "args": [f"{folder}/manage.py", "mcp_server", "--stdio"],
        "env": {KEY_VARIABLE: key},
    }


def _json(value: Any) -> str:
    return json.dumps(value, indent=2, ensure_ascii=False)
