"""Which reader understands which files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from trackers.importers import directory, gong, jsonl, reading
from trackers.importers.reading import MemoryFile, Reader, SourceFile
from trackers.models import ImportFormat

HEAD_BYTES = 64 * 1024

_READERS: dict[str, type[Reader]] = {
    ImportFormat.JSONL: jsonl.Reader,
    ImportFormat.GONG: gong.Reader,
}
_TELLING = (ImportFormat.DIRECTORY, ImportFormat.GONG)


class MixedFiles(Exception):
    """Upload accounts and deals (CSV) by themselves, not together with calls and e-mails."""


def reader_of(
    import_format: str,
    files: list[Path] | list[MemoryFile],
    *,
    arrived_at: datetime,
    on_bytes: Callable[[int], object] = lambda size: None,
    rows_max: int | None = None,
) -> Reader:
    """Return the reader of conversations in a format."""
    made = _READERS[import_format]
    return made(files, arrived_at=arrived_at, on_bytes=on_bytes, rows_max=rows_max)


def detect(files: list[Path] | list[MemoryFile]) -> ImportFormat:
    """Tell the format of files from their names and beginnings.

    :raises MixedFiles: some hold accounts and deals, others calls and e-mails.
    """
    found = {_format_of(file) for file in files}
    if ImportFormat.DIRECTORY in found and len(found) > 1:
        raise MixedFiles(MixedFiles.__doc__)
    # One half of Gong's calls may have a beginning that does not tell.
    return next((one for one in _TELLING if one in found), ImportFormat.JSONL)


def _format_of(file: SourceFile) -> ImportFormat:
    with reading.opened(file) as content:
        start = content.read(HEAD_BYTES)
    if file.name.casefold().endswith(".csv") or directory.looks_like(start):
        return ImportFormat.DIRECTORY
    return ImportFormat.GONG if gong.looks_like(start) else ImportFormat.JSONL
