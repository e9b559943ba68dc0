"""The one path by which personal text goes from rows that are otherwise never changed (SPEC §10).

Triggers let words of the audit trail, the reason of a correction and answers that clients may still
ask for again go inside ``allowed`` only.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection, transaction


@contextmanager
def allowed() -> Iterator[None]:
    """Let text be erased until the block ends: all of it happens or nothing."""
    with transaction.atomic():
        _set("on")
        yield
        _set("off")


def _set(state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT set_config('ledger.erasure', %s, true)", [state])
