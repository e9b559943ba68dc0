"""A report's rows as CSV, straight from PostgreSQL or through Python: equal bytes either way.

The rows go to a file before anybody is served: a cursor kept open by a slow reader would keep its
snapshot open too, and cost charging on a busy company nine tenths of its speed.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import IO
from zoneinfo import ZoneInfo

from django.db import connection, transaction

from credits.reports.base import CreditReport, DayRange

# Told how many rows are written; may raise to end the work.
OnRows = Callable[[int], None]
ROWS_BETWEEN_REPORTS = 1000
# A quoted field, however many lines it has, or the end of a line outside of one.
_QUOTED_OR_LINE_END = re.compile(rb'"[^"]*"|\n')


def silent(row_count: int) -> None:
    """Tell nobody how far the rows are."""


def write_header(report: CreditReport, file: IO[bytes]) -> None:
    file.write(_line(report.get_export_headers()))


def write(
    report: CreditReport, days: DayRange, file: IO[bytes], *, on_rows: OnRows = silent
) -> int:
    """Write the rows of a range: UTF-8, CRLF, quoted only where needed; return how many.

    The columns are read once and compiled to one SELECT for COPY; a report with a column that
    only Python can write takes the slower way.
    """
    found = report.rows(days)
    statement = report.statement(found)
    if statement is None:
        lines = (_line(report.export_resource(row)) for row in report.iter_queryset(found))
        return _write_lines(lines, file, on_rows)
    with _session_in(report.zone), connection.cursor() as cursor:
        sql, parameters = statement
        with cursor.copy(
            f"COPY ({sql}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')", parameters
        ) as rows:
            return _write_lines(_with_crlf(rows), file, on_rows)


def _write_lines(lines: Iterable[bytes], file: IO[bytes], on_rows: OnRows) -> int:
    row_count = 0
    waiting: list[bytes] = []
    for line in lines:
        waiting.append(line)
        if len(waiting) == ROWS_BETWEEN_REPORTS:
            file.write(b"".join(waiting))
            row_count += len(waiting)
            waiting.clear()
            on_rows(row_count)
    file.write(b"".join(waiting))
    return row_count + len(waiting)


def _with_crlf(blocks: Iterable[memoryview | bytes]) -> Iterator[bytes]:
    """Yield whole rows ended by CRLF; COPY ends them with LF.

    PostgreSQL sends each row as one block, which its protocol does not promise: a block that is
    not plainly one row is put together and taken apart at line ends outside of quotes.
    """
    rest = b""
    for block in blocks:
        part = rest + bytes(block)
        if part.count(b"\n") == 1 and part.endswith(b"\n") and part.count(b'"') % 2 == 0:
            rest = b""
            yield part[:-1] + b"\r\n"
            continue
        *rows, rest = _split(part)
        yield from rows
    if rest:
        raise ValueError("COPY ended in the middle of a row.")


def _split(part: bytes) -> list[bytes]:
    """Cut at line ends outside of quotes; the last piece is what is not yet a whole row."""
    pieces: list[bytes] = []
    begin = 0
    # A quote without its pair matches nothing, and the line ends after it may be inside a field.
    end_of_pairs = len(part) if part.count(b'"') % 2 == 0 else part.rfind(b'"')
    for match in _QUOTED_OR_LINE_END.finditer(part, 0, end_of_pairs):
        if match[0] == b"\n":
            pieces.append(part[begin : match.start()] + b"\r\n")
            begin = match.end()
    return [*pieces, part[begin:]]


@contextmanager
def _session_in(zone: ZoneInfo) -> Iterator[None]:
    """Let the database write times in a zone, by the zone's own name.

    ``AT TIME ZONE 'CET'`` would mean a fixed offset: PostgreSQL looks for abbreviations first.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [zone.key])
        yield
        # Inside a caller's transaction the setting would outlive us.
        cursor.execute("SELECT set_config('TimeZone', %s, true)", [connection.timezone_name])


def read(file: IO[bytes]) -> Iterator[list[str]]:
    """Yield the cells of rows written before, from the file's current place."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="")
    try:
        yield from csv.reader(text)
    finally:
        # Else the file would be closed with its reader.
        text.detach()


def _line(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()
