"""Wake a worker for an export that is in the database; the broker is only a hint (DESIGN §4)."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

EXPORT_TASK = "credits.tasks.export"
# An export takes minutes: it queues with the other long work and not with what is live.
EXPORT_QUEUE = "backfill"


def export(*, job_id: UUID) -> None:
    """Ask for an export after commit.

    A broker that cannot be reached loses nothing: the sweep asks again each minute.
    """
    transaction.on_commit(lambda: _send(job_id))


def _send(job_id: UUID) -> None:
    try:
        current_app.send_task(EXPORT_TASK, kwargs={"job_id": str(job_id)}, queue=EXPORT_QUEUE)
    except OperationalError:
        logger.warning("The broker did not take a wake for export %s; it is asked again.", job_id)
