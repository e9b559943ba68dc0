"""Pages of rows by a cursor: no row comes twice or is missed, however many are added meanwhile.

Rows are ordered by a key that is unique in the company and never changes; a cursor is the key of
the last row of a page. It holds no company: that is always the one of the API key.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import Q, QuerySet
from django.http import HttpRequest
from rest_framework import serializers

from credits.api import problems
from credits.api.fields import CodeField, CountField, parse_instant
from credits.api.problems import Problem
from credits.api.reading import Parameters

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
CURSOR_LENGTH_MAX = 500
NEWEST, OLDEST = "newest", "oldest"
# The largest number a column of bigint holds.
SEQUENCE_MAX = 2**63 - 1
NEXT_CURSOR_HELP = "The `cursor` of the next page; null after the last one."


class PageParameters(Parameters):
    """What every list takes."""

    limit = CountField(
        required=False,
        default=LIMIT_DEFAULT,
        min_value=1,
        max_value=LIMIT_MAX,
        help_text="How many rows a page has at most.",
    )
    cursor = serializers.CharField(
        required=False,
        max_length=CURSOR_LENGTH_MAX,
        help_text="`next_cursor` of the page before; the filters stay as they were.",
    )
    order = CodeField(
        required=False,
        default=NEWEST,
        choices=[(NEWEST, "newest first"), (OLDEST, "oldest first")],
        help_text="Which end of the list comes first.",
    )


def sequence(value: Any) -> int:
    """Read a whole number of a cursor.

    :raises ValueError: for anything else.
    """
    if type(value) is not int or not 0 <= value <= SEQUENCE_MAX:
        raise ValueError(value)
    return value


def flag(value: Any) -> bool:
    """Read a yes or no of a cursor.

    :raises ValueError: for anything else.
    """
    if type(value) is not bool:
        raise ValueError(value)
    return value


@dataclass(frozen=True, slots=True)
class Order:
    """The columns that order a list, ascending for the oldest first, and how each is read back."""

    columns: tuple[tuple[str, Callable[[Any], Any]], ...]

    def key_of(self, row: Any) -> list[Any]:
        return [_plain(getattr(row, name)) for name, _ in self.columns]

    def read(self, values: list[Any]) -> list[Any]:
        """Return the key that a cursor holds.

        :raises ValueError: if it is no key of this order.
        """
        if len(values) != len(self.columns):
            raise ValueError(values)
        return [read(value) for (_, read), value in zip(self.columns, values, strict=True)]

    def beyond(self, key: list[Any], *, is_newest_first: bool) -> Q:
        """Return the condition for rows after the key.

        The first column's own bound is repeated outside the alternatives, where an index sees it.
        """
        names = [name for name, _ in self.columns]
        step, bound = ("lt", "lte") if is_newest_first else ("gt", "gte")
        beyond = Q()
        for place, name in enumerate(names):
            same = dict(zip(names[:place], key[:place], strict=True))
            beyond |= Q(**same, **{f"{name}__{step}": key[place]})
        return Q(**{f"{names[0]}__{bound}": key[0]}) & beyond

    def names(self, *, is_newest_first: bool) -> list[str]:
        return [f"-{name}" if is_newest_first else name for name, _ in self.columns]


@dataclass(frozen=True, slots=True)
class Page:
    """Some rows, and where the next ones begin; None after the last."""

    rows: list[Any]
    next_cursor: str | None


def page(rows: QuerySet[Any], *, order: Order, values: Mapping[str, Any], name: str) -> Page:
    """Return one page of the rows, which ``values`` (of PageParameters) describe.

    :raises Problem: for a cursor of another query, or none at all.
    """
    is_newest_first = values["order"] == NEWEST
    query = digest(name, values)
    if "cursor" in values:
        key = read_cursor(values["cursor"], order.read, query)
        rows = rows.filter(order.beyond(key, is_newest_first=is_newest_first))
    limit = values["limit"]
    found = list(rows.order_by(*order.names(is_newest_first=is_newest_first))[: limit + 1])
    if len(found) <= limit:
        return Page(found, None)
    return Page(found[:limit], write_cursor(order.key_of(found[limit - 1]), query))


def next_link(request: HttpRequest, cursor: str) -> str:
    """Return the header Link to the next page."""
    query = request.GET.copy()
    query["cursor"] = cursor
    address = request.build_absolute_uri(f"{request.path}?{query.urlencode()}")
    return f'<{address}>; rel="next"'


def write_cursor(key: list[Any], query: str) -> str:
    """Return a cursor of the query that holds the key."""
    text = json.dumps([query, *key], separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")


def read_cursor(
    cursor: str,
    read: Callable[[list[Any]], list[Any]],
    query: str,
    *,
    given_as: str = "next_cursor",
) -> list[Any]:
    """Return what a cursor of the query holds, as ``read`` takes it; answers gave it as that.

    :raises Problem: for a cursor of another query, or none at all.
    """
    try:
        padded = cursor + "=" * (-len(cursor) % 4)
        of_query, *values = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        key = read(values)
    except (ValueError, TypeError, RecursionError) as error:
        raise Problem(
            problems.INVALID_CURSOR,
            f"This cursor leads nowhere. Take {given_as} of the page before as it is.",
        ) from error
    if of_query != query:
        raise Problem(problems.INVALID_CURSOR, problems.INVALID_CURSOR.detail)
    return key


def digest(name: str, values: Mapping[str, Any]) -> str:
    """Name a query by all that decides which rows it has, in which order."""
    decides = {key: str(value) for key, value in values.items() if key not in ("cursor", "limit")}
    text = json.dumps([name, decides], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, UUID) else value


def instant(value: Any) -> datetime:
    """Read an instant of a cursor.

    :raises ValueError: for anything else.
    """
    return parse_instant(value)


def uuid(value: Any) -> UUID:
    """Read an id of a cursor.

    :raises ValueError: for anything else.
    """
    return UUID(value if isinstance(value, str) else "")
