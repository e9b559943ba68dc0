"""The queues exist in the database, and what runs by itself is one table."""

from __future__ import annotations

from datetime import timedelta

import pytest
from celery.schedules import crontab
from django.db import connection
from kombu import Exchange, Queue

from config import broker as broker_of_ours
from config.celery import QUEUES, SCHEDULE, app

PGMQ_NAME_LENGTH_MAX = 47


@pytest.mark.django_db
def test_every_queue_was_made_by_the_migration():
    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_name FROM pgmq.list_queues()")
        made = {row[0] for row in cursor.fetchall()}

    assert made == set(QUEUES) == {"live", "backfill", "maintenance"}
    assert max(map(len, QUEUES)) <= PGMQ_NAME_LENGTH_MAX


def test_what_runs_by_itself():
    assert {name: (job["task"], job["schedule"]) for name, job in SCHEDULE.items()} == {
        "add_up_days": ("credits.tasks.add_up_days", crontab(minute=20)),
        "advise": ("trackers.tasks.advise", crontab(minute=55)),
        "allocate": ("billing.tasks.allocate", crontab(minute=7)),
        "change_zones": ("billing.tasks.change_zones", crontab()),
        "forget_answers": ("credits.tasks.forget_answers", crontab(minute=40)),
        "forget_uploads": ("trackers.tasks.forget_uploads", crontab(minute=50)),
        "retain": ("trackers.tasks.retain", crontab(hour="2-5", minute=30)),
        "settle": ("credits.tasks.settle", crontab()),
        "exports": ("credits.tasks.look_after_exports", crontab()),
        "sweep": ("trackers.tasks.sweep", timedelta(seconds=30)),
        "alerts": ("credits.tasks.look_at_use", timedelta(seconds=30)),
    }


def test_a_job_nobody_took_before_its_next_turn_is_dropped():
    """The next one does what it would have done."""
    for name, job in app.conf.beat_schedule.items():
        expires = 25 if name in ("sweep", "alerts") else 55
        assert job["options"] == {"queue": "maintenance", "expires": expires}


def test_a_message_goes_to_the_queue_it_is_sent_to(committed):
    app.send_task("trackers.tasks.sweep", queue="maintenance")

    with connection.cursor() as cursor:
        cursor.execute("SELECT queue_name, queue_length FROM pgmq.metrics_all()")
        assert dict(cursor.fetchall()) == {"live": 0, "backfill": 0, "maintenance": 1}


@pytest.mark.parametrize("end", ["ack", "reject", "requeue"])
def test_a_task_that_ends_after_its_channel_closed_is_delivered_again_and_raises_nothing(
    committed, end
):
    """As where a worker lost its connection while it worked."""
    app.send_task("trackers.tasks.sweep", queue="maintenance")
    with app.connection_for_read() as broker:
        channel = broker.channel()
        message = Queue("maintenance", Exchange("maintenance"), channel=channel).get()
        channel.close()

        getattr(message, end)()

        again = Queue("maintenance", Exchange("maintenance"), channel=broker.channel()).get()
    assert again.headers["id"] == message.headers["id"]
    assert isinstance(channel, broker_of_ours.Channel)
