"""A socket between a client and PostgreSQL that can lose replies: the surest ambiguous commit.

While ``is_losing`` is set what the server answers is thrown away, so a commit is made and the
client never hears of it; ``cut`` then ends the connections, as a dead server's host would.
"""

from __future__ import annotations

import os
import socket
import threading
from contextlib import suppress
from pathlib import Path

PORT = 5432


class LosingProxy:
    """Listens in ``folder`` as PostgreSQL would, and forwards to the server's own socket."""

    def __init__(self, folder: Path, server_folder: Path) -> None:
        self.folder, self._server = folder, str(server_folder / f".s.PGSQL.{PORT}")
        self.is_losing = threading.Event()
        self._pairs: list[tuple[socket.socket, socket.socket]] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(folder / f".s.PGSQL.{PORT}"))
        os.chmod(folder / f".s.PGSQL.{PORT}", 0o600)
        self._listener.listen()
        threading.Thread(target=self._accept, daemon=True).start()

    def cut(self) -> None:
        """End every connection."""
        pairs, self._pairs = self._pairs, []
        for pair in pairs:
            for one in pair:
                with suppress(OSError):
                    one.shutdown(socket.SHUT_RDWR)

    def close(self) -> None:
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.cut()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.socket(socket.AF_UNIX)
            try:
                server.connect(self._server)
            except OSError:
                client.close()
                server.close()
                continue
            self._pairs.append((client, server))
            for source, target, loses in ((client, server, False), (server, client, True)):
                threading.Thread(
                    target=self._forward, args=(source, target, loses), daemon=True
                ).start()

    def _forward(self, source: socket.socket, target: socket.socket, loses: bool) -> None:
        try:
            while data := source.recv(65536):
                if not (loses and self.is_losing.is_set()):
                    target.sendall(data)
        except OSError:
            pass
        for one in (source, target):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            if one is source:
                one.close()
