"""Read JSON Lines files of conversations, one record a line; a bad line costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import BinaryIO

from trackers.importers import records
from trackers.importers.records import BadRecord, ConversationRecord

LINE_BYTES_MAX = 16 * 1024 * 1024


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that was left out, and why."""

    file: str
    number: int
    reason: str

    def __str__(self) -> str:
        return f"{self.file}, line {self.number}: {self.reason}"


class Reader:
    """Iterates over the records of files; what cannot be read is collected in ``bad_lines``.

    The same id with the same content again is counted in ``repeats`` and left out; with other
    content it is a bad line, because nobody can say which one is meant. ``count`` is of the
    records passed on. Each iteration reads the files anew.
    """

    def __init__(
        self,
        files: list[Path],
        *,
        arrived_at: datetime,
        on_bytes: Callable[[int], object] = lambda size: None,
    ) -> None:
        self.files = files
        self.arrived_at = arrived_at
        self.on_bytes = on_bytes
        self.bad_lines: list[BadLine] = []
        self.count = 0
        self.repeats = 0
        self._seen: dict[str, bytes] = {}

    def __iter__(self) -> Iterator[ConversationRecord]:
        self.bad_lines.clear()
        self.count = self.repeats = 0
        self._seen.clear()
        for file in self.files:
            with file.open("rb") as lines:
                yield from self._records(str(file), lines)

    def _records(self, name: str, lines: BinaryIO) -> Iterator[ConversationRecord]:
        number = 0
        while line := lines.readline(LINE_BYTES_MAX + 1):
            number += 1
            self.on_bytes(len(line))
            try:
                if len(line) > LINE_BYTES_MAX:
                    self._skip_rest(line, lines)
                    size = LINE_BYTES_MAX // (1024 * 1024)
                    raise BadRecord(f"the line is longer than {size} MB")
                if line.strip() and (record := self._record(line)):
                    self.count += 1
                    yield record
            except BadRecord as error:
                self.bad_lines.append(BadLine(name, number, str(error)))

    def _record(self, line: bytes) -> ConversationRecord | None:
        record = records.parse(line)
        records.refuse_future(record, arrived_at=self.arrived_at)
        digest = record.text_digest + record.metadata_digest
        before = self._seen.setdefault(record.id, digest)
        if before != digest:
            raise BadRecord(f"id {record.id} came before with different content")
        if before is not digest:
            self.repeats += 1
            return None
        return record

    def _skip_rest(self, line: bytes, lines: BinaryIO) -> None:
        while line and not line.endswith(b"\n"):
            line = lines.readline(LINE_BYTES_MAX)
            self.on_bytes(len(line))
