"""Where the work at hand comes from: which door, which address, which request or job.

Set once at the edge (a middleware, a command, a task) and read by whatever writes it down, so that
no operation passes it along. Who acts is never taken from here: operations take their actor.
"""

from __future__ import annotations

import getpass
import ipaddress
import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass

from django.conf import settings
from django.http import HttpRequest, HttpResponse

from credits.identifiers import new_id

REQUEST_ID_HEADER = "X-Request-Id"
REQUEST_ID_KEY = "tallystick.request_id"
USER_AGENT_LENGTH_MAX = 200
# At most what a usage event's column holds; nothing that a log or a page could trip over.
REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{8,64}")
# The beginning of a path tells the door; everything else is the admin's.
DOORS = {"/api/": "API", "/v2/": "API", "/mcp": "MCP"}


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an act comes from; ``door`` is a code of ``Door``.

    ``ip`` is None where there is no network. ``job`` names a command or task, ``who`` the
    operating system's user who ran the command.
    """

    door: str = "COMMAND"
    ip: str | None = None
    user_agent: str = ""
    request_id: str = ""
    job: str = ""
    who: str = ""


# Outside of requests and jobs somebody works by hand, in a shell or a script.
BY_HAND = Origin()
_current: ContextVar[Origin] = ContextVar("origin", default=BY_HAND)


def current() -> Origin:
    """Return where the work at hand comes from."""
    return _current.get()


@contextmanager
def coming_from(origin: Origin) -> Iterator[Origin]:
    """Let everything in the block come from there."""
    token = _current.set(origin)
    try:
        yield origin
    finally:
        _current.reset(token)


def of_command(name: str) -> Origin:
    """Return the origin of a management command: its name and the system's user."""
    try:
        who = getpass.getuser()
    except (KeyError, OSError):
        # A container's user need not have a name.
        who = ""
    return Origin(door="COMMAND", job=name, who=who)


def of_task(name: str) -> Origin:
    """Return the origin of a periodic or queued task."""
    return Origin(door="TASK", job=name)


def of_request(request: HttpRequest) -> Origin:
    """Return the origin of a request; what a client claims counts only through our own proxy."""
    path = request.path
    door = next((code for start, code in DOORS.items() if path.startswith(start)), "ADMIN")
    return Origin(
        door=door,
        ip=client_address(request),
        user_agent=_printable(request.headers.get("User-Agent", ""))[:USER_AGENT_LENGTH_MAX],
        request_id=_request_id(request),
    )


def client_address(request: HttpRequest) -> str | None:
    """Return the address a request came from; None without a network, as with a socket file.

    X-Forwarded-For is read from its end, as long as each hop is one of our proxies
    (``TRUSTED_PROXIES``): what stands before the first stranger is the stranger's own writing.
    """
    address = _address(request.META.get("REMOTE_ADDR", ""))
    hops = request.headers.get("X-Forwarded-For", "").split(",")
    while address is not None and _is_trusted(address) and hops:
        before = _address(hops.pop().strip())
        if before is None:
            break
        address = before
    return None if address is None else str(address)


class RequestIdFilter(logging.Filter):
    """Add `` request <id>`` to each line a request logs: what a person is told to pass on."""

    def filter(self, record: logging.LogRecord) -> bool:
        # Django logs what it refuses when the middleware are done, and passes the request.
        request = getattr(record, "request", None)
        known = getattr(request, "META", {}).get(REQUEST_ID_KEY, "")
        request_id = current().request_id or known
        record.request_id = f" request {request_id}" if request_id else ""
        return True


class OriginMiddleware:
    """Give each request an id, told in the answer, and keep where it comes from."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        with coming_from(of_request(request)) as origin:
            request.META[REQUEST_ID_KEY] = origin.request_id
            response = self.get_response(request)
        response[REQUEST_ID_HEADER] = origin.request_id
        return response


def _request_id(request: HttpRequest) -> str:
    given = request.headers.get(REQUEST_ID_HEADER, "")
    peer = _address(request.META.get("REMOTE_ADDR", ""))
    if peer is not None and _is_trusted(peer) and REQUEST_ID.fullmatch(given):
        return given
    return str(new_id())


def _address(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    if isinstance(address, ipaddress.IPv6Address):
        # A zone such as %eth0 means nothing elsewhere; ::ffff:1.2.3.4 is 1.2.3.4.
        return address.ipv4_mapped or ipaddress.IPv6Address(int(address))
    return address


def _is_trusted(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    return any(address in network for network in settings.TRUSTED_PROXIES)


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable())
