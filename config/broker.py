"""The broker in the product's own PostgreSQL, with one mend of kombu's transport for it.

A worker that loses its connection closes the channel, which puts back what was not acknowledged,
and opens another. Tasks that were under way end later and acknowledge on the closed channel, which
has no connection any more: kombu answers with an ``AttributeError`` of NoneType, which is none of
the errors that the worker expects there, and it prints a traceback.
"""

from __future__ import annotations

from kombu.transport import pgmq


class Channel(pgmq.Channel):
    """A channel that acknowledges nothing once it is closed.

    What it had delivered is delivered again, and tasks are safe to run twice (DESIGN §4).
    """

    def basic_ack(self, delivery_tag: str, multiple: bool = False) -> None:
        if self.connection is not None:
            super().basic_ack(delivery_tag, multiple=multiple)

    def basic_reject(self, delivery_tag: str, requeue: bool = False) -> None:
        if self.connection is not None:
            super().basic_reject(delivery_tag, requeue=requeue)


class Transport(pgmq.Transport):
    """kombu's transport, with our channels."""

    Channel = Channel
