"""Ports of 127.0.0.1 for servers that a test starts."""

from __future__ import annotations

import random
import socket
from contextlib import ExitStack

# Linux lends a connection's own end a port from 32768 on. Whoever knocks at such a port before its
# server listens can be lent that very port, and then is answered by itself.
LOWEST, HIGHEST = 15_000, 32_000


def free(count: int = 1) -> int:
    """Return the first of ``count`` free ports in a row, none of which is ever lent."""
    chosen = random.SystemRandom()  # pytest-randomly gives every worker the same seed.
    while True:
        port = chosen.randrange(LOWEST, HIGHEST)
        with ExitStack() as stack:
            try:
                for following in range(port, port + count):
                    probe = stack.enter_context(socket.socket())
                    probe.bind(("127.0.0.1", following))
            except OSError:
                continue
            return port
