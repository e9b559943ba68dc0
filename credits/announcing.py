"""Tell the person who asked for a long report that it has ended: one e-mail, with the page's link.

Note [Announced once]
An e-mail cannot be taken back, and no transaction covers a mail server. That an e-mail is due is
written in the UPDATE that ends the export, so a worker killed afterwards loses nothing: the sweep
finds it. Whoever sends it connects to the server first, then claims it in one conditional UPDATE,
then hands it over; of two workers one claims. A server that cannot be reached or says no gives
the claim back, and the sweep tries again. Between the claim and the server's answer there is one
command's time in which a kill leaves open whether the e-mail was taken: it is then not sent
again, and the export's page says so. The file and its page do not depend on any of this.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from django.db.models import QuerySet

from credits import exports, mails, roles, shown
from credits.models import ExportJob, ExportState, Membership
from credits.reports import registry
from credits.roles import Act

# Tries at 0, 1, 3, 7, 15, 31, 63 minutes and then hourly: about seven hours.
ATTEMPTS_MAX = 12
FIRST_DELAY = timedelta(minutes=1)
DELAY_MAX = timedelta(hours=1)
NOT_TAKEN = "The mail server did not take it."
GIVEN_UP = "The mail server did not take it, twelve times."
NO_ACCESS = "The person who asked for it has no access to reports any more."

logger = logging.getLogger(__name__)


def announce(*, job_id: UUID, clock: Callable[[], datetime]) -> bool:
    """Send the e-mail about an export that has ended; tell whether this call sent it.

    False when none is due, another worker sends it, or the mail server does not take it, which is
    never an error: the export's row says so, and the sweep tries again. Call it outside of any
    transaction. See Note [Announced once].
    """
    due = ExportJob.objects.select_related("company", "requested_by")
    job = due.filter(pk=job_id, mail_due_at__lte=clock()).first()
    if job is None:
        return False
    if not _has_access(job):
        _due(job).update(mail_due_at=None, mail_trouble=NO_ACCESS)
        return False
    mine = _due(job)

    def claim() -> bool:
        nonlocal mine
        claimed = _claimed(job, clock())
        if claimed is not None:
            mine = claimed
        return claimed is not None

    try:
        is_sent = mails.send(
            to=job.requested_by.email,
            subject=_subject(job),
            template="credits/export_ended.txt",
            context=_context(job),
            claim=claim,
        )
    except mails.DeliveryUnknown as error:
        logger.warning("Whether export %s was announced is not known: %s", job.pk, error.__cause__)
        return False
    except OSError as error:
        logger.warning("Export %s is not announced yet: %s", job.pk, error)
        _postpone(job, mine, clock())
        return False
    if is_sent:
        mine.update(mailed_at=clock(), mail_trouble="")
    return is_sent


def _due(job: ExportJob) -> QuerySet[ExportJob]:
    """Return the job if nobody has claimed its e-mail, or put it off, since it was read."""
    return ExportJob.objects.filter(pk=job.pk, mail_due_at=job.mail_due_at)


def _claimed(job: ExportJob, now: datetime) -> QuerySet[ExportJob] | None:
    """Say that the e-mail is about to be handed over, and return the job while it is.

    None when another worker was first.
    """
    if not _due(job).update(mail_due_at=None, mail_handed_at=now):
        return None
    return ExportJob.objects.filter(pk=job.pk, mail_handed_at=now, mailed_at=None)


def _postpone(job: ExportJob, mine: QuerySet[ExportJob], now: datetime) -> None:
    """Try again later, each time after twice as long; in the end say that there is no e-mail.

    ``mine`` is the job while it is this worker's to say so: not claimed by anybody, or by it.
    """
    attempts = job.mail_attempts + 1
    is_over = attempts >= ATTEMPTS_MAX
    delay = min(FIRST_DELAY * 2 ** (attempts - 1), DELAY_MAX)
    mine.update(
        mail_due_at=None if is_over else now + delay,
        mail_handed_at=None,
        mail_attempts=attempts,
        mail_trouble=GIVEN_UP if is_over else NOT_TAKEN,
    )


def _has_access(job: ExportJob) -> bool:
    """Tell whether who asked may still have the company's reports."""
    person = job.requested_by
    if not person.is_active:
        return False
    standing = roles.vendor_standing(person)
    if standing is None:
        member = Membership.objects.filter(user=person, company=job.company_id).first()
        standing = None if member is None else roles.standing_of(member.role)
    return standing is not None and Act.EXPORT_REPORTS in roles.MATRIX[standing]


def _subject(job: ExportJob) -> str:
    title = registry.title_of(job.report)
    if job.state == ExportState.READY:
        return f"{title} of {job.company} is ready"
    return f"{title} of {job.company} could not be made"


def _context(job: ExportJob) -> dict[str, Any]:
    choice = exports.choice_of(job)
    extension = job.file_name.rpartition(".")[2] or job.file_format
    return {
        "job": job,
        "is_ready": job.state == ExportState.READY,
        "person": job.requested_by,
        "company": job.company,
        "title": registry.title_of(job.report),
        "days": choice.days.as_range,
        "rows": f"{job.row_count:,}",
        "file_name": choice.file_name(job.company, extension),
        "kept_until": shown.instant_in_words(job.expires_at, job.company) if job.expires_at else "",
    }
