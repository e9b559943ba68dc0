"""The alerts of a company, and what became of their e-mails."""

from __future__ import annotations

from typing import Any

from django.contrib import admin
from django.db.models import Prefetch, QuerySet
from django.http import HttpRequest
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from unfold.decorators import display

from credits import shown
from credits.admin.scoped import ReadOnlyAdmin
from credits.models import Alert, AlertMail
from credits.roles import Act

MAILS_SHOWN_MAX = 50
TONES = {75: shown.INFO, 90: shown.WARNING, 100: shown.CRITICAL}


@admin.register(Alert)
class AlertAdmin(ReadOnlyAdmin):
    """Read-only, newest first: what was crossed, when, and who was told."""

    empty_words = "Admins are told here and by e-mail when 75, 90 and 100 % of credits are used."
    view_act = Act.VIEW_LEDGER
    ordering = ("-raised_at", "-id")
    sortable_by = ()
    list_display = ("what", "raised", "left", "mails_now")
    list_display_links = None
    fields = ("what", "raised", "left", "mails_now")
    readonly_fields = fields

    def get_queryset(self, request: HttpRequest) -> QuerySet[Alert]:
        mails = AlertMail.objects.select_related("receiver").order_by("receiver")
        return super().get_queryset(request).prefetch_related(Prefetch("mails", mails))

    def name_of(self, row: Alert) -> str:
        return f"{row.threshold} % used"

    @display(description="alert")
    def what(self, alert: Alert) -> SafeString:
        label = "All credits used" if alert.threshold == 100 else f"{alert.threshold} % used"
        code = f"used-{alert.threshold}"
        return shown.status(label, code=code, tone=TONES.get(alert.threshold, shown.INFO))

    @display(description="raised")
    def raised(self, alert: Alert) -> str:
        return shown.instant(alert.raised_at, alert.company)

    @display(description="credits left then")
    def left(self, alert: Alert) -> SafeString:
        return shown.number(
            "{} of {}",
            shown.amount(alert.available, metric="alert-available"),
            shown.amount(alert.total, metric="alert-total"),
        )

    @display(description="e-mails")
    def mails_now(self, alert: Alert) -> Any:
        mails = list(alert.mails.all())[:MAILS_SHOWN_MAX]
        if not mails:
            return "The company had no active admin to write to."
        return format_html_join(
            SafeString("<br>"), "{}", ((delivery(mail, alert),) for mail in mails)
        )


def delivery(mail: AlertMail, alert: Alert) -> SafeString:
    """Say what became of one e-mail, and if it was not sent, why and what comes next."""
    to = mail.receiver.email
    if mail.sent_at is not None:
        sent = shown.instant(mail.sent_at, alert.company)
        return _status("mailed", format_html("Sent to {} on {}", to, sent))
    if mail.handed_at is not None:
        return _status(
            "mail-unknown", f"It is not known whether it reached {to}; it is not sent twice."
        )
    if mail.due_at is not None and mail.trouble:
        again = shown.instant(mail.due_at, alert.company)
        words = format_html("Not sent to {} yet. {} Next try: {}", to, mail.trouble, again)
        return _status("mail-postponed", words)
    if mail.due_at is not None:
        return _status("mail-due", f"Goes to {to} in a moment.")
    return _status("mail-not-sent", f"Not sent to {to}. {mail.trouble}")


def _status(code: str, words: str) -> SafeString:
    return format_html('<span data-status="{}">{}</span>', code, words)
