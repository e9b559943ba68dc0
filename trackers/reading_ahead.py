"""Read items before they are asked for, at moments when there is nothing else to do."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import Generic, TypeVar

Item = TypeVar("Item")


class ReadAhead(Generic[Item]):
    """Iterates over items in their order, each once, whenever they are read.

    What goes wrong in reading an item is raised where the item would have come.
    """

    def __init__(
        self, items: Iterable[Item], *, most: int, weigh: Callable[[Item], int], heavy: int
    ) -> None:
        """``most`` is how many are kept that nobody has asked for yet; fewer if they are heavy."""
        self._items = iter(items)
        self._most = most
        self._weigh = weigh
        self._heavy = heavy
        self._weight = 0  # Of those that are kept.
        self._kept: deque[Item] = deque()
        self._ending: Exception | None = None  # Also that there are no more items.

    def __iter__(self) -> Iterator[Item]:
        return self

    def __next__(self) -> Item:
        if self._kept:
            item = self._kept.popleft()
            self._weight -= self._weigh(item)
            return item
        if self._ending is not None:
            raise self._ending
        return next(self._items)

    def read_one(self) -> bool:
        """Read one item more; tell whether there was room and anything to read."""
        is_full = len(self._kept) >= self._most or self._weight >= self._heavy
        if self._ending is not None or is_full:
            return False
        try:
            item = next(self._items)
        except Exception as error:  # noqa: BLE001 - raised where the item would have come
            self._ending = error
            return False
        self._kept.append(item)
        self._weight += self._weigh(item)
        return True
