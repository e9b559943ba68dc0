"""A worker takes the next message when it has room, not when it hears of another."""

from __future__ import annotations

import threading
import time

from kombu import Connection, Consumer, Exchange, Producer, Queue

from config import databases
from config.broker import _Waiter
from config.celery import app

# Nobody would wait so long; what is not taken at once is not taken in this test.
FOREVER_SECONDS = 120


def test_what_came_while_there_was_no_room_is_taken_when_one_is_acknowledged(committed):
    with app.connection_for_read() as known:
        options = known.transport_options | {"polling_interval": FOREVER_SECONDS}
        broker = Connection(
            known.as_uri(), transport=known.transport_cls, transport_options=options
        )
    taken = []
    with broker:
        channel = broker.channel()
        work = Queue("work", Exchange("work", type="direct"), routing_key="work")
        with Consumer(
            channel, work, callbacks=[lambda body, message: taken.append(message)], prefetch_count=1
        ):
            for number in (1, 2):
                Producer(channel, work.exchange).publish({"number": number}, routing_key="work")
            broker.drain_events(timeout=FOREVER_SECONDS)
            # While this one waits, having heard of both, another thread ends the work on the first.
            threading.Timer(1, taken[0].ack).start()
            began = time.monotonic()

            broker.drain_events(timeout=FOREVER_SECONDS)

            waited = time.monotonic() - began

    assert waited < FOREVER_SECONDS
    assert [message.payload["number"] for message in taken] == [1, 2]


def test_room_that_comes_while_a_worker_looks_for_it_is_noticed(committed):
    has_room = threading.Event()

    def can_take() -> bool:
        # Just now, after the worker has looked for word of it, another thread ended its work.
        has_room.set()
        return True

    waiter = _Waiter(databases.dsn(), has_room, can_take)
    waiter.register("work")
    began = time.monotonic()

    assert waiter.wait(FOREVER_SECONDS)

    waiter.close()
    assert time.monotonic() - began < FOREVER_SECONDS
