"""A report as a workbook: numbers as numbers, times as dates, and a sheet that holds it to account.

Text is written as text and nothing as a formula. A report too long for one sheet becomes several
workbooks in a zip, with a note.
"""

from __future__ import annotations

import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator
from datetime import date, datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import IO, Any

import xlsxwriter
from xlsxwriter.exceptions import FileCreateError

from credits.reports.base import CreditReport, DayRange
from credits.reports.columns import Typed, harmless
from credits.reports.control import Control

# A sheet has 1,048,576 rows, of which the headers take one.
SHEET_ROWS_MAX = 1_048_575
AMOUNT = "0.0##"
DAY = "yyyy-mm-dd"
WIDTHS = {"Feature name": 32, "Integration": 22, "Usage breakdown": 40, "User ID": 38}
WIDTH = 24
# Equal reports are equal files, whenever they are made.
MADE_AT = datetime(2000, 1, 1)  # noqa: DTZ001


def write(
    report: CreditReport,
    cells: Iterable[list[str]],
    file: IO[bytes],
    *,
    days: DayRange,
    figures: Control | None,
    row_count: int,
    folder: Path | None = None,
    sheet_rows_max: int = SHEET_ROWS_MAX,
) -> str:
    """Write a workbook, or a zip of several; return the extension the file's name needs.

    ``figures`` is None for rows that are no range of days; the control sheet then says so.

    :raises OSError: the disk is full, or the folder cannot be used.
    """
    facts = _facts(report, days, figures, row_count)
    rest = iter(cells)
    if row_count <= sheet_rows_max:
        _write_one(report, rest, file, facts, folder)
        return "xlsx"
    part_count = -(-row_count // sheet_rows_max)
    with zipfile.ZipFile(file, "w") as archive:
        for part in range(part_count):
            name = f"{report.slug}-part-{part + 1}-of-{part_count}.xlsx"
            first, last = part * sheet_rows_max + 1, min((part + 1) * sheet_rows_max, row_count)
            here = [("Part", f"{part + 1} of {part_count}: rows {first:,} to {last:,}", "")]
            with tempfile.TemporaryFile(dir=folder) as one:
                _write_one(report, islice(rest, sheet_rows_max), one, here + facts, folder)
                one.seek(0)
                with archive.open(_entry(name), "w", force_zip64=True) as target:
                    while block := one.read(1 << 20):
                        target.write(block)
        archive.writestr(_entry("README.txt"), _note(report, row_count, part_count, sheet_rows_max))
    return "zip"


def _write_one(
    report: CreditReport,
    cells: Iterator[list[str]],
    file: IO[bytes],
    facts: list[tuple[str, Any, str]],
    folder: Path | None,
) -> None:
    target = _Target(file)
    with tempfile.TemporaryDirectory(dir=folder) as rows_folder:
        options = {
            "constant_memory": True,
            "tmpdir": rows_folder,
            "strings_to_formulas": False,
            "strings_to_urls": False,
            "strings_to_numbers": False,
        }
        book = xlsxwriter.Workbook(target, options)
        book.set_properties({"title": report.title, "created": MADE_AT})
        try:
            writer = _Writer(book)
            writer.report(report, cells)
            writer.control(facts)
            book.close()
        except FileCreateError as error:
            target.give_up(error.args[0])
        except OSError as error:
            target.give_up(error)
    if target.error is not None:
        raise target.error


class _Target:
    """Where a workbook goes. After the first error it takes anything and keeps nothing.

    XlsxWriter's archive, once a write failed, would fail again when it is thrown away, where
    nobody can catch it; so it never learns of the error, and we raise it afterwards.
    """

    def __init__(self, file: IO[bytes]) -> None:
        self.file = file
        self.position = file.tell()
        self.error: OSError | None = None

    def give_up(self, error: OSError) -> None:
        self.error = self.error or error

    def write(self, data: bytes) -> int:
        self._try(self.file.write, data)
        self.position += len(data)
        return len(data)

    def seek(self, offset: int) -> int:
        self._try(self.file.seek, offset)
        self.position = offset
        return offset

    def tell(self) -> int:
        return self.position

    def flush(self) -> None:
        self._try(self.file.flush)

    def _try(self, operation: Callable[..., Any], *arguments: Any) -> None:
        if self.error is None:
            try:
                operation(*arguments)
            except OSError as error:
                self.give_up(error)


class _Writer:
    """One workbook's formats, and how a cell of each type is written."""

    def __init__(self, book: xlsxwriter.Workbook) -> None:
        self.book = book
        self.heading = book.add_format({"bold": True, "bottom": 1})
        self.amount = book.add_format({"num_format": AMOUNT})
        self.day = book.add_format({"num_format": DAY})
        self.by_offset: dict[str, Any] = {}

    def report(self, report: CreditReport, cells: Iterator[list[str]]) -> None:
        sheet = self.book.add_worksheet(report.title)
        sheet.freeze_panes(1, 0)
        columns = report.columns
        for place, column in enumerate(columns):
            sheet.set_column(place, place, WIDTHS.get(column.column_name, WIDTH))
            sheet.write_string(0, place, column.column_name, self.heading)
        for line, row in enumerate(cells, start=1):
            for place, (column, cell) in enumerate(zip(columns, row, strict=True)):
                self.write(sheet, line, place, column.typed(cell))

    def control(self, facts: list[tuple[str, Any, str]]) -> None:
        sheet = self.book.add_worksheet("Control")
        sheet.set_column(0, 0, 58)
        sheet.set_column(1, 2, 30)
        for place, header in enumerate(("Figure", "Value", "Check")):
            sheet.write_string(0, place, header, self.heading)
        for line, fact in enumerate(facts, start=1):
            for place, value in enumerate(fact):
                self.write(sheet, line, place, value)

    def write(self, sheet: Any, line: int, place: int, value: Typed) -> None:
        match value:
            case None | "":
                return
            case str():
                sheet.write_string(line, place, value)
            case datetime():
                # The cell shows the text of the CSV: the local time, and its offset after it.
                local = value.replace(tzinfo=None)
                sheet.write_datetime(line, place, local, self._with_offset(value))
            case date():
                sheet.write_datetime(line, place, value, self.day)
            case Decimal():
                sheet.write_number(line, place, value, self.amount)
            case _:
                sheet.write_number(line, place, value)

    def _with_offset(self, value: datetime) -> Any:
        offset = value.isoformat(timespec="seconds")[-6:]
        if offset not in self.by_offset:
            pattern = f'yyyy-mm-dd"T"hh:mm:ss"{offset}"'
            self.by_offset[offset] = self.book.add_format({"num_format": pattern})
        return self.by_offset[offset]


def _facts(
    report: CreditReport, days: DayRange, figures: Control | None, row_count: int
) -> list[tuple[str, Any, str]]:
    zone = report.company.time_zone
    facts: list[tuple[str, Any, str]] = [
        ("Report", report.title, ""),
        ("Company", harmless(report.company.name), ""),
        ("First day", days.first or "the first there is", ""),
        ("Last day", days.last or "the last there is", ""),
        ("Time zone of all days and times", zone, ""),
        ("Rows", row_count, ""),
    ]
    if figures is None:
        note = "These rows were filtered in a list, so they need not add up to the balance."
        return [*facts, ("Control", note, "")]
    ledger = f"#{figures.sequence}" if figures.sequence else "empty"
    return [
        *facts,
        ("Ledger entries up to", ledger, ""),
        ("Opening balance", figures.opening, ""),
        ("+ added", figures.added, ""),
        ("− used", figures.used, ""),
        ("− expired", figures.expired, ""),
        ("± corrected", figures.corrected, ""),
        ("= closing balance", figures.closing, _agrees(figures.result == figures.closing)),
        ("Credits used by the usage report", figures.usage, ""),
        (
            "Credits Used by the balance report",
            figures.used,
            _agrees(figures.usage == figures.used),
        ),
        (
            "Rows of the balance report that do not begin with what the row above left",
            figures.broken_links,
            _agrees(figures.broken_links == 0),
        ),
        ("Remaining credits of all grants, now", figures.granted_remaining, ""),
        (
            "Remaining credits on the credits page, now",
            figures.remaining,
            _agrees(figures.granted_remaining == figures.remaining),
        ),
    ]


def _agrees(is_equal: bool) -> str:
    return "agrees" if is_equal else "DIFFERS"


def _entry(name: str) -> zipfile.ZipInfo:
    return zipfile.ZipInfo(name, MADE_AT.timetuple()[:6])


def _note(report: CreditReport, row_count: int, part_count: int, sheet_rows_max: int) -> str:
    return (
        f"{report.title} of {report.company.name}\r\n\r\n"
        f"The report has {row_count:,} rows and a sheet holds {sheet_rows_max:,}, so it is in\r\n"
        f"{part_count} workbooks, to be read in the order of their numbers. Each has the\r\n"
        "headers and, on its sheet “Control”, the figures of the whole report.\r\n"
    )
