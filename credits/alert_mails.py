"""Send the e-mail of an alert to one of the company's admins, in plain text and HTML.

See ``deliveries``, Note [Announced once].
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import ROUND_DOWN, Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.conf import settings

from credits import (
    alerts,
    balances,
    deliveries,
    metering,
    outlooks,
    shown,
    shown_forecasts,
    wakes,
)
from credits.alerts import Figures
from credits.amounts import grouped
from credits.deliveries import Columns
from credits.metering import FeatureUse
from credits.models import Alert, AlertMail

CONSUMERS_MAX = 3
DAYS = 30
WAKES_MAX = 200
NO_ACCESS = "This person is not an active admin of the company any more."
OUT_OF_DATE = "Credits were added, or came back, before it could be sent."
# As long it is not said that nothing is left, where work under way holds some of it.
HELD_MAX = timedelta(minutes=5)
COLUMNS = Columns(
    due_at="due_at",
    handed_at="handed_at",
    sent_at="sent_at",
    attempts="attempts",
    trouble="trouble",
)


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
    sweep tries again. So it does where the rest is held and may come back in the next minutes.
    Call it outside of any transaction.
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
        _give_up(mail, OUT_OF_DATE)
        alerts.withdraw(alert)
        return False
    is_only_held = alert.threshold == 100 and figures.reserved > 0
    if is_only_held and clock() - alert.raised_at < HELD_MAX:
        return False
    return deliveries.deliver(
        mail,
        COLUMNS,
        what=f"alert e-mail {mail.pk}",
        clock=clock,
        to=mail.receiver.email,
        subject=subject(alert),
        template="credits/alert.txt",
        html_template="credits/alert.html",
        context=_context(mail, figures, clock()),
    )


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


def _give_up(mail: AlertMail, reason: str) -> bool:
    deliveries.give_up(mail, COLUMNS, reason=reason)
    return False
