"""Celery: the app, its queues, and the schedule as one table."""

from __future__ import annotations

import os
from datetime import timedelta
from typing import Any

from celery import Celery
from celery.schedules import crontab
from kombu import Exchange, Queue

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")

# Names of at most 47 characters: pgmq makes a table of each. The queue migration creates them.
LIVE, BACKFILL, MAINTENANCE = QUEUES = ("live", "backfill", "maintenance")

app = Celery("tallystick")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()
# Each has its own exchange: with Celery's default they would all receive the first one's messages.
app.conf.task_queues = [Queue(name, Exchange(name), routing_key=name) for name in QUEUES]

HALF_MINUTE = timedelta(seconds=30)

# What runs by itself, and when. Every job is keyed by its period in the database, so that two
# beats do it once; each reports its last success on the schedule page.
SCHEDULE: dict[str, dict[str, Any]] = {
    "add_up_days": {"task": "credits.tasks.add_up_days", "schedule": crontab(minute=20)},
    "forget_answers": {"task": "credits.tasks.forget_answers", "schedule": crontab(minute=40)},
    "alerts": {"task": "credits.tasks.look_at_use", "schedule": HALF_MINUTE},
    "settle": {"task": "credits.tasks.settle", "schedule": crontab()},
    "exports": {"task": "credits.tasks.look_after_exports", "schedule": crontab()},
    "forget_uploads": {"task": "trackers.tasks.forget_uploads", "schedule": crontab(minute=50)},
    "advise": {"task": "trackers.tasks.advise", "schedule": crontab(minute=55)},
    # Twice a minute, so that what credits woke is read within the minute.
    "sweep": {"task": "trackers.tasks.sweep", "schedule": HALF_MINUTE},
    # Several tries a night; the first that a worker takes does the day's.
    "retain": {"task": "trackers.tasks.retain", "schedule": crontab(hour="2-5", minute=30)},
    "change_zones": {"task": "billing.tasks.change_zones", "schedule": crontab()},
    "allocate": {"task": "billing.tasks.allocate", "schedule": crontab(minute=7)},
}
# Nobody waits for the last turn of a job once the next one is due.
EXPIRES_SECONDS, HALF_MINUTE_EXPIRES_SECONDS = 55, 25


def _options(job: dict[str, Any]) -> dict[str, Any]:
    is_half_minute = job["schedule"] == HALF_MINUTE
    expires = HALF_MINUTE_EXPIRES_SECONDS if is_half_minute else EXPIRES_SECONDS
    return {"queue": MAINTENANCE, "expires": expires}


app.conf.beat_schedule = {name: job | {"options": _options(job)} for name, job in SCHEDULE.items()}
