"""A clock for the ledger that stands where it is told, for a database that holds no real credits.

``ledger_clock()`` is replaced by a function that reads a one-row table; leaving puts the real one
back. Used while the demo seeds an empty database, and by tests. No setting does this, and
``check_ledger`` says when it was left behind.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from django.db import connection

_REPLACE = "CREATE OR REPLACE FUNCTION ledger_clock() RETURNS timestamptz LANGUAGE sql VOLATILE AS "


class SeededClock:
    """The ledger's clock, and Python's for operations that take the time: call it for now."""

    def __init__(self, instant: datetime) -> None:
        self.instant = instant

    def __call__(self) -> datetime:
        return self.instant

    def set(self, instant: datetime) -> None:
        self.instant = instant
        with connection.cursor() as cursor:
            cursor.execute("UPDATE ledger_seeded_clock SET instant = %s", [instant])

    def advance(self, by: timedelta) -> None:
        self.set(self.instant + by)


@contextmanager
def seeded_clock(instant: datetime) -> Iterator[SeededClock]:
    """Let the ledger's time stand at ``instant`` until told otherwise."""
    with connection.cursor() as cursor:
        cursor.execute("CREATE TABLE ledger_seeded_clock (instant timestamptz NOT NULL)")
        cursor.execute("INSERT INTO ledger_seeded_clock VALUES (%s)", [instant])
        cursor.execute(_REPLACE + "$$ SELECT instant FROM ledger_seeded_clock $$")
    try:
        yield SeededClock(instant)
    except BaseException:
        # The transaction we are in is rolled back and with it the replacement.
        if not connection.in_atomic_block:
            _put_back()
        raise
    _put_back()


def _put_back() -> None:
    with connection.cursor() as cursor:
        cursor.execute(_REPLACE + "$$\n    SELECT clock_timestamp()\n$$")
        cursor.execute("DROP TABLE ledger_seeded_clock")
