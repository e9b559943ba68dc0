"""What the reading pages share: lists without end, places in a call, facts with a dash for none."""

from __future__ import annotations

from collections.abc import Iterable
from decimal import Decimal
from typing import Any

from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.utils.functional import cached_property

from credits.shown import NOTHING

COUNT_MAX = 10_000


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and pages through the first rows only: a million are found by filters, not pages."""

    count_max = COUNT_MAX

    @cached_property
    def count(self) -> int:
        rows: QuerySet[Any] = self.object_list  # type: ignore[assignment]
        return rows.order_by()[: self.count_max].count()


def clock(seconds: Decimal | int | None) -> str:
    """Show a place in a call as minutes and seconds; nothing for e-mails, which have none."""
    if seconds is None:
        return ""
    minutes, rest = divmod(int(seconds), 60)
    return f"{minutes:02}:{rest:02}"


def facts(pairs: Iterable[tuple[str, object]]) -> list[tuple[str, object]]:
    """Keep the name of each fact with its value, a dash where there is none."""
    return [(name, NOTHING if value in (None, "") else value) for name, value in pairs]
