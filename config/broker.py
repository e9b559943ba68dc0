"""The broker in the product's own PostgreSQL, with three mends of kombu's transport for it.

A worker that loses its connection closes the channel and opens another. Tasks that were under way
end later and acknowledge on the closed channel, which has no connection any more: kombu answers
with an ``AttributeError`` of NoneType, which is none of the errors that the worker expects there,
and it prints a traceback.

What a worker tells of itself, every two seconds, goes to a topic, with headers and no delay. For
these the client of pgmq asks for a ``send_topic`` that pgmq's own SQL does not have; Celery keeps
what was not taken in its memory, to send it again, for as long as the worker lives.

A worker that has as many messages as it may hears of the next one while it cannot take it. Once it
has acknowledged one, kombu waits for news of another, up to a second, with that one in the queue:
a worker of one process that does work of a second at a time would idle half of its time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

from kombu.transport import pgmq

# How soon a busy worker notices that it has room; nobody is asked anything for that.
SLICE_SECONDS = 0.05


class Channel(pgmq.Channel):
    """A channel that acknowledges nothing once it is closed, and can send to topics.

    What it had delivered comes again once its time to be invisible is over. Tasks are safe to run
    twice, and the database says what there is to do: the sweep does not wait for a message.
    """

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        if self.connection is not None:
            super().basic_ack(delivery_tag, multiple=multiple)  # type: ignore[no-untyped-call]
            self._tell_of_room()

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if self.connection is not None:
            super().basic_reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]
            self._tell_of_room()

    def _tell_of_room(self) -> None:
        # Which another thread may have closed meanwhile: then there is nothing to take.
        if isinstance(transport := self.connection, Transport):
            transport.has_room.set()

    def _put_topic(
        self, exchange: str, message: dict[str, Any], routing_key: str, **kwargs: Any
    ) -> None:
        self._send_topic(self._topic_key(exchange, routing_key), message)

    def _put_fanout(
        self, exchange: str, message: dict[str, Any], routing_key: str, **kwargs: Any
    ) -> None:
        self._send_topic(self._fanout_topic_key(exchange), message)

    def _send_topic(self, key: str, message: dict[str, Any]) -> None:
        # With a delay, be it none, the function is one that there is.
        how = {"delay": 0} | self._pgmq_send_kwargs(message)
        self.pgmq.send_topic(key, message, **how)


class _Waiter(pgmq._NotifyWaiter):
    """Waits for a message, or until there is room for one that came before."""

    def __init__(self, dsn: str, has_room: threading.Event, can_take: Callable[[], bool]) -> None:
        super().__init__(dsn)
        self._has_room = has_room
        self._can_take = can_take

    def wait(self, timeout: float | None) -> bool:
        end = time.monotonic() + (timeout or 0)
        could_take = False
        while (now := time.monotonic()) < end:
            if self._has_room.is_set():
                self._has_room.clear()
                return True
            # Who can take a message has looked for one, and only news can bring another. Once more
            # where there is room only now: it may have come after we looked for word of it.
            could_take, before = self._can_take(), could_take
            until = end if could_take and before else min(end, now + SLICE_SECONDS)
            if super().wait(until - now):
                return True
            if time.monotonic() < until:
                return False  # The connection is gone.
        return False


class Transport(pgmq.Transport):
    """kombu's transport, with our channels, that takes the next message when it has room."""

    Channel = Channel

    def __init__(self, client: Any, **kwargs: Any) -> None:
        super().__init__(client, **kwargs)  # type: ignore[no-untyped-call]
        self.has_room = threading.Event()

    def _get_notify_waiter(self) -> pgmq._NotifyWaiter:
        if self._notify_waiter is None:
            dsn = self._get_pgmq_client().config.dsn
            self._notify_waiter = _Waiter(dsn, self.has_room, self._can_take)
        return self._notify_waiter

    def _can_take(self) -> bool:
        return all(channel.qos.can_consume() for channel in list(self.channels or ()))
