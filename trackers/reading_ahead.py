"""Read items before they are asked for, at moments when there is nothing else to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ReadAhead(Generic[Item]):
    """Iterates over items in their order, each once, whenever they are read.

    What goes wrong in reading an item is raised where the item would have come.
    """

    def __init__(self, items: Iterable[Item], *, most: int) -> None:
        """``most`` is how many are kept that nobody has asked for yet."""
        self._items = iter(items)
        self._most = most
        self._kept: deque[Item] = deque()
        self._ending: Exception | None = None  # Also that there are no more items.

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        if self._kept:
            return self._kept.popleft()
        if self._ending is not None:
            raise self._ending
        return next(self._items)

    def read_one(self) -> bool:
        """Read one item more; tell whether there was room and anything to read."""
        if self._ending is not None or len(self._kept) >= self._most:
            return False
        try:
            self._kept.append(next(self._items))
        except Exception as error:  # noqa: BLE001 - raised where the item would have come
            self._ending = error
            return False
        return True
