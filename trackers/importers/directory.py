"""Read CSV files of accounts and deals, as a CRM exports them; a bad row costs only itself."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from trackers.importers import reading
from trackers.importers.reading import BadLine, SourceFile, TooManyRows
from trackers.importers.records import ID_LENGTH_MAX, BadRecord

FILE_BYTES_MAX = 256 * 1024 * 1024
HEADER_LENGTH_MAX = 64 * 1024
NAME_LENGTH_MAX = 200
LABEL_LENGTH_MAX = 100
SEPARATORS = (",", ";", "\t")
# What a column may be called, in small letters.
COLUMNS = {
    "account": ("account", "account name"),
    "account_id": ("account id", "account crm id"),
    "account_type": ("account type", "type"),
    "deal": ("deal", "deal name", "opportunity", "opportunity name"),
    "deal_id": ("deal id", "deal crm id", "opportunity id"),
    "stage": ("stage", "deal stage", "stage name"),
}


@dataclass(frozen=True, slots=True)
class DirectoryRow:
    """One line: an account with its type, or one of its deals with its stage; ids are the CRM's.

    None where the file has no such column, or nothing in it: what is stored stays.
    """

    number: int
    account: str
    account_type: str | None
    deal: str | None
    stage: str | None
    account_id: str | None = None
    deal_id: str | None = None


class Reader:
    """Reads the rows of files; what cannot be read is collected in ``bad_lines``."""

    def __init__(self, files: list[SourceFile], *, rows_max: int | None = None) -> None:
        self.files = files
        self.rows_max = rows_max
        self.bad_lines: list[BadLine] = []
        self.count = 0
        self._types: dict[str, str] = {}
        self._stages: dict[tuple[str, str], str] = {}
        self._ids: dict[tuple[str, ...], str] = {}

    def __iter__(self) -> Iterator[DirectoryRow]:
        """Read the files.

        :raises TooManyRows: they have more than ``rows_max``.
        """
        self.bad_lines.clear()
        self.count = 0
        self._types.clear()
        self._stages.clear()
        self._ids.clear()
        total = 0
        for file in self.files:
            name = str(file)
            try:
                for number, cells in _rows(file):
                    total += 1
                    if self.rows_max is not None and total > self.rows_max:
                        raise TooManyRows(self.rows_max)
                    try:
                        row = self._checked(_row(number, cells))
                    except BadRecord as error:
                        self.bad_lines.append(BadLine(name, number, str(error)))
                        continue
                    self.count += 1
                    yield row
            except BadRecord as error:
                self.bad_lines.append(BadLine(name, 1, str(error)))

    def _checked(self, row: DirectoryRow) -> DirectoryRow:
        """Refuse what another row has said otherwise: nobody can say which one is meant."""
        if row.account_type is not None:
            said = self._types.setdefault(row.account, row.account_type)
            if said != row.account_type:
                raise BadRecord(f"account {row.account} came before with another type")
        if row.deal is not None and row.stage is not None:
            said = self._stages.setdefault((row.account, row.deal), row.stage)
            if said != row.stage:
                raise BadRecord(f"deal {row.deal} of {row.account} came before in another stage")
        for name, key, place in (
            (f"account {row.account}", row.account_id, (row.account,)),
            (f"deal {row.deal} of {row.account}", row.deal_id, (row.account, row.deal or "")),
        ):
            if key is not None and self._ids.setdefault(place, key) != key:
                raise BadRecord(f"{name} came before with another id")
        return row


def looks_like(start: bytes) -> bool:
    """Tell from a file's first bytes whether its first line has a column for accounts."""
    first = start.removeprefix(reading.UTF8_MARK).decode(errors="replace").lstrip()
    if first.startswith(("{", "[")):
        return False  # JSON, whatever its first line holds.
    try:
        header: list[str] = next(_lines(first), [])
    except csv.Error:
        return False
    return any(_called(cell) in COLUMNS["account"] for cell in header)


def _lines(text: str) -> Any:
    """Cut a file into lines of cells, by the separator that its first line has most of."""
    first = next(iter(text[:HEADER_LENGTH_MAX].splitlines()), "")
    return csv.reader(io.StringIO(text, newline=""), delimiter=max(SEPARATORS, key=first.count))


def _rows(file: SourceFile) -> Iterator[tuple[int, dict[str, str]]]:
    """Yield the cells of known columns by name, with the number of the line."""
    with reading.opened(file) as content:
        data = content.read(FILE_BYTES_MAX + 1)
    if len(data) > FILE_BYTES_MAX:
        raise BadRecord(f"the file is larger than {FILE_BYTES_MAX // (1024 * 1024)} MB; split it")
    try:
        text = reading.without_mark(data).decode()
    except UnicodeDecodeError as error:
        raise BadRecord("the file is not in UTF-8; save it as CSV UTF-8") from error
    lines = _lines(text)
    try:
        header: list[str] = next(lines, [])
        places = _places(header)
        for cells in lines:
            if any(cell.strip() for cell in cells):
                yield (
                    lines.line_num,
                    {name: cells[place] for name, place in places.items() if place < len(cells)},
                )
    except csv.Error as error:
        raise BadRecord(f"line {lines.line_num} is no CSV: {error}") from error


def _places(header: list[str]) -> dict[str, int]:
    places = {}
    for name, names in COLUMNS.items():
        found = [place for place, cell in enumerate(header) if _called(cell) in names]
        if len(found) > 1:
            written = " and ".join(f"“{header[place].strip()}”" for place in found)
            raise BadRecord(
                f"the first line has {len(found)} columns for the {name.replace('_', ' ')}, "
                f"{written}; keep one"
            )
        if found:
            places[name] = found[0]
    if "account" not in places:
        raise BadRecord("the first line names no column “Account”")
    return places


def _called(cell: str) -> str:
    """Return a column's name as ``COLUMNS`` has it."""
    return cell.strip().casefold().replace("_", " ")


def _row(number: int, cells: dict[str, str]) -> DirectoryRow:
    row = DirectoryRow(
        number,
        _cell(cells, "account", NAME_LENGTH_MAX) or "",
        _cell(cells, "account_type", LABEL_LENGTH_MAX),
        _cell(cells, "deal", NAME_LENGTH_MAX),
        _cell(cells, "stage", LABEL_LENGTH_MAX),
        _cell(cells, "account_id", ID_LENGTH_MAX),
        _cell(cells, "deal_id", ID_LENGTH_MAX),
    )
    if not row.account:
        raise BadRecord("the account has no name")
    if row.stage is not None and row.deal is None:
        raise BadRecord("a stage needs the deal it is of")
    if row.deal_id is not None and row.deal is None:
        raise BadRecord("the id of a deal needs the deal it is of")
    return row


def _cell(cells: dict[str, str], name: str, length_max: int) -> str | None:
    text = cells.get(name, "").strip()
    if "\x00" in text:
        raise BadRecord(f"{name.replace('_', ' ')} holds a NUL character")
    if any(letter in text for letter in "\r\n"):
        raise BadRecord(
            f"{name.replace('_', ' ')} should have no line break; is a quote never closed?"
        )
    if len(text) > length_max:
        raise BadRecord(f"{name.replace('_', ' ')} should have at most {length_max} characters")
    return text or None
