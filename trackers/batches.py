"""Work through many rows a bounded number at a time."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice
from typing import TypeVar

Item = TypeVar("Item")


def batches(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    """Yield lists of at most ``size`` items, in order."""
    remaining = iter(items)
    while batch := list(islice(remaining, size)):
        yield batch


def weighed_batches(
    items: Iterable[Item], size: int, *, weigh: Callable[[Item], int], heavy: int
) -> Iterator[list[Item]]:
    """Yield lists of at most ``size`` items, in order; one that has become heavy ends earlier."""
    batch, weight = [], 0
    for item in items:
        batch.append(item)
        weight += weigh(item)
        if len(batch) == size or weight >= heavy:
            yield batch
            batch, weight = [], 0
    if batch:
        yield batch
