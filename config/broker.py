"""The broker in the product's own PostgreSQL, with two mends of kombu's transport for it.

A worker that loses its connection closes the channel and opens another. Tasks that were under way
end later and acknowledge on the closed channel, which has no connection any more: kombu answers
with an ``AttributeError`` of NoneType, which is none of the errors that the worker expects there,
and it prints a traceback.

What a worker tells of itself, every two seconds, goes to a topic, with headers and no delay. For
these the client of pgmq asks for a ``send_topic`` that pgmq's own SQL does not have; Celery keeps
what was not taken in its memory, to send it again, for as long as the worker lives.
"""

from __future__ import annotations

from typing import Any

from kombu.transport import pgmq


class Channel(pgmq.Channel):
    """A channel that acknowledges nothing once it is closed, and can send to topics.

    What it had delivered comes again once its time to be invisible is over. Tasks are safe to run
    twice, and the database says what there is to do: the sweep does not wait for a message.
    """

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        if self.connection is not None:
            super().basic_ack(delivery_tag, multiple=multiple)  # type: ignore[no-untyped-call]

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if self.connection is not None:
            super().basic_reject(delivery_tag, requeue=requeue)  # type: ignore[no-untyped-call]

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


class Transport(pgmq.Transport):
    """kombu's transport, with our channels."""

    Channel = Channel
