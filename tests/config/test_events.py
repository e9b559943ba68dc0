"""What goes to a topic or to everybody, as what workers tell of themselves, reaches its queues."""

from __future__ import annotations

import base64
import json

import pytest
from django.db import connection
from kombu import Exchange, Producer, Queue

from config.celery import app
from tests.support.processes import celery_worker, wait_until


def told() -> list[str]:
    """Return what workers told of themselves, oldest first."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT message->>'body' FROM pgmq.q_events ORDER BY msg_id")
        return [json.loads(base64.b64decode(body))["type"] for (body,) in cursor.fetchall()]


def test_a_worker_s_heartbeats_are_taken(committed):
    """Those that were not, it kept in its memory, one every two seconds."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pgmq.create('events')")
        cursor.execute("SELECT pgmq.bind_topic('kombu.topic.celeryev.#', 'events')")

    with celery_worker(committed):
        wait_until(lambda: len(told()) >= 3, "two heartbeats of a worker", seconds=300)

    assert told()[:3] == ["worker-online", "worker-heartbeat", "worker-heartbeat"]


@pytest.mark.parametrize(
    ("kind", "binding", "key"), [("topic", "worker.#", "worker.heartbeat"), ("fanout", "", "")]
)
@pytest.mark.parametrize("headers", [{"hostname": "worker@here"}, {}], ids=["headers", "none"])
def test_a_message_with_headers_or_without_is_there_at_once_for_who_listens(
    committed, kind, binding, key, headers
):
    exchange = Exchange("told", type=kind)
    with app.connection_for_write() as broker:
        channel = broker.channel()
        heard = Queue("heard", exchange, routing_key=binding, channel=channel)
        heard.declare()

        Producer(channel, exchange).publish({"said": 1}, routing_key=key, headers=headers)

        message = heard.get()
        assert (message.payload, message.headers) == ({"said": 1}, headers)
        assert heard.get() is None
