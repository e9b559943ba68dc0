"""Send one e-mail; where it goes is the address in the environment (config.mail)."""

from __future__ import annotations

from collections.abc import Callable
from smtplib import SMTPNotSupportedError, SMTPRecipientsRefused, SMTPResponseException
from typing import Any

from django.core.mail import EmailMultiAlternatives, get_connection
from django.template.loader import render_to_string

from credits import faults

# What a mail server says when it has not taken an e-mail. Everything else that goes wrong once
# the e-mail is on its way leaves open whether it was taken.
_NOT_TAKEN = (SMTPResponseException, SMTPRecipientsRefused, SMTPNotSupportedError)


class DeliveryUnknown(OSError):
    """The mail server did not answer to the end; whether it took the e-mail is not known."""


def send(
    *,
    to: str,
    subject: str,
    template: str,
    context: dict[str, Any],
    html_template: str = "",
    claim: Callable[[], bool] | None = None,
) -> bool:
    """Send an e-mail to one address; tell whether it was sent.

    In plain text, and in HTML beside it where there is a template for that.

    ``claim`` is asked once the mail server has answered and before it is given anything; with
    False nothing is sent. So whoever may send only once writes that down at the last moment, and
    not before a server that is down. Never call it in a transaction: it waits for the server.

    :raises DeliveryUnknown: the e-mail was on its way when the server was lost.
    :raises OSError: the mail server cannot be reached, or refuses; nothing was sent.
    """
    message = EmailMultiAlternatives(
        # On one line, whatever the names in it hold: a subject is a header.
        subject=" ".join(subject.split()),
        body=render_to_string(template, context),
        to=[to],
    )
    if html_template:
        message.attach_alternative(render_to_string(html_template, context), "text/html")
    faults.reach(faults.Point.MAILING)
    server = get_connection()
    # Ours to close: ``send_messages`` leaves a connection open that was open before.
    server.open()
    try:
        faults.reach(faults.Point.MAIL_CLAIM)
        if claim is not None and not claim():
            return False
        _hand_over(server, message)
    finally:
        server.close()
    return True


def _hand_over(server: Any, message: EmailMultiAlternatives) -> None:
    try:
        server.send_messages([message])
        faults.reach(faults.Point.MAILED)
    except _NOT_TAKEN:
        raise
    except OSError as error:
        raise DeliveryUnknown(DeliveryUnknown.__doc__) from error
