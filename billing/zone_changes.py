"""A company's one time zone, and the one it will have: read by whatever counts periods.

Deciding on one is ``billing.zoning``.
"""

from __future__ import annotations

from datetime import datetime

from django.db import transaction

from billing.models import ZoneChange
from credits.models import Company


def ahead(company: Company) -> ZoneChange | None:
    """Return the change that was decided and does not count yet; None if there is none."""
    return ZoneChange.objects.filter(company=company, applied_at=None, withdrawn_at=None).first()


def zone_from(company: Company, change: ZoneChange | None, instant: datetime) -> str:
    """Return the zone of a period that starts at an instant; ``change`` is the one ahead.

    A fact of time, not of a job: a change that is due counts even before it was applied.
    """
    if change is not None and change.effective_at <= instant:
        return change.after
    return company.time_zone


def apply_due(*, company: Company, now: datetime) -> ZoneChange | None:
    """Give a company the zone that was decided on, if it is time; return the change, or None.

    ``company`` is locked by the caller and gets the new zone too.
    """
    change = ahead(company)
    if change is None or change.effective_at > now:
        return None
    company.time_zone = change.after
    company.save(update_fields=["time_zone"])
    change.applied_at = now
    change.save(update_fields=["applied_at"])
    return change


def apply_all(*, now: datetime) -> int:
    """Give every open company whose time has come its new zone; return how many."""
    due = ZoneChange.objects.filter(
        applied_at=None, withdrawn_at=None, effective_at__lte=now, company__closed_at=None
    )
    count = 0
    for company_id in due.order_by("effective_at", "pk").values_list("company", flat=True):
        with transaction.atomic():
            company = Company.objects.select_for_update(no_key=True).get(pk=company_id)
            # Another scheduler, or an act on the company, may have been faster.
            count += apply_due(company=company, now=now) is not None
    return count


def withdraw(*, company: Company, now: datetime) -> ZoneChange | None:
    """Take back the change that does not count yet; return it, or None without one.

    ``company`` is locked by the caller.
    """
    change = ahead(company)
    if change is not None:
        change.withdrawn_at = now
        change.save(update_fields=["withdrawn_at"])
    return change
