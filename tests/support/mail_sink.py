"""A real SMTP server on loopback that keeps what it is sent, refuses it, or hangs up."""

from __future__ import annotations

import socketserver
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage


@dataclass
class Sink:
    """Where it listens, and the messages it took.

    ``hangs_up`` once it has a message, without a word; at a ``gate`` clients wait for each other
    before they are greeted.
    """

    port: int = 0
    refuses: bool = False
    hangs_up: bool = False
    gate: threading.Barrier | None = None
    messages: list[EmailMessage] = field(default_factory=list)


class _Session(socketserver.StreamRequestHandler):
    """One client: as much of RFC 5321 as sending a message takes."""

    sink: Sink

    def handle(self) -> None:
        if self.sink.gate is not None:
            self.sink.gate.wait(timeout=30)
        self._say("220 sink ready")
        while line := self.rfile.readline():
            verb = line[:4].strip().upper().decode()
            match verb:
                case "EHLO" | "HELO":
                    self._say("250 sink")
                case "MAIL" if self.sink.refuses:
                    self._say("451 Not now")
                case "DATA":
                    self._say("354 Go on")
                    self._keep()
                    if self.sink.hangs_up:
                        return
                    self._say("250 Kept")
                case "QUIT":
                    self._say("221 Bye")
                    return
                case _:
                    self._say("250 OK")

    def _keep(self) -> None:
        lines = []
        while (line := self.rfile.readline()) != b".\r\n":
            lines.append(line[1:] if line.startswith(b"..") else line)
        message = message_from_bytes(b"".join(lines), policy=policy.default)
        assert isinstance(message, EmailMessage)
        self.sink.messages.append(message)

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def listening() -> Iterator[Sink]:
    """Run the server for the length of the block."""
    sink = Sink()
    session = type("Session", (_Session,), {"sink": sink})
    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), session) as server:
        sink.port = server.server_address[1]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield sink
        finally:
            server.shutdown()
            thread.join()
