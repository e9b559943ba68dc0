"""Write a report to a file: CSV, XLSX or JSON, at any size; memory does not grow with the rows.

All three hold the same cells. The rows come once, as CSV, and are those of one state of the
ledger; the other formats are made from that file afterwards.
"""

from __future__ import annotations

import codecs
import json
import tempfile
from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from credits import snapshots
from credits.models import ExportFormat as Format
from credits.reports import control, rows, workbook
from credits.reports.base import CreditReport, DayRange
from credits.reports.rows import OnRows, silent

SPOOL_BYTES_MAX = 1 << 20


@dataclass(frozen=True, slots=True)
class Written:
    """What was written: a workbook too long for one sheet is a zip of several."""

    row_count: int
    extension: str


CONTENT_TYPES = {
    "csv": "text/csv; charset=utf-8",
    "json": "application/json",
    "xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    "zip": "application/zip",
}


def write(
    report: CreditReport,
    days: DayRange,
    file: IO[bytes],
    *,
    file_format: str = Format.CSV,
    has_bom: bool = False,
    on_rows: OnRows = silent,
    folder: Path | None = None,
) -> Written:
    """Write a whole file; ``has_bom`` begins a CSV with the mark by which Excel knows UTF-8.

    ``on_rows`` is told how far it is. ``folder`` takes what has to lie on disk meanwhile.

    :raises OSError: the disk is full, or the folder cannot be used.
    """
    report.before_export(None)
    if file_format == Format.CSV:
        file.write(codecs.BOM_UTF8 if has_bom else b"")
        rows.write_header(report, file)
        with _one_state(report):
            row_count = rows.write(report, days, file, on_rows=on_rows)
        return Written(row_count, "csv")
    with tempfile.TemporaryFile(dir=folder) as spool:
        with _one_state(report):
            figures = control.of(
                company=report.company,
                days=days,
                sequence=report.limit().sequence if report.is_cut else None,
            )
            row_count = rows.write(report, days, spool, on_rows=lambda _: on_rows(0))
        spool.seek(0)
        cells = _counted(rows.read(spool), on_rows)
        if file_format == Format.JSON:
            write_json(report, cells, file)
            return Written(row_count, "json")
        extension = workbook.write(
            report, cells, file, days=days, figures=figures, row_count=row_count, folder=folder
        )
        return Written(row_count, extension)


def _one_state(report: CreditReport) -> AbstractContextManager[None]:
    """Let all that is read be of one state: of the limit where pieces are, else of a snapshot."""
    return nullcontext() if report.is_cut else snapshots.taken()


def as_file(
    report: CreditReport, days: DayRange, *, file_format: str = Format.CSV, has_bom: bool = False
) -> tuple[IO[bytes], Written]:
    """Return a temporary file, at its beginning, that the caller closes and thereby removes."""
    file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES_MAX)  # noqa: SIM115
    try:
        written = write(report, days, file, file_format=file_format, has_bom=has_bom)
        file.seek(0)
    except BaseException:
        file.close()
        raise
    return file, written


def write_json(report: CreditReport, cells: Iterable[list[str]], file: IO[bytes]) -> None:
    """Write objects keyed by header, every cell as a string, laid out as tablib does."""
    headers = report.get_export_headers()
    file.write(b"[")
    for place, row in enumerate(cells):
        line = json.dumps(dict(zip(headers, row, strict=True)), ensure_ascii=False)
        file.write(f"{', ' if place else ''}{line}".encode())
    file.write(b"]")


def _counted(cells: Iterable[list[str]], on_rows: OnRows) -> Iterable[list[str]]:
    for count, row in enumerate(cells, start=1):
        yield row
        if count % rows.BATCH_ROWS == 0:
            on_rows(count)
