"""Where e-mails go is one address in the environment."""

from __future__ import annotations

import pytest
from django.core.exceptions import ImproperlyConfigured

from config import mail
from config.mail import Address

SMTP = "django.core.mail.backends.smtp.EmailBackend"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("", Address("config.printed_mail.EmailBackend")),
        (
            "file:///var/mail/out%20box",
            Address("django.core.mail.backends.filebased.EmailBackend", folder="/var/mail/out box"),
        ),
        (
            "smtp://post%40acme.example:p%2Fw@mail.example.com",
            Address(
                SMTP, "mail.example.com", 587, "post@acme.example", "p/w", starttls=True, tls=False
            ),
        ),
        ("smtps://mail.example.com", Address(SMTP, "mail.example.com", 465, tls=True)),
        ("smtps://mail.example.com:4650", Address(SMTP, "mail.example.com", 4650, tls=True)),
        ("smtp+plain://127.0.0.1:2525", Address(SMTP, "127.0.0.1", 2525)),
    ],
)
def test_an_address_becomes_django_s_settings(url, expected):
    assert mail.address(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "mail.example.com",
        "http://mail.example.com",
        "smtp://",
        "smtp://host:many",
        "smtp://host/inbox",
        "file://mail",
        "file:mail",
    ],
)
def test_what_is_no_address_is_refused_without_repeating_a_password(url):
    with pytest.raises(ImproperlyConfigured) as refusal:
        mail.address(url.replace("host", "user:secret@host"))

    assert "TALLYSTICK_EMAIL_URL is not the address of a mail server" in str(refusal.value)
    assert "secret" not in str(refusal.value)
