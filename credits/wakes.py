"""Wake a worker for work that is in the database; the broker is only a hint (DESIGN §4)."""

from __future__ import annotations

import logging
from uuid import UUID

from celery import current_app
from django.db import transaction
from kombu.exceptions import OperationalError

logger = logging.getLogger(__name__)

EXPORT_TASK = "credits.tasks.export"
ALERT_TASK = "credits.tasks.mail_alert"
LIMIT_TASK = "credits.tasks.mail_limit"
# An export takes minutes, and a mail server may be slow: neither queues with what is live.
LONG_QUEUE = "backfill"


def export(*, job_id: UUID) -> None:
    """Ask for an export after commit.

    A broker that cannot be reached loses nothing: the sweep asks again each minute.
    """
    transaction.on_commit(lambda: _send(EXPORT_TASK, job_id=job_id))


def alert(*, mail_id: UUID) -> None:
    """Ask for an alert's e-mail to be sent after commit; the sweep asks again as for exports."""
    transaction.on_commit(lambda: _send(ALERT_TASK, mail_id=mail_id))


def limit(*, mail_id: UUID) -> None:
    """Ask for a limit's e-mail to be sent after commit; the sweep asks again as for exports."""
    transaction.on_commit(lambda: _send(LIMIT_TASK, mail_id=mail_id))


def _send(task: str, **ids: UUID) -> None:
    arguments = {name: str(value) for name, value in ids.items()}
    try:
        current_app.send_task(task, kwargs=arguments, queue=LONG_QUEUE)
    except OperationalError:
        logger.warning("The broker did not take a wake for %s; it is asked again.", arguments)
