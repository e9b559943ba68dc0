"""What the readers of import files share: where bytes come from, what is left out, limits."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import BinaryIO

from trackers.importers import records
from trackers.importers.records import BadRecord, ConversationRecord

UTF8_MARK = b"\xef\xbb\xbf"
# What other encodings begin with, by the name people know them by.
OTHER_MARKS = (
    (b"\xff\xfe\x00\x00", "UTF-32"),
    (b"\x00\x00\xfe\xff", "UTF-32"),
    (b"\xff\xfe", "UTF-16"),
    (b"\xfe\xff", "UTF-16"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "ZIP"),
)


class TooManyRows(Exception):
    """A file has more rows than one import may have."""

    def __init__(self, limit: int) -> None:
        super().__init__(
            f"There are more than {limit:,} rows, which is the most for one upload. Split the "
            "file, or ask whoever runs the server to import it."
        )


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out, and why."""

    file: str
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.number}: {self.reason}"


@dataclass(frozen=True, slots=True)
class MemoryFile:
    """A file that is not on disk: what somebody uploaded."""

    name: str
    content: bytes

    def __str__(self) -> str:
        return self.name


SourceFile = Path | MemoryFile


def opened(file: SourceFile) -> BinaryIO:
    """Open a file for reading bytes from its start."""
    return BytesIO(file.content) if isinstance(file, MemoryFile) else file.open("rb")


def without_mark(start: bytes) -> bytes:
    """Return the first bytes of a file without a byte order mark.

    :raises BadRecord: they are text in another encoding than UTF-8, or are packed.
    """
    for mark, name in OTHER_MARKS:
        if start.startswith(mark):
            if name in ("gzip", "ZIP"):
                raise BadRecord(f"the file is packed ({name}); unpack it first")
            raise BadRecord(f"the file is in {name}; save it as UTF-8")
    return start.removeprefix(UTF8_MARK)


class Reader:
    """Iterates over the records of files; what cannot be read is collected in ``bad_lines``.

    The same id with the same content again is counted in ``repeats`` and left out; with other
    content it is a bad line, because nobody can say which one is meant. ``count`` is of the
    records passed on, ``notes`` what the reader had to decide. Each iteration reads anew.
    """

    def __init__(
        self,
        files: list[Path] | list[MemoryFile],
        *,
        arrived_at: datetime,
        on_bytes: Callable[[int], object] = lambda size: None,
        rows_max: int | None = None,
    ) -> None:
        self.files: tuple[SourceFile, ...] = tuple(files)
        self.arrived_at = arrived_at
        self.on_bytes = on_bytes
        self.rows_max = rows_max
        self.bad_lines: list[BadLine] = []
        self.notes: list[str] = []
        self.count = 0
        self.repeats = 0
        self._seen: dict[str, bytes] = {}

    def __iter__(self) -> Iterator[ConversationRecord]:
        """Read the files.

        :raises TooManyRows: they have more than ``rows_max``.
        """
        self.bad_lines.clear()
        self.notes.clear()
        self.count = self.repeats = 0
        self._seen.clear()
        for record in self._read():
            self.count += 1
            yield record

    def _read(self) -> Iterator[ConversationRecord]:
        raise NotImplementedError

    def _limit(self, row_count: int) -> None:
        if self.rows_max is not None and row_count > self.rows_max:
            raise TooManyRows(self.rows_max)

    def _once(self, record: ConversationRecord) -> ConversationRecord | None:
        """Return a record that may be taken in; None for one that came before.

        :raises BadRecord: it is dated in the future, or came before with different content.
        """
        records.refuse_future(record, arrived_at=self.arrived_at)
        digest = record.text_digest + record.metadata_digest
        before = self._seen.setdefault(record.id, digest)
        if before != digest:
            raise BadRecord(f"id {record.id} came before with different content")
        if before is not digest:
            self.repeats += 1
            return None
        return record
