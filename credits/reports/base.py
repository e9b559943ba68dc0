"""What the credit reports share: a report declares its columns once and says which rows it has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from import_export.fields import Field
from import_export.resources import Resource

from credits import ledger, shown, zones
from credits.models import Company
from credits.reports.columns import Column
from credits.reports.pieces import Limit

CHUNK_ROWS = 2000
ROWS_MAX = 1 << 62


@dataclass(frozen=True, slots=True)
class DayRange:
    """Inclusive local days of a company; None leaves that side open."""

    first: date | None = None
    last: date | None = None

    def limit(self, rows: QuerySet[Any], *, zone: ZoneInfo, instant: str) -> QuerySet[Any]:
        """Return the rows whose ``instant`` is in the range."""
        start, end = self.span(zone)
        if start is not None:
            rows = rows.filter(**{f"{instant}__gte": start})
        if end is not None:
            rows = rows.filter(**{f"{instant}__lt": end})
        return rows

    def span(self, zone: ZoneInfo) -> tuple[datetime | None, datetime | None]:
        """Return the half-open span of instants; None for an open side."""
        start = None if self.first is None else zones.start_of_day(self.first, zone)
        end = None if self.last is None else zones.days(self.last, self.last, zone)[1]
        return start, end

    @property
    def as_range(self) -> str:
        """Write the range as pages and e-mails do: 1 Mar 2026 – 31 Mar 2026."""
        if self.first is None:
            if self.last is None:
                return "all days"
            return f"until {shown.day(self.last)}"
        if self.last is None:
            return f"from {shown.day(self.first)} on"
        return f"{shown.day(self.first)} – {shown.day(self.last)}"

    @property
    def in_words(self) -> str:
        """Name the range, for a sentence that begins “No usage …”."""
        if self.first is None and self.last is None:
            return "at any time"
        if self.first is None or self.last is None:
            return self.as_range
        return f"between {shown.day(self.first)} and {shown.day(self.last)}"


@dataclass(frozen=True, slots=True)
class Totals:
    """What a report's file will hold, known before it is made."""

    row_count: int
    credits: Decimal


class CreditReport(Resource):
    """One report of one company, in the company's zone.

    Each column reads one attribute of a row and has two twins that write the same text: one in
    Python and one in SQL. Our own files and the stock import-export page therefore agree. A
    ``dehydrate_<column>`` method gives a cell in Python alone.

    ``has_free_use`` and ``is_daily`` are choices of the usage report; the others have none.
    """

    title: ClassVar[str]
    slug: ClassVar[str]
    # What there is none of in an empty range, and what ``Totals.credits`` adds up.
    nothing: ClassVar[str]
    credits_label: ClassVar[str]
    # Whether ``pieces`` are the same at any time (Note [Pieces are one report]); others need one
    # snapshot for all that is said of them.
    is_cut: ClassVar[bool] = False

    class Meta:
        chunk_size = CHUNK_ROWS

    def __init__(
        self, *, company: Company, has_free_use: bool = False, is_daily: bool = False
    ) -> None:
        super().__init__()
        self.company = company
        self.zone = ZoneInfo(company.time_zone)
        self.has_free_use = has_free_use
        self.is_daily = is_daily
        self._limit: Limit | None = None

    @classmethod
    def get_display_name(cls) -> str:
        return cls.title

    @property
    def columns(self) -> list[Column]:
        """Return the columns in the order of the file."""
        return list(self.get_export_fields())

    def before_export(self, queryset: Any, **kwargs: Any) -> None:
        self.limit()

    def limit(self) -> Limit:
        """Settle what is due, and return where the ledger stood then; the same ever after.

        A report and the page's balance agree only if both have written down what time did: once,
        because the rows may be read in a snapshot in which nothing can be written.
        """
        if self._limit is None:
            settled = ledger.settle(company_id=self.company.pk)
            self._limit = Limit(settled.sequence, settled.instant)
        return self._limit

    def export_field(self, field: Field, instance: Any, **kwargs: Any) -> str:
        assert isinstance(field, Column)
        own: Any = self._dehydrate(field)
        if own is not None:
            return field.cell(own(instance), self.zone)
        is_dict = isinstance(instance, dict)
        value = instance[field.attribute] if is_dict else getattr(instance, field.attribute)
        return field.cell(value, self.zone)

    def get_user_visible_fields(self) -> list[Field]:
        return list(self.fields.values())

    def rows(self, days: DayRange) -> QuerySet[Any]:
        """Return the report's rows in a range of days, in the report's order."""
        raise NotImplementedError

    def pieces(self, days: DayRange) -> Iterable[QuerySet[Any]]:
        """Return what ``rows`` holds up to the limit, in the same order, to be read in turn."""
        return [self.rows(days)]

    def totals(self, days: DayRange) -> Totals:
        """Count and add up what ``rows`` holds, in the database."""
        raise NotImplementedError

    def statement(self, rows: QuerySet[Any]) -> tuple[str, tuple[Any, ...]] | None:
        """Return one SELECT, with its parameters, that gives the cells of all rows as text.

        Its times are those of the session's time zone. Returns None when a column has no twin in
        SQL; the rows then go through Python.
        """
        twins = {}
        for place, column in enumerate(self.columns):
            twin = None if self._dehydrate(column) else column.sql()
            if twin is None:
                return None
            twins[f"cell_{place}"] = twin
        # A limit, however large, lets PostgreSQL sort the rows before it writes their cells: the
        # first are on their way while the others are written.
        found = rows.annotate(**twins).values_list(*twins)[:ROWS_MAX]
        sql, parameters = found.query.sql_with_params()
        return sql, tuple(parameters)

    def _dehydrate(self, field: Field) -> Any:
        return getattr(self, f"dehydrate_{self.get_field_name(field)}", None)
