"""What the credit reports share: columns, cells a spreadsheet will not run, ranges of days."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any, ClassVar
from zoneinfo import ZoneInfo

from django.db.models import QuerySet
from import_export.fields import Field
from import_export.resources import Resource

from credits import amounts, expirations, zones
from credits.models import Company

CHUNK_ROWS = 2000
# A spreadsheet runs a cell that begins with one of these.
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r")


@dataclass(frozen=True, slots=True)
class DayRange:
    """Inclusive local days of a company; None leaves that side open."""

    first: date | None = None
    last: date | None = None

    def limit(self, rows: QuerySet[Any], *, zone: ZoneInfo, instant: str) -> QuerySet[Any]:
        """Return the rows whose ``instant`` is in the range."""
        if self.first is not None:
            rows = rows.filter(**{f"{instant}__gte": zones.start_of_day(self.first, zone)})
        if self.last is not None:
            _, end = zones.days(self.last, self.last, zone)
            rows = rows.filter(**{f"{instant}__lt": end})
        return rows


@dataclass(frozen=True, slots=True)
class Totals:
    """What a report's file will hold, known before it is made."""

    row_count: int
    credits: Decimal


class Column(Field):
    """A column of figures or times, which no spreadsheet takes for a formula."""

    def __init__(self, header: str) -> None:
        super().__init__(column_name=header, readonly=True)


class TextColumn(Column):
    """A column of text that people or clients wrote."""


class CreditReport(Resource):
    """One report of one company, in the company's zone; ``dehydrate_<column>`` gives each cell.

    The stock import-export page and our own files come from the same cells, so they agree.
    """

    title: ClassVar[str]
    slug: ClassVar[str]

    class Meta:
        chunk_size = CHUNK_ROWS

    def __init__(self, *, company: Company) -> None:
        super().__init__()
        self.company = company
        self.zone = ZoneInfo(company.time_zone)

    @classmethod
    def get_display_name(cls) -> str:
        return cls.title

    def before_export(self, queryset: Any, **kwargs: Any) -> None:
        # A report and the page's balance agree only if both have written down what time did.
        expirations.settle(company=self.company)

    def export_field(self, field: Field, instance: Any, **kwargs: Any) -> str:
        cell = str(super().export_field(field, instance, **kwargs))
        return harmless(cell) if isinstance(field, TextColumn) else cell

    def get_user_visible_fields(self) -> list[Field]:
        return list(self.fields.values())

    def rows(self, days: DayRange) -> QuerySet[Any]:
        """Return the report's rows in a range of days, in the report's order."""
        raise NotImplementedError

    def totals(self, days: DayRange) -> Totals:
        """Count and add up what ``rows`` holds, in the database."""
        raise NotImplementedError

    def instant(self, value: datetime) -> str:
        """Return an instant with the company's offset, to the second."""
        return value.astimezone(self.zone).isoformat(timespec="seconds")

    @staticmethod
    def amount(value: Decimal) -> str:
        return amounts.text(value)


def harmless(cell: str) -> str:
    """Return text that a spreadsheet shows instead of running: an apostrophe comes before it."""
    return f"'{cell}" if cell.startswith(STARTS_A_FORMULA) else cell
