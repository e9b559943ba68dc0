"""Tell the person who asked for a long report that it has ended: one e-mail, with the page's link.

See ``deliveries``, Note [Announced once]. The file and its page do not depend on the e-mail.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from credits import deliveries, exports, roles, shown
from credits.deliveries import Columns
from credits.models import ExportJob, ExportState, Membership
from credits.reports import registry
from credits.roles import Act

NO_ACCESS = "The person who asked for it has no access to reports any more."
COLUMNS = Columns(
    due_at="mail_due_at",
    handed_at="mail_handed_at",
    sent_at="mailed_at",
    attempts="mail_attempts",
    trouble="mail_trouble",
)


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
        deliveries.give_up(job, COLUMNS, reason=NO_ACCESS)
        return False
    return deliveries.deliver(
        job,
        COLUMNS,
        what=f"the e-mail of export {job.pk}",
        clock=clock,
        to=job.requested_by.email,
        subject=_subject(job),
        template="credits/export_ended.txt",
        context=_context(job),
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
