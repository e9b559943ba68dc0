"""Show how far a command is: a bar on a terminal, a plain line now and then elsewhere."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from tqdm import tqdm

LINE_SECONDS = 5


class Progress(Protocol):
    def update(self, amount: float = 1) -> object: ...


class _Lines:
    """A line every five seconds, for pipes and logs."""

    def __init__(self, label: str, total: int) -> None:
        self.label, self.total, self.done = label, total, 0.0
        self.next_at = time.monotonic() + LINE_SECONDS

    def update(self, amount: float = 1) -> None:
        self.done += amount
        if time.monotonic() >= self.next_at:
            self.next_at = time.monotonic() + LINE_SECONDS
            share = min(100, round(100 * self.done / self.total)) if self.total else 100
            print(f"{self.label}: {share} %", file=sys.stderr, flush=True)


@contextmanager
def progress(label: str, *, total: int, unit: str) -> Iterator[Progress]:
    """Count up to ``total`` on standard error; ``unit`` names what is counted."""
    if not sys.stderr.isatty():
        yield _Lines(label, total)
        return
    with tqdm(total=total, desc=label, unit=unit, unit_scale=unit == "B", leave=False) as bar:
        yield bar
