"""Read reports as their receivers do: workbooks by openpyxl, spreadsheets by LibreOffice."""

from __future__ import annotations

import io
import os
import subprocess
from datetime import date, datetime
from pathlib import Path
from typing import IO, Any

import openpyxl

from credits.reports import files
from credits.reports.base import CreditReport, DayRange

EVERYTHING = DayRange()


def written(report: CreditReport, days: DayRange = EVERYTHING, **options: Any) -> bytes:
    """Return a report's whole file."""
    file, _ = files.as_file(report, days, **options)
    with file:
        return file.read()


def workbook(content: bytes | IO[bytes]) -> openpyxl.Workbook:
    return openpyxl.load_workbook(io.BytesIO(content) if isinstance(content, bytes) else content)


def cells(content: bytes, sheet: str) -> list[list[Any]]:
    """Return a sheet's values as Python has them: floats, dates, text, None."""
    return [[cell.value for cell in row] for row in workbook(content)[sheet].iter_rows()]


def formulas(content: bytes) -> list[str]:
    """Return the cells of all sheets that a spreadsheet would compute."""
    return [
        f"{sheet.title}!{cell.coordinate}"
        for sheet in workbook(content)
        for row in sheet.iter_rows()
        for cell in row
        if cell.data_type == "f"
    ]


def kinds(content: bytes, sheet: str) -> list[str]:
    """Return what each column's cells below the header are: the one kind, or several joined."""
    found = []
    for column in workbook(content)[sheet].iter_cols(min_row=2):
        names = {_kind(cell) for cell in column if cell.value is not None}
        found.append(" or ".join(sorted(names)) or "empty")
    return found


def converted(path: Path, target: str, folder: Path) -> Path:
    """Let LibreOffice open a file, without a window, and write it as another format."""
    subprocess.run(
        ["soffice", "--headless", "--convert-to", target, "--outdir", folder, path],
        check=True,
        capture_output=True,
        timeout=180,
        # A profile of its own: two of them at once would else wait for each other.
        env=os.environ | {"HOME": str(folder)},
    )
    return folder / f"{path.stem}.{target.partition(':')[0]}"


def _kind(cell: Any) -> str:
    if cell.data_type == "f":
        return "formula"
    if isinstance(cell.value, datetime):
        # A cell without a time of day is shown as a day.
        return "time" if "h" in cell.number_format else "day"
    if isinstance(cell.value, date):
        return "day"
    return "number" if isinstance(cell.value, int | float) else "text"
