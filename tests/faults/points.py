"""Stops a process at a named point (``credits.faults``) and waits there to be killed.

Loaded by ``celery --include``, or imported by a test's own program. The process says that it got
there by making the file ``FAULT_FILE``, once: a second worker, or the same work again, goes on.
It goes on itself when the file ``FAULT_UNTIL`` is there.
"""

from __future__ import annotations

import os
import time
from pathlib import Path

from credits import faults
from credits.faults import Point

SLEEP_SECONDS = 600

SCAN_POINTS = (Point.CLAIMED, Point.RESERVED, Point.READ, Point.CAPTURED, Point.WRITTEN)
EXPORT_POINTS = (Point.LEASED, Point.ROWS, Point.NAMED, Point.READY)
MAIL_POINTS = (Point.MAILING, Point.MAIL_CLAIM, Point.MAILED)
ASK_POINTS = (Point.HELD, Point.CHARGED)


def stop_here() -> None:
    try:
        Path(os.environ["FAULT_FILE"]).touch(exist_ok=False)
    except FileExistsError:
        return
    until = os.environ.get("FAULT_UNTIL")
    deadline = time.monotonic() + SLEEP_SECONDS
    while time.monotonic() < deadline and not (until and Path(until).exists()):
        time.sleep(0.1)


def stop_at(wanted: Point) -> None:
    def watcher(point: Point) -> None:
        if point == wanted:
            stop_here()

    faults.watch(watcher)


if point := os.environ.get("FAULT_POINT"):
    stop_at(Point(point))
