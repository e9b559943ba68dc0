"""Send the e-mail of an alert to one of the company's admins, in plain text and HTML.

As with exports, see Note [Announced once] in ``announcing``: whoever sends connects first, claims
the row, then hands the e-mail over. A server that cannot be reached or says no is tried again; a
sender killed after the claim leaves open whether the e-mail was taken, it is not sent again, and
the list of alerts says so.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings
from django.db.models import QuerySet

from credits import alerts, balances, mails, metering, outlooks, shown, shown_forecasts, wakes
from credits.alerts import Figures
from credits.amounts import grouped
from credits.announcing import ATTEMPTS_MAX, DELAY_MAX, FIRST_DELAY, GIVEN_UP, NOT_TAKEN
from credits.metering import FeatureUse
from credits.models import Alert, AlertMail

CONSUMERS_MAX = 3
DAYS = 30
WAKES_MAX = 200
NO_ACCESS = "This person is not an active admin of the company any more."
OUT_OF_DATE = "Credits were added before it could be sent."

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Consumer:
    """What uses much, with the page where it can be narrowed; None where it has none."""

    name: str
    used: str
    percent: str
    url: str | None


def send(*, mail_id: UUID, clock: Callable[[], datetime]) -> bool:
    """Send one alert's e-mail to one person; tell whether this call sent it.

    False when it is not due, another worker sends it, it has become untrue or has no receiver any
    more, or the mail server does not take it, which is never an error: the row says so, and the
    sweep tries again. Call it outside of any transaction.
    """
    due = AlertMail.objects.select_related("alert__company", "receiver")
    mail = due.filter(pk=mail_id, due_at__lte=clock()).first()
    if mail is None:
        return False
    alert = mail.alert
    # Settles what has come due, so that the figures are those of this moment.
    balances.now(company=alert.company)
    figures = alerts.figures_of(alert.company_id)
    if mail.receiver_id not in alerts.receivers(alert.company_id):
        return _give_up(mail, NO_ACCESS)
    if figures is None or figures.level < alert.threshold:
        return _give_up(mail, OUT_OF_DATE)
    mine = _due(mail)

    def claim() -> bool:
        nonlocal mine
        now = clock()
        if not _due(mail).update(due_at=None, handed_at=now):
            return False
        mine = AlertMail.objects.filter(pk=mail.pk, handed_at=now, sent_at=None)
        return True

    try:
        is_sent = mails.send(
            to=mail.receiver.email,
            subject=subject(alert),
            template="credits/alert.txt",
            html_template="credits/alert.html",
            context=_context(mail, figures, clock()),
            claim=claim,
        )
    except mails.DeliveryUnknown as error:
        logger.warning(
            "Whether alert e-mail %s was sent is not known: %s", mail.pk, error.__cause__
        )
        return False
    except OSError as error:
        logger.warning("Alert e-mail %s is not sent yet: %s", mail.pk, error)
        _postpone(mail, mine, clock())
        return False
    if is_sent:
        mine.update(sent_at=clock(), trouble="")
    return is_sent


def sweep(*, now: datetime) -> int:
    """Wake workers for the e-mails that are still due; return how many."""
    due = AlertMail.objects.filter(due_at__lte=now).order_by("due_at", "pk")
    ids = list(due.values_list("pk", flat=True)[:WAKES_MAX])
    for mail_id in ids:
        wakes.alert(mail_id=mail_id)
    return len(ids)


def subject(alert: Alert) -> str:
    """Return what the e-mail is about, in a line."""
    if alert.threshold == 100:
        return f"{alert.company} has no credits left to use"
    return f"{alert.company} has used {alert.threshold} % of its credits"


def _context(mail: AlertMail, figures: Figures, now: datetime) -> dict[str, Any]:
    company = mail.alert.company
    outlook = outlooks.of(company=company)
    today = outlook.instant.astimezone(ZoneInfo(company.time_zone)).date()
    uses = metering.by_feature(
        metering.daily(company=company, first=today - timedelta(days=DAYS - 1), last=today)
    )
    return {
        "person": mail.receiver,
        "company": company,
        "is_zero": mail.alert.threshold == 100,
        "used_percent": figures.used_percent.quantize(Decimal(1), rounding=ROUND_DOWN),
        "available": grouped(figures.available),
        "total": grouped(figures.total),
        "waiting": grouped(outlook.waiting) if outlook.waiting else "",
        "run_out": shown_forecasts.run_out_in_words(outlook, outlook.forecast()),
        "consumers": [_consumer(use) for use in uses[:CONSUMERS_MAX]],
        "days": DAYS,
        "as_of": shown.instant_in_words(now, company),
        "credits_url": _address("admin:credits_page"),
        "request_url": _address("admin:billing_purchase_request"),
        "trackers_url": _address("admin:trackers_tracker_changelist"),
    }


def _consumer(use: FeatureUse) -> Consumer:
    path = shown.feature_address(use.feature)
    share = (use.share * 100).quantize(Decimal(1))
    return Consumer(
        name=use.name,
        used=grouped(use.credits),
        percent=f"{share} %",
        url=settings.PUBLIC_URL + path if path else None,
    )


def _address(name: str) -> str:
    """Return a page's whole address; empty where this installation has no such page."""
    path = shown.page_address(name)
    return f"{settings.PUBLIC_URL}{path}" if path else ""


def _due(mail: AlertMail) -> QuerySet[AlertMail]:
    """Return the e-mail if nobody has claimed it, or put it off, since it was read."""
    return AlertMail.objects.filter(pk=mail.pk, due_at=mail.due_at)


def _give_up(mail: AlertMail, reason: str) -> bool:
    _due(mail).update(due_at=None, trouble=reason)
    return False


def _postpone(mail: AlertMail, mine: QuerySet[AlertMail], now: datetime) -> None:
    """Try again later, each time after twice as long; in the end say that there is no e-mail."""
    attempts = mail.attempts + 1
    is_over = attempts >= ATTEMPTS_MAX
    delay = min(FIRST_DELAY * 2 ** (attempts - 1), DELAY_MAX)
    mine.update(
        due_at=None if is_over else now + delay,
        handed_at=None,
        attempts=attempts,
        trouble=GIVEN_UP if is_over else NOT_TAKEN,
    )
