"""Pages of rows with ``records``: how many there are, which page this is, where the next begins."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from django.db.models import QuerySet

from credits.api import pages

PAGE_SIZE = 100


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and what the answer says of them under ``records``."""

    rows: list[Any]
    records: dict[str, Any]


def page(
    rows: QuerySet[Any], *, order: pages.Order, cursor: str | None, query: dict[str, Any], name: str
) -> Page:
    """Return one page of the rows, in order; ``query`` is all that decides which rows there are.

    A cursor holds the number of its page and the key of the last row before it.

    :raises Problem: for a cursor of another query, or none at all.
    """
    total = rows.count()
    digest = pages.digest(name, query)
    number = 0
    if cursor:

        def read(values: list[Any]) -> list[Any]:
            return [pages.sequence(values[0] if values else None), *order.read(values[1:])]

        number, *key = pages.read_cursor(cursor, read, digest, given_as="records.cursor")
        rows = rows.filter(order.beyond(key, is_newest_first=False))
    found = list(rows.order_by(*order.names(is_newest_first=False))[: PAGE_SIZE + 1])
    shown = found[:PAGE_SIZE]
    records: dict[str, Any] = {
        "totalRecords": total,
        "currentPageSize": len(shown),
        "currentPageNumber": number,
    }
    if len(found) > PAGE_SIZE:
        records["cursor"] = pages.write_cursor([number + 1, *order.key_of(shown[-1])], digest)
    return Page(shown, records)
