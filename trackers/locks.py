"""Row locks that Django's ORM does not know.

Lock order everywhere: parents (backfill, tracker) by id, then work rows by id, then the ledger's
pool, which the ledger's own functions lock (DESIGN §3).
"""

from __future__ import annotations

from collections.abc import Iterable
from uuid import UUID

from django.db import connection, models


def share(model: type[models.Model], ids: Iterable[UUID]) -> None:
    """Keep rows from being changed until the transaction ends; others may share them too."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id FROM {model._meta.db_table} WHERE id = ANY(%s) ORDER BY id FOR SHARE",
            [list(ids)],
        )
