"""Read JSON Lines files of conversations, one record a line; a bad line costs only itself."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

from trackers.importers import reading, records
from trackers.importers.reading import BadLine
from trackers.importers.records import BadRecord, ConversationRecord

LINE_BYTES_MAX = 16 * 1024 * 1024


class Reader(reading.Reader):
    """Reads one conversation a line; blank lines are nothing."""

    def _read(self) -> Iterator[ConversationRecord]:
        row_count = 0
        for file in self.files:
            with reading.opened(file) as lines:
                number = 0
                while line := lines.readline(LINE_BYTES_MAX + 1):
                    number += 1
                    self.on_bytes(len(line))
                    row_count += bool(line.strip())
                    self._limit(row_count)
                    try:
                        if record := self._record(line, number, lines):
                            yield record
                    except BadRecord as error:
                        self.bad_lines.append(BadLine(str(file), number, str(error)))

    def _record(self, line: bytes, number: int, lines: BinaryIO) -> ConversationRecord | None:
        if len(line) > LINE_BYTES_MAX:
            self._skip_rest(line, lines)
            raise BadRecord(f"the line is longer than {LINE_BYTES_MAX // (1024 * 1024)} MB")
        if number == 1:
            try:
                line = reading.without_mark(line)
            except BadRecord:
                # Every line would be bad, for the same reason.
                lines.seek(0, 2)
                raise
        return self._once(records.parse(line)) if line.strip() else None

    def _skip_rest(self, line: bytes, lines: BinaryIO) -> None:
        while line and not line.endswith(b"\n"):
            line = lines.readline(LINE_BYTES_MAX)
            self.on_bytes(len(line))
