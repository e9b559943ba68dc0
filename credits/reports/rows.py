"""A report's rows as CSV, straight from PostgreSQL or through Python: equal bytes either way.

The rows go to a file before anybody is served: a cursor kept open by a slow reader would keep its
snapshot open too, and cost charging on a busy company nine tenths of its speed. Long reports are
copied in pieces for the same reason (Note [Pieces are one report]).
"""

from __future__ import annotations

import csv
import io
import re
import select
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing, contextmanager
from itertools import islice
from typing import IO, Any
from zoneinfo import ZoneInfo

from django.db import connection, transaction
from django.db.models import QuerySet
from psycopg import ClientCursor, OperationalError, pq
from psycopg.errors import error_from_result

from credits.reports.base import CreditReport, DayRange

# Told how many rows are written; may raise to end the work.
OnRows = Callable[[int], None]
BATCH_ROWS = 1000
PART_BYTES = 100_000
# How long a wait for the server may keep a signal, such as a task's time limit, from being heard.
WAIT_SECONDS_MAX = 1.0
# What a piece of rows takes to be sorted; with PostgreSQL's 4 MB it would go through a file.
SORT_MEMORY = "32MB"
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
    # A transaction for each piece: between two of them no snapshot is open.
    row_count = 0
    for piece in report.pieces(days):
        with transaction.atomic(), closing(_contents(report, piece)) as contents:
            for count, content in contents:
                file.write(content)
                row_count += count
                on_rows(row_count)
    return row_count


def _contents(
    report: CreditReport, piece: QuerySet[Any]
) -> Generator[tuple[int, bytes], None, None]:
    """Yield how many rows come, and their bytes."""
    statement = report.statement(piece)
    if statement is None:
        yield from _batches(
            _line(report.export_resource(row)) for row in report.iter_queryset(piece)
        )
        return
    # Closed at once, also when we are told to stop: the connection is in the middle of COPY.
    with _session_in(report.zone), closing(_copied(*statement)) as blocks:
        yield from _with_crlf(blocks)


def _batches(lines: Iterator[bytes]) -> Iterator[tuple[int, bytes]]:
    while batch := list(islice(lines, BATCH_ROWS)):
        yield len(batch), b"".join(batch)


def _copied(sql: str, parameters: tuple[Any, ...]) -> Generator[bytes, None, None]:
    """Yield what COPY sends, as it comes, in parts that end anywhere.

    Through libpq itself: psycopg's own way of reading costs more than the rest together.
    """
    with connection.cursor() as cursor:
        psycopg_connection: Any = cursor.connection
        pgconn = psycopg_connection.pgconn
        statement = ClientCursor(psycopg_connection).mogrify(
            f"COPY ({sql}) TO STDOUT (FORMAT csv, ENCODING 'UTF8')", parameters
        )
        # What was sent is read to its end, whatever happens: the connection is Django's.
        with connection.wrap_database_errors:
            pgconn.send_query(statement.encode())
            try:
                _expect(pgconn, pq.ExecStatus.COPY_OUT)
                yield from _blocks(pgconn)
                _expect(pgconn, pq.ExecStatus.COMMAND_OK)
            finally:
                _drain(pgconn)


def _blocks(pgconn: Any) -> Iterator[bytes]:
    """Yield what comes in parts of ``PART_BYTES`` and at most a row more.

    Nothing of a row is kept but its bytes: a list of a thousand blocks costs five times as much,
    most of it Python's search for cycles among them.
    """
    take = pgconn.get_copy_data
    part = bytearray()
    while True:
        size, block = take(1)
        if size > 0:
            part += block
            if len(part) >= PART_BYTES:
                yield bytes(part)
                part.clear()
        elif size == 0:
            _wait(pgconn)
        else:
            break
    if part:
        yield bytes(part)


def _expect(pgconn: Any, status: pq.ExecStatus) -> None:
    """Take the next result.

    :raises psycopg.Error: the server's, when it is another one.
    """
    while pgconn.is_busy():
        _wait(pgconn)
    result = pgconn.get_result()
    if result is None:
        raise OperationalError("The server ended COPY without a result.")
    if result.status != status:
        raise error_from_result(result)


def _wait(pgconn: Any) -> None:
    select.select([pgconn.socket], [], [], WAIT_SECONDS_MAX)
    pgconn.consume_input()


def _drain(pgconn: Any) -> None:
    """Leave the connection fit for its next statement, also in the middle of the rows."""
    if pgconn.status != pq.ConnStatus.OK:
        return
    if pgconn.transaction_status == pq.TransactionStatus.ACTIVE:
        pgconn.get_cancel().cancel()
    while (result := pgconn.get_result()) is not None:
        while result.status == pq.ExecStatus.COPY_OUT and pgconn.get_copy_data(0)[0] > 0:
            continue


def _with_crlf(parts: Iterable[bytes]) -> Iterator[tuple[int, bytes]]:
    """Yield whole rows ended by CRLF, and how many; COPY ends them with LF.

    A part may end anywhere, also inside a row or between two quotes. Where no field has lines of
    its own, every line end is that of a row.
    """
    rest = b""
    for content in parts:
        part = rest + content
        between_quotes = part.split(b'"')
        is_whole = len(between_quotes) % 2 == 1 and part.endswith(b"\n")
        if is_whole and b"\n" not in b"".join(between_quotes[1::2]):
            rest = b""
            yield part.count(b"\n"), part.replace(b"\n", b"\r\n")
            continue
        *rows, rest = _split(part)
        yield len(rows), b"".join(rows)
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
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT current_setting('work_mem'), set_config('TimeZone', %s, true),"
            " set_config('work_mem', %s, true)",
            [zone.key, SORT_MEMORY],
        )
        work_mem = cursor.fetchone()[0]
        yield
        # Inside a caller's transaction the settings would outlive us.
        cursor.execute(
            "SELECT set_config('TimeZone', %s, true), set_config('work_mem', %s, true)",
            [connection.timezone_name, work_mem],
        )


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
