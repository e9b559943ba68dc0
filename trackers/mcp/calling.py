"""Run one call of a tool for one caller: who, how often, allowed what, told what; then the act."""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from credits import origins, rate_limits
from credits.api import problems
from credits.api.problems import Problem, nearest
from credits.models import ApiKey
from trackers.mcp import arguments, contexts, refusals, results, tools
from trackers.mcp.authentication import Caller
from trackers.mcp.tools import Offered


def call(*, name: str, given: dict[str, Any], caller: Caller) -> results.Result:
    """Return what the tool answers; the work is done here, in the caller's name.

    :raises Problem: with the code that the API has for it.
    :raises api_keys.KeyRefused: the caller's key does not work, or no longer.
    """
    with origins.coming_from(caller.origin):
        key = caller.known()
        with refusals.as_problems():
            rate_limits.count(company=key.company)
            tool = _found(name)
            _ask_for(tool, key)
            values = arguments.read(tool.kind, given)
            requester = contexts.requester(key=key, request_id=caller.origin.request_id)
        with refusals.as_problems(entity=tool.kind.about()):
            return tool.act(requester, values, timezone.now())


def _found(name: str) -> Offered:
    tool = tools.named(name)
    if tool is None:
        known = [one.name for one in tools.TOOLS]
        raise Problem(
            problems.NOT_FOUND,
            f"There is no such tool; there are {', '.join(known)}.{nearest(name, known)}",
        )
    return tool


def _ask_for(tool: Offered, key: ApiKey) -> None:
    if not set(tool.scopes) & set(key.scopes):
        needed = " or ".join(tool.scopes)
        raise Problem(
            problems.MISSING_SCOPE,
            f"This key may not call {tool.name}: it lacks the scope {needed}.",
            required_scope=str(tool.scopes[0]),
        )
