"""Files of tracker configuration: how CSV and JSON are read and written.

A cell that holds several values is a JSON list in either: exact, and nothing a spreadsheet runs.
A person may also write one value a line.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Sequence
from typing import Any

from import_export.formats.base_formats import CSV, JSON
from tablib import Dataset

from credits.reports.columns import harmless, unguarded

BYTES_MAX = 1024 * 1024
ROWS_MAX = 500
TOLD_MAX = 60  # Characters of a file that a message repeats.


class BadFile(Exception):
    """A file that cannot be read as tracker configuration; the message says why."""


class TrackersCSV(CSV):
    """Comma-separated values in which no cell is run by a spreadsheet."""

    def export_data(self, dataset: Any, **kwargs: Any) -> str:
        file = io.StringIO(newline="")
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(dataset.headers)
        writer.writerows([_cell(value) for value in row] for row in dataset)
        return file.getvalue()


class TrackersJSON(JSON):
    """A list of objects, one a tracker."""

    def export_data(self, dataset: Any, **kwargs: Any) -> str:
        rows = [dict(zip(dataset.headers, row, strict=True)) for row in dataset]
        return json.dumps(rows, ensure_ascii=False, indent=1) + "\n"


def read(content: bytes, *, known: Sequence[str]) -> Dataset:
    """Read a CSV or JSON file, told apart by how it begins, into rows of the ``known`` columns.

    What a row does not name is None; the columns are all there, in their order.

    :raises BadFile: it is too large, no such file, or has columns that are not known.
    """
    if len(content) > BYTES_MAX:
        raise BadFile(f"The file is larger than {BYTES_MAX // 1024} kB. Split it.")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadFile("The file is not UTF-8 text. Save it as CSV (UTF-8) or JSON.") from error
    if "\x00" in text:
        raise BadFile("The file holds NUL characters. Save it as CSV (UTF-8) or JSON.")
    rows = _objects(text) if text.lstrip()[:1] in ("[", "{") else _records(text)
    if not rows:
        raise BadFile("The file has no tracker in it.")
    if len(rows) > ROWS_MAX:
        raise BadFile(f"The file has {len(rows)} trackers; at most {ROWS_MAX} at once. Split it.")
    for name in {name for row in rows for name in row} - set(known):
        raise BadFile(
            f"The file has a column “{told(name)}”, which trackers do not have. "
            f"They have: {', '.join(known)}."
        )
    dataset = Dataset(headers=list(known))
    for row in rows:
        dataset.append([row.get(name) for name in known])
    return dataset


def _objects(text: str) -> list[dict[str, Any]]:
    try:
        found = json.loads(text, object_pairs_hook=_once, parse_constant=_no_number)
    except (ValueError, RecursionError) as error:
        reason = str(error) if isinstance(error, _Twice) else "it is not JSON"
        raise BadFile(f"The file cannot be read: {reason}.") from error
    if not isinstance(found, list) or not all(isinstance(row, dict) for row in found):
        raise BadFile("The file is not a list of trackers, [{“name”: …}, …].")
    return found


class _Twice(ValueError):
    """An object of a JSON file names something twice."""


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise _Twice("a tracker in it names something twice")
    return found


def _no_number(name: str) -> Any:
    raise ValueError(f"{name} is no JSON")


def _records(text: str) -> list[dict[str, Any]]:
    try:
        lines = [line for line in csv.reader(io.StringIO(text, newline=""), strict=True) if line]
    except csv.Error as error:
        raise BadFile("The file cannot be read: it is neither CSV nor JSON.") from error
    if not lines:
        return []
    headers = [name.strip() for name in lines[0]]
    if len(set(headers)) < len(headers):
        raise BadFile("The file has a column twice. Take one of them out.")
    for number, line in enumerate(lines[1:], start=1):
        if len(line) != len(headers):
            raise BadFile(
                f"Row {number} of the file has {len(line)} cells and the head {len(headers)}."
            )
    return [
        {name: unguarded(cell) for name, cell in zip(headers, line, strict=True)}
        for line in lines[1:]
    ]


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, list):
        return json.dumps(value, ensure_ascii=False) if value else ""
    return "" if value is None else harmless(str(value))


def told(text: str) -> str:
    """Return what a message repeats of a file: the beginning of it, as far as it can be shown."""
    shown = "".join(letter for letter in text if letter.isprintable())
    return shown if len(shown) <= TOLD_MAX else f"{shown[:TOLD_MAX]}…"
