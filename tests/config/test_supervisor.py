"""Waiting for the demo's first page."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from config.demo import supervisor


class Echo(socketserver.StreamRequestHandler):
    """Answer the first who asks with the words of the question, as an end of a connection that
    Linux joined to itself does; answer the next as a web server.
    """

    asked: list[bytes]

    def handle(self) -> None:
        question = self.rfile.readline()
        self.asked.append(question)
        page = b"HTTP/1.0 200 OK\r\nContent-Length: 0\r\n\r\n"
        self.wfile.write(question if len(self.asked) == 1 else page)


@contextmanager
def echoing() -> Iterator[tuple[int, list[bytes]]]:
    asked: list[bytes] = []
    handler = type("AskedEcho", (Echo,), {"asked": asked})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield server.server_address[1], asked
        finally:
            server.shutdown()


def test_a_demo_answered_by_itself_is_not_ready_and_asks_again():
    with echoing() as (port, asked):
        supervisor.wait_until_ready(port, {})

    assert asked == [b"GET /admin/login/ HTTP/1.1\r\n"] * 2
