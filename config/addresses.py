"""Addresses a person writes into the environment: of the database, the broker and this site.

Each is checked as far as it can be without asking anybody, so that a typing error is a sentence
at the start and not an error on the first page.
"""

from __future__ import annotations

import importlib.util
import ipaddress
import re
from typing import Any
from urllib.parse import urlsplit

from django.core.exceptions import ImproperlyConfigured
from psycopg import ProgrammingError
from psycopg.conninfo import conninfo_to_dict

PORT_MAX = 65_535
BROKER_SCHEMES = ("amqp", "amqps", "redis", "rediss")
# What Django compares a request's host with: a name, a domain with all below it, or any.
HOST = re.compile(r"\*|\.?[a-z0-9_-]+(\.[a-z0-9_-]+)*|\[[0-9a-f:.]+\]", re.IGNORECASE)


def database(url: str) -> dict[str, Any]:
    """Return the parts of a PostgreSQL address as libpq names them.

    :raises ImproperlyConfigured: if it is none, or leaves the host to how libpq was built.
    """
    try:
        address = dict(conninfo_to_dict(url))
    except ProgrammingError:
        address = {}
    if not url.startswith(("postgres://", "postgresql://")) or not address.get("dbname"):
        raise ImproperlyConfigured(
            "DATABASE_URL is not the address of a PostgreSQL database. "
            "Write postgres://user:password@host:5432/name, or leave it out for the embedded one."
        )
    if not any(address.get(part) for part in ("host", "hostaddr", "service")):
        raise ImproperlyConfigured(
            "DATABASE_URL names no host. Write postgres://user:password@host:5432/name; a folder "
            "with a Unix socket is a host, too, as %2Frun%2Fpostgresql."
        )
    ports = [port for port in str(address.get("port", "")).split(",") if port]
    if not all(port.isdecimal() and 0 < int(port[:6]) <= PORT_MAX for port in ports):
        raise ImproperlyConfigured(
            f"DATABASE_URL has the port “{address['port']}”; write a number, such as 5432."
        )
    return address


def refuse_unusable_broker(url: str) -> None:
    """Check the address of RabbitMQ or Redis; several stand after one another with ``;``.

    :raises ImproperlyConfigured: if it is none, has no host, or its client is not installed.
    """
    if not all(_is_broker(one) for one in url.split(";")):
        raise ImproperlyConfigured(
            "CELERY_BROKER_URL is not the address of RabbitMQ or Redis. Write "
            "amqp://user:password@host:5672// or redis://host:6379/0, or leave it out to use "
            "the database."
        )
    # RabbitMQ's client comes with Celery; that of Redis is no dependency of ours.
    if url.startswith("redis") and importlib.util.find_spec("redis") is None:
        raise ImproperlyConfigured(
            "CELERY_BROKER_URL names Redis, whose Python client is not installed. "
            "Install it with: pip install 'redis>=6.4,<9'"
        )


def hosts(text: str) -> list[str]:
    """Return the host names in a list with commas.

    :raises ImproperlyConfigured: if there is none, or one that no request can have.
    """
    found = [host for part in text.split(",") if (host := part.strip())]
    if not found:
        raise ImproperlyConfigured(
            "TALLYSTICK_ALLOWED_HOSTS is missing. Set it to this site's host name, such as "
            "credits.example.com."
        )
    for host in found:
        if not HOST.fullmatch(host):
            raise ImproperlyConfigured(
                f"TALLYSTICK_ALLOWED_HOSTS has “{host}”; write host names alone, separated by "
                "commas, such as credits.example.com."
            )
    return found


def site(url: str, *, host: str, is_https: bool) -> str:
    """Return the address that paths of this site are added to, without a slash at the end.

    Without one it is that of the host; a machine's own is where the demo is.

    :raises ImproperlyConfigured: if it is no such address.
    """
    if not url:
        name = host.lstrip(".") if host != "*" else "localhost"
        port = ":8000" if name == "localhost" and not is_https else ""
        return f"{'https' if is_https else 'http'}://{name}{port}"
    try:
        parts = urlsplit(url)
        is_site = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        is_site = False
    if not is_site or parts.username or parts.path.strip("/") or parts.query or parts.fragment:
        raise ImproperlyConfigured(
            f"TALLYSTICK_PUBLIC_URL is “{url}”; write the scheme and the host alone, such as "
            "https://credits.example.com."
        )
    return url.rstrip("/")


def _is_broker(url: str) -> bool:
    try:
        parts = urlsplit(url)
        # Asking for the port checks it, too.
        return parts.scheme in BROKER_SCHEMES and bool(parts.hostname) and parts.port != 0
    except ValueError:
        return False


def networks(text: str) -> tuple[ipaddress.IPv4Network | ipaddress.IPv6Network, ...]:
    """Return the addresses and networks of one's own proxies; none for an empty text.

    :raises ImproperlyConfigured: if one of them is no network.
    """
    try:
        return tuple(ipaddress.ip_network(part.strip()) for part in text.split(",") if part.strip())
    except ValueError as error:
        raise ImproperlyConfigured(
            f"TALLYSTICK_TRUSTED_PROXIES names no network: {error}. Write addresses such as "
            "10.0.0.7 or 10.0.0.0/24, separated by commas."
        ) from error
