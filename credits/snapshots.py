"""One snapshot of the database for several queries, so that their figures agree."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from psycopg import IsolationLevel


@contextmanager
def taken() -> Iterator[None]:
    """Let all queries see the database as it is at the first, and change nothing.

    Inside a caller's transaction its own isolation holds.
    """
    if connection.in_atomic_block:
        yield
        return
    connection.ensure_connection()
    psycopg_connection: Any = connection.connection
    # Said by BEGIN itself: a statement of its own would be one more round trip.
    with _set_to(psycopg_connection, IsolationLevel.REPEATABLE_READ), transaction.atomic():
        yield


@contextmanager
def _set_to(psycopg_connection: Any, level: IsolationLevel) -> Iterator[None]:
    """Let the transactions of a connection be of a level, and read-only."""
    before = psycopg_connection.isolation_level, psycopg_connection.read_only
    psycopg_connection.isolation_level, psycopg_connection.read_only = level, True
    try:
        yield
    finally:
        if not psycopg_connection.closed:
            psycopg_connection.isolation_level, psycopg_connection.read_only = before
