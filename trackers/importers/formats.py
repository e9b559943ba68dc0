"""Which reader understands which files."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from pathlib import Path

from trackers.importers import gong, jsonl, reading
from trackers.importers.reading import MemoryFile, Reader
from trackers.models import ImportFormat

HEAD_BYTES = 64 * 1024

_READERS: dict[str, type[Reader]] = {
    ImportFormat.JSONL: jsonl.Reader,
    ImportFormat.GONG: gong.Reader,
}


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
    """Tell the format of conversations from the beginning of the files."""
    for file in files:
        with reading.opened(file) as content:
            if gong.looks_like(content.read(HEAD_BYTES)):
                return ImportFormat.GONG
    return ImportFormat.JSONL
