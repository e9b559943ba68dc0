"""Fetch what a setting names from elsewhere, without being led astray (SPEC §9, LESSONS S8).

The name is looked up once, every address it has is judged, and the connection goes to one of the
judged addresses: a name that points elsewhere a moment later (rebinding) leads nowhere. Redirects
are not followed. Time and size are bounded.
"""

from __future__ import annotations

import contextlib
import http.client
import ipaddress
import socket
import ssl
import threading
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

CONNECT_SECONDS = 5.0
TOTAL_SECONDS = 20.0
BYTES_MAX = 1_000_000
_PORTS = {"http": 80, "https": 443}

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Resolve = Callable[[str, int], list[str]]


class AddressRefused(Exception):
    """An address that is not asked: the message says why."""


class FetchFailed(Exception):
    """What was asked for did not come; the message says why."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where to connect: a judged address, and what the other side is called."""

    scheme: str
    host: str
    port: int
    address: str
    path: str


def resolve(host: str, port: int) -> list[str]:
    """Return the addresses of a host name.

    :raises FetchFailed: it has none.
    """
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except (OSError, UnicodeError) as error:
        raise FetchFailed(f"The host {host} is not known.") from error
    return list(dict.fromkeys(str(one[4][0]) for one in found))


def target_of(url: str, *, allow_private: bool = False, resolve: Resolve = resolve) -> Target:
    """Return where a URL leads, once all of its addresses are public.

    With ``allow_private`` they may also be loopback or of a private network; never link-local
    (where clouds keep their secrets), multicast or reserved.

    :raises AddressRefused: no such URL is asked.
    :raises FetchFailed: the host has no address.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused("This is no address of the web.") from error
    host = parts.hostname
    if parts.scheme not in _PORTS or not host or any(one.isspace() for one in url):
        raise AddressRefused("Only http and https addresses with a host are asked.")
    if parts.username is not None or parts.password is not None:
        raise AddressRefused("An address with a name or password in it is not asked.")
    port = _PORTS[parts.scheme] if port is None else port
    addresses = resolve(host, port)
    if not addresses:
        raise FetchFailed(f"The host {host} is not known.")
    for one in addresses:
        if not _is_allowed(one, allow_private=allow_private):
            raise AddressRefused(f"{host} leads to {one}, which is not on the public internet.")
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    return Target(parts.scheme, host, port, addresses[0], path)


def get(
    url: str,
    *,
    allow_private: bool = False,
    accept: str = "application/json",
    bytes_max: int = BYTES_MAX,
    seconds_max: float = TOTAL_SECONDS,
    resolve: Resolve = resolve,
) -> bytes:
    """Return what a GET of the URL answers with 200.

    :raises AddressRefused: nothing was asked.
    :raises FetchFailed: it did not answer, too late, too much, or with another status; a redirect
        is one.
    """
    target = target_of(url, allow_private=allow_private, resolve=resolve)
    connection = _Pinned(target, timeout=min(CONNECT_SECONDS, seconds_max))
    # Each read has a time limit of its own; one that drips byte after byte needs this one too.
    limit = threading.Timer(seconds_max, connection.cut)
    limit.daemon = True
    limit.start()
    try:
        connection.request("GET", target.path, headers={"Accept": accept})
        answer = connection.getresponse()
        if answer.status != http.client.OK:
            raise FetchFailed(f"{target.host} answered {answer.status}.")
        content = _read(answer, target, bytes_max=bytes_max)
    except (OSError, http.client.HTTPException, UnicodeError) as error:
        said = "took too long" if connection.is_cut else "did not answer"
        raise FetchFailed(f"{target.host} {said}.") from error
    finally:
        limit.cancel()
        connection.close()
    if connection.is_cut:
        raise FetchFailed(f"{target.host} took too long.")
    return content


def _read(answer: http.client.HTTPResponse, target: Target, *, bytes_max: int) -> bytes:
    content = answer.read(bytes_max + 1)
    if len(content) > bytes_max:
        raise FetchFailed(f"{target.host} answered more than {bytes_max:,} bytes.")
    return content


class _Pinned(http.client.HTTPConnection):
    """A connection to the judged address, whatever the name leads to by now."""

    def __init__(self, target: Target, *, timeout: float) -> None:
        super().__init__(target.host, target.port, timeout=timeout)
        self.default_port = _PORTS[target.scheme]
        self.target = target
        self.is_cut = False
        self.line: socket.socket | None = None

    def connect(self) -> None:
        plain = socket.create_connection((self.target.address, self.target.port), self.timeout)
        if self.target.scheme == "https":
            # The certificate is that of the name, which is what was meant.
            context = ssl.create_default_context()
            self.sock = context.wrap_socket(plain, server_hostname=self.target.host)
        else:
            self.sock = plain
        # Not ``self.sock``, which is let go of once an answer has begun that ends the connection.
        self.line = self.sock
        if self.is_cut:
            self.cut()

    def cut(self) -> None:
        """End the connection from another thread: what waits for it goes on at once."""
        self.is_cut = True
        with contextlib.suppress(OSError):
            if self.line is not None:
                self.line.shutdown(socket.SHUT_RDWR)


def _is_allowed(text: str, *, allow_private: bool) -> bool:
    try:
        address: Address = ipaddress.ip_address(text.split("%")[0])
    except ValueError:
        return False
    address = _meant(address)
    if address.is_link_local or address.is_multicast or address.is_unspecified:
        return False
    if _is_in(address, _NOT_PUBLIC):
        return False
    if address.is_loopback or address.is_private:
        # “Private” has the reserved and documentation ranges in it as well.
        return allow_private and (address.is_loopback or _is_in(address, _NETWORKS))
    return address.is_global and not address.is_reserved


def _meant(address: Address) -> Address:
    """Return the IPv4 address that an IPv6 one stands for, where it does (mapped, 6to4, NAT64)."""
    if isinstance(address, ipaddress.IPv4Address):
        return address
    if address.ipv4_mapped is not None:
        return address.ipv4_mapped
    if address.sixtofour is not None:
        return address.sixtofour
    if address.teredo is not None:
        return address.teredo[1]
    if address in _NAT64:
        return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _is_in(address: Address, networks: tuple[Network, ...]) -> bool:
    return any(address in network for network in networks if network.version == address.version)


_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")
# What Python calls global, or did until lately: protocol assignments, where a cloud keeps its
# secrets too (192.0.0.192), local NAT64, and the site-local addresses of old.
_NOT_PUBLIC = (
    ipaddress.IPv4Network("192.0.0.0/24"),
    ipaddress.IPv6Network("64:ff9b:1::/48"),
    ipaddress.IPv6Network("fec0::/10"),
)
_NETWORKS = (
    ipaddress.IPv4Network("10.0.0.0/8"),
    ipaddress.IPv4Network("172.16.0.0/12"),
    ipaddress.IPv4Network("192.168.0.0/16"),
    ipaddress.IPv6Network("fc00::/7"),
)
