"""Where e-mails go, from one address in the environment."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from django.core.exceptions import ImproperlyConfigured

BACKENDS = "django.core.mail.backends"
PRINTING = "config.printed_mail.EmailBackend"
PORTS = {"smtp": 587, "smtps": 465, "smtp+plain": 25}


@dataclass(frozen=True, slots=True)
class Address:
    """What Django's e-mail settings are made of; a folder is for files, a host for SMTP."""

    backend: str
    host: str = ""
    port: int = 25
    user: str = ""
    password: str = ""
    starttls: bool = False
    tls: bool = False
    folder: str = ""


def address(url: str) -> Address:
    """Read a mail server's address; an empty one prints e-mails.

    :raises ImproperlyConfigured: in one sentence that says how to write it.
    """
    if not url:
        return Address(PRINTING)
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        raise _refusal() from None
    if parts.scheme == "file" and parts.path.startswith("/") and not parts.netloc:
        return Address(f"{BACKENDS}.filebased.EmailBackend", folder=unquote(parts.path))
    if parts.scheme not in PORTS or not parts.hostname or parts.path.strip("/"):
        raise _refusal()
    return Address(
        f"{BACKENDS}.smtp.EmailBackend",
        host=parts.hostname,
        port=port or PORTS[parts.scheme],
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        starttls=parts.scheme == "smtp",
        tls=parts.scheme == "smtps",
    )


def _refusal() -> ImproperlyConfigured:
    # The address may hold a password, so it is not repeated.
    return ImproperlyConfigured(
        "TALLYSTICK_EMAIL_URL is not the address of a mail server. Write "
        "smtp://user:password@host:587, smtps://user:password@host:465, smtp+plain://host:25 or "
        "file:///folder, or leave it out to have e-mails printed."
    )
