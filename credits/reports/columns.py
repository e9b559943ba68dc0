"""Kinds of columns: how a value is written as a cell, by Python and by PostgreSQL alike.

The twins must give the same text for every value; tests/credits/reports/test_equal_bytes.py
compares them over generated ones.
"""

from __future__ import annotations

from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db.models import Case, CharField, F, Func, TextField, Value, When
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, NullIf
from import_export.fields import Field

from credits import amounts

# A spreadsheet runs a cell that begins with one of these; some read the wide forms as well, and
# strip a line's end before they look.
STARTS_A_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n", "|", "＝", "＋", "－", "＠")
# A spreadsheet's number has 15 digits; a longer one would be shown rounded.
DIGITS_MAX = 15

Typed = str | Decimal | int | datetime | date | None


class Column(Field):
    """A header, the attribute of a row that it shows, and how.

    This kind has no twin in SQL: it shows whatever text Python gives it.
    """

    def __init__(self, header: str, attribute: str | None = None) -> None:
        super().__init__(attribute=attribute, column_name=header, readonly=True)

    def cell(self, value: Any, zone: ZoneInfo) -> str:
        """Return the value as text; empty for None."""
        return "" if value is None else str(value)

    def sql(self) -> Combinable | None:
        """Return the twin of ``cell``: text, in which NULL is empty; None if there is none."""
        return None

    def typed(self, cell: str) -> Typed:
        """Return a cell's text as what it is, for formats that have numbers and times."""
        return cell or None


class TextColumn(Column):
    """Text that people or clients wrote, which no spreadsheet will run."""

    def cell(self, value: Any, zone: ZoneInfo) -> str:
        return harmless(value or "")

    def sql(self) -> Combinable:
        return _harmless(F(self.attribute))


class PhraseColumn(Column):
    """A phrase of ours, put together by the database."""

    def sql(self) -> Combinable:
        return F(self.attribute)


class WordColumn(Column):
    """One of a few words of ours, named by a code."""

    def __init__(self, header: str, attribute: str, words: dict[Any, str]) -> None:
        super().__init__(header, attribute)
        self.words = {str(code): word for code, word in words.items()}

    def cell(self, value: Any, zone: ZoneInfo) -> str:
        return self.words[value]

    def sql(self) -> Combinable:
        cases = [
            When(**{self.attribute: code}, then=Value(word)) for code, word in self.words.items()
        ]
        return Case(*cases, output_field=CharField())


class IdColumn(Column):
    """An opaque public id; empty for none."""

    def cell(self, value: UUID | None, zone: ZoneInfo) -> str:
        return "" if value is None else str(value)

    def sql(self) -> Combinable:
        return Cast(F(self.attribute), TextField())


class CountColumn(Column):
    """A whole number; empty for none."""

    def sql(self) -> Combinable:
        return Cast(F(self.attribute), TextField())

    def typed(self, cell: str) -> Typed:
        return int(cell) if cell else None


class AmountColumn(Column):
    """Credits: all places that are not zero, at least one, no thousands separator."""

    def cell(self, value: Decimal, zone: ZoneInfo) -> str:
        return amounts.text(value)

    def sql(self) -> Combinable:
        return _to_char(F(self.attribute), f"FM{'9' * 24}0.099")

    def typed(self, cell: str) -> Typed:
        amount = Decimal(cell)
        return amount if len(amount.normalize().as_tuple().digits) <= DIGITS_MAX else cell


class InstantColumn(Column):
    """An instant: ISO 8601 with the company's offset, to the second."""

    def cell(self, value: datetime, zone: ZoneInfo) -> str:
        return value.astimezone(zone).isoformat(timespec="seconds")

    def sql(self) -> Combinable:
        return _to_char(F(self.attribute), 'YYYY-MM-DD"T"HH24:MI:SSTZH:TZM')

    def typed(self, cell: str) -> Typed:
        return datetime.fromisoformat(cell)


class DayColumn(Column):
    """The local day of an instant; ``is_end`` for the last day before an exclusive end.

    Empty for no end.
    """

    def __init__(self, header: str, attribute: str, *, is_end: bool = False) -> None:
        super().__init__(header, attribute)
        self.back = timedelta(microseconds=1 if is_end else 0)

    def cell(self, value: datetime | None, zone: ZoneInfo) -> str:
        return "" if value is None else (value - self.back).astimezone(zone).date().isoformat()

    def sql(self) -> Combinable:
        instant = F(self.attribute) - Value(self.back) if self.back else F(self.attribute)
        return _to_char(instant, "YYYY-MM-DD")

    def typed(self, cell: str) -> Typed:
        return date.fromisoformat(cell) if cell else None


class DateColumn(Column):
    """A local day that is stored as one; empty for none."""

    def cell(self, value: date | None, zone: ZoneInfo) -> str:
        return "" if value is None else value.isoformat()

    def sql(self) -> Combinable:
        return _to_char(F(self.attribute), "YYYY-MM-DD")

    def typed(self, cell: str) -> Typed:
        return date.fromisoformat(cell) if cell else None


def harmless(cell: str) -> str:
    """Return text that a spreadsheet shows instead of running: an apostrophe comes before it.

    So it does before apostrophes of the text's own: ``unguarded`` takes away the first.
    """
    return f"'{cell}" if cell.lstrip("'").startswith(STARTS_A_FORMULA) else cell


def unguarded(cell: str) -> str:
    """Return the text that ``harmless`` made a cell of."""
    is_guarded = cell.startswith("'") and cell.lstrip("'").startswith(STARTS_A_FORMULA)
    return cell[1:] if is_guarded else cell


def _harmless(text: Combinable) -> NullIf:
    """Return the twin of ``harmless``, in which empty is NULL: COPY writes ``""`` for empty text.

    A pattern reads the text once; it may be a subquery.
    """
    # The hyphen comes first, where it is a character like any other.
    starts = "-" + "".join(start for start in STARTS_A_FORMULA if start != "-")
    guarded = Func(
        *(text, Value(f"^('*[{starts}])"), Value(r"'\1")),
        function="regexp_replace",
        output_field=TextField(),
    )
    return NullIf(guarded, Value("", output_field=TextField()))


def _to_char(value: Combinable, pattern: str) -> Func:
    return Func(value, Value(pattern), function="to_char", output_field=TextField())
