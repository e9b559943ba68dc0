"""Connections to a server that may answer without end: bounded in time and size.

A time limit of the HTTP client counts anew with each byte that comes. Here it counts once, from the
request to the last byte of the answer, its headers included.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterable, Iterator
from ssl import PROTOCOL_TLS_CLIENT, SSLContext
from typing import Any

import httpcore2 as httpcore
import httpx2 as httpx

BYTES_MAX = 2_000_000


class TooMuch(Exception):
    """The answer is larger than any answer, or has no end."""


class Bounded(httpx.BaseTransport):
    """Ends an answer that is too large, or drips on after its time. Never unpacks one.

    ``certificates`` as an endpoint has them.
    """

    def __init__(self, seconds_max: float, certificates: str = "") -> None:
        self._seconds_max = seconds_max
        self._network = _Network()
        self._inner = httpx.HTTPTransport(retries=0, trust_env=False)
        # The only way to a network of one's own; what it does is tested.
        self._inner._pool = httpcore.ConnectionPool(
            ssl_context=_trusting(certificates),
            retries=0,
            network_backend=self._network,
        )

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self._network.deadline.until = time.monotonic() + self._seconds_max
        response = self._inner.handle_request(request)
        # Nobody asked for a packed answer. What is left of one is no JSON, and stays as small.
        response.headers.pop("content-encoding", None)
        assert isinstance(response.stream, httpx.SyncByteStream)
        response.stream = _BoundedStream(response.stream)
        return response

    def close(self) -> None:
        self._inner.close()


def _trusting(certificates: str) -> SSLContext:
    """Return what asks a server to prove its name by these certificates, or by the system's."""
    if not certificates:
        return httpx.create_ssl_context(trust_env=False)
    context = SSLContext(PROTOCOL_TLS_CLIENT)
    context.load_verify_locations(cadata=certificates)
    return context


class _Deadline(threading.local):
    """When the request of this thread has to be over; a thread has one at a time."""

    until = float("inf")

    def left(self, timeout: float | None) -> float:
        """Return the seconds that are left of it, or of the time limit of one step.

        :raises ReadTimeout: none.
        """
        left = self.until - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("The answer took too long.")
        return left if timeout is None else min(left, timeout)


class _Network(httpcore.NetworkBackend):
    def __init__(self) -> None:
        self.deadline = _Deadline()
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self, host: str, port: int, timeout: float | None = None, *rest: Any, **more: Any
    ) -> httpcore.NetworkStream:
        left = self.deadline.left(timeout)
        return _Stream(self._inner.connect_tcp(host, port, left, *rest, **more), self.deadline)


class _Stream(httpcore.NetworkStream):
    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner, self._deadline = inner, deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left(timeout))

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left(timeout))

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        left = self._deadline.left(timeout)
        inner = self._inner.start_tls(ssl_context, server_hostname, left)
        return _Stream(inner, self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


class _BoundedStream(httpx.SyncByteStream):
    def __init__(self, inner: Iterable[bytes]) -> None:
        self._inner = inner

    def __iter__(self) -> Iterator[bytes]:
        left = BYTES_MAX
        for part in self._inner:
            left -= len(part)
            if left < 0:
                raise TooMuch
            yield part

    def close(self) -> None:
        if isinstance(self._inner, httpx.SyncByteStream):
            self._inner.close()
