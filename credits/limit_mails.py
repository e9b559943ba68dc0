"""Tell a company's admins, once a window, that a limit which only tells is reached (SPEC §7).

A hard limit says it itself, to whoever it refuses. A scheduled job looks at the others, and nothing
here runs inside a charge. Of two schedulers at once the table lets one e-mail a person be. See
``deliveries``, Note [Announced once].
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from uuid import UUID

from django.conf import settings
from django.db import transaction
from django.db.models import Exists, F, OuterRef, QuerySet
from django.urls import reverse

from credits import alerts, deliveries, limit_windows, limits, shown, wakes
from credits.amounts import ZERO, grouped
from credits.deliveries import Columns
from credits.models import LimitMail, SpendingLimit

WAKES_MAX = 200
LIMITS_MAX = 500  # Told of in one look; the next one comes in half a minute.
NO_ACCESS = "This person is not an active admin of the company any more."
OUT_OF_DATE = "The limit was ended, raised or began anew before it could be sent."
COLUMNS = Columns(
    due_at="due_at",
    handed_at="handed_at",
    sent_at="sent_at",
    attempts="attempts",
    trouble="trouble",
)


def evaluate_all(*, now: datetime) -> int:
    """Look at every limit that only tells; return how many were found reached anew."""
    told = LimitMail.objects.filter(
        limit=OuterRef("pk"), window_starts_at=OuterRef("now_starts_at")
    )
    fresh = _reached(now).filter(~Exists(told)).select_related("company").order_by("pk")
    return sum(_tell(limit, now) for limit in fresh[:LIMITS_MAX])


def send(*, mail_id: UUID, clock: Callable[[], datetime]) -> bool:
    """Send one e-mail; tell whether this call sent it.

    False when it is not due, another worker sends it, it has become untrue or has no receiver any
    more, or the mail server does not take it, which is never an error: the row says so, and the
    sweep tries again. Call it outside of any transaction.
    """
    due = LimitMail.objects.select_related("company", "receiver")
    mail = due.filter(pk=mail_id, due_at__lte=clock()).first()
    if mail is None:
        return False
    if mail.receiver_id not in alerts.receivers(mail.company_id):
        return _give_up(mail, NO_ACCESS)
    limit = _reached(clock()).filter(pk=mail.limit_id, now_starts_at=mail.window_starts_at).first()
    if limit is None:
        return _give_up(mail, OUT_OF_DATE)
    return deliveries.deliver(
        mail,
        COLUMNS,
        what=f"limit e-mail {mail.pk}",
        clock=clock,
        to=mail.receiver.email,
        subject=f"{mail.company} has reached a limit: {limits.in_words(limit)}",
        template="credits/limit_reached.txt",
        context={
            "person": mail.receiver,
            "company": mail.company,
            "limit": limits.in_words(limit),
            "used": grouped(limit.now_used),
            "anew": shown.instant_in_words(limit.now_ends_at, mail.company),
            "as_of": shown.instant_in_words(clock(), mail.company),
            "url": settings.PUBLIC_URL
            + reverse("admin:credits_spendinglimit_change", args=[limit.pk]),
        },
    )


def sweep(*, now: datetime) -> int:
    """Wake workers for the e-mails that are still due; return how many."""
    due = LimitMail.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    ids = list(due.values_list("pk", flat=True)[:WAKES_MAX])
    for mail_id in ids:
        wakes.limit(mail_id=mail_id)
    return len(ids)


def _reached(now: datetime) -> QuerySet[Any]:
    """Return the limits in force that only tell and that nothing is left of in their window.

    A limit of 0 is reached by the first use, not before.
    """
    telling = SpendingLimit.objects.filter(ended_at=None, is_hard=False, company__closed_at=None)
    return limit_windows.with_use(telling, now).filter(
        now_used__gte=F("credits"), now_used__gt=ZERO
    )


def _tell(limit: Any, now: datetime) -> bool:
    """Write the e-mails down; tell whether there was anybody to tell and nobody was first."""
    # The people of a demo are made up: nobody would get what is sent to them.
    due, trouble = (None, alerts.DEMO) if limit.company.is_demo else (now, "")
    mails = [
        LimitMail(
            company=limit.company,
            limit=limit,
            window_starts_at=limit.now_starts_at,
            receiver_id=user_id,
            due_at=due,
            trouble=trouble,
        )
        for user_id in alerts.receivers(limit.company_id)
    ]
    with transaction.atomic():
        LimitMail.objects.bulk_create(mails, ignore_conflicts=True)
        mine = LimitMail.objects.filter(pk__in=[mail.pk for mail in mails])
        ids = list(mine.values_list("pk", "due_at"))
        for mail_id, due_at in ids:
            if due_at is not None:
                wakes.limit(mail_id=mail_id)
    return bool(ids)


def _give_up(mail: LimitMail, reason: str) -> bool:
    deliveries.give_up(mail, COLUMNS, reason=reason)
    return False
