"""Celery: the app, its queues, and the schedule as one table."""

from __future__ import annotations

import os

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

# What runs by itself, and when. Every job is keyed by its period in the database, so that two
# beats do it once; each reports its last success on the schedule page.
SCHEDULE = {
    "add_up_days": {"task": "credits.tasks.add_up_days", "schedule": crontab(minute=20)},
    "forget_answers": {"task": "credits.tasks.forget_answers", "schedule": crontab(minute=40)},
    "settle": {"task": "credits.tasks.settle", "schedule": crontab()},
    "exports": {"task": "credits.tasks.look_after_exports", "schedule": crontab()},
    "advise": {"task": "trackers.tasks.advise", "schedule": crontab(minute=50)},
    "sweep": {"task": "trackers.tasks.sweep", "schedule": crontab()},
    "change_zones": {"task": "billing.tasks.change_zones", "schedule": crontab()},
    "allocate": {"task": "billing.tasks.allocate", "schedule": crontab(minute=7)},
}
app.conf.beat_schedule = {
    name: job | {"options": {"queue": MAINTENANCE, "expires": 55}} for name, job in SCHEDULE.items()
}
