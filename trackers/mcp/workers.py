"""Where a call's own work runs: a few threads, each with a database connection while it works.

Django's connections belong to a thread. Without a bound, a hundred clients would take a hundred
connections; here those that come later wait for a thread.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import ParamSpec, TypeVar

from asgiref.sync import sync_to_async
from django.db import connections

THREADS_MAX = 8

_P = ParamSpec("_P")
_R = TypeVar("_R")
_executor = ThreadPoolExecutor(max_workers=THREADS_MAX, thread_name_prefix="mcp")


async def run(work: Callable[_P, _R], *args: _P.args, **kwargs: _P.kwargs) -> _R:
    """Return what the work returns, done in a thread; its connection is given back after it."""

    def alone() -> _R:
        try:
            return work(*args, **kwargs)
        finally:
            connections.close_all()

    done: _R = await sync_to_async(alone, thread_sensitive=False, executor=_executor)()
    return done
