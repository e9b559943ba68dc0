"""Write a report to a file, row by row: memory does not grow with the rows."""

from __future__ import annotations

import csv
import io
import tempfile
from typing import IO

from credits.reports.base import CreditReport, DayRange

SPOOL_BYTES_MAX = 1 << 20


def as_csv(report: CreditReport, days: DayRange) -> IO[bytes]:
    """Return a temporary file, at its beginning: UTF-8, CRLF, quoted only where needed.

    The rows are all read before the file is served, so that a slow reader keeps no cursor open.
    """
    report.before_export(None)
    # The caller serves the file and closes it, which also removes it.
    file = tempfile.SpooledTemporaryFile(max_size=SPOOL_BYTES_MAX)  # noqa: SIM115
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text)
    writer.writerow(report.get_export_headers())
    for row in report.iter_queryset(report.rows(days)):
        writer.writerow(report.export_resource(row))
    text.detach()
    file.seek(0)
    return file
