"""Ends what a test run started when the run itself is killed: ``watching.py HOME``.

A process of its own in a session of its own, because after ``kill -9`` nothing of the run can act.
Every process the run starts carries the server's folder in its environment; PostgreSQL, which
gets none of ours, has it on its command line.
"""

from __future__ import annotations

import os
import shutil
import signal
import sys
import time
from collections.abc import Callable
from pathlib import Path

import psutil

POLL_SECONDS = 0.2
POLITE_SECONDS = 20  # A demo takes some to end its own processes.
QUIET_SECONDS = 1  # What was being started when the run was killed appears within it.
MARK = "TESTS_SERVER_HOME"


def start(home: Path) -> None:
    """Watch over this process from now on, and over what it marks with ``MARK`` set to home."""
    # Not subprocess, which warns of a process that outlives it; this one has to.
    os.posix_spawn(
        sys.executable,
        [sys.executable, __file__, str(home), str(os.getpid())],
        os.environ,
        setsid=True,
        file_actions=[
            (os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDWR, 0),
            (os.POSIX_SPAWN_DUP2, 0, 1),
            (os.POSIX_SPAWN_DUP2, 0, 2),
        ],
    )


def main(home: str, controller: int) -> None:
    # A dead parent's children get another parent at once, also while it is a zombie.
    while os.getppid() == controller:
        time.sleep(POLL_SECONDS)
    _end_all(lambda one: one.environ().get(MARK) == home, signal.SIGTERM)
    # PostgreSQL's word for "at once"; it ends its own children.
    _end_all(lambda one: any(part.startswith(f"{home}/") for part in one.cmdline()), signal.SIGQUIT)
    shutil.rmtree(home, ignore_errors=True)


def _end_all(is_meant: Callable[[psutil.Process], bool], number: int) -> None:
    """Ask until nobody has come for a while; whoever stays too long is killed."""
    began = quiet_since = time.monotonic()
    asked: set[psutil.Process] = set()
    while time.monotonic() - quiet_since < QUIET_SECONDS:
        for one in _found(is_meant):
            quiet_since = time.monotonic()
            if quiet_since - began > POLITE_SECONDS:
                _send(one, signal.SIGKILL)
            elif one not in asked:
                asked.add(one)
                _send(one, number)
        time.sleep(POLL_SECONDS)


def _found(is_meant: Callable[[psutil.Process], bool]) -> list[psutil.Process]:
    found = []
    for one in psutil.process_iter():
        try:
            alive = one.pid != os.getpid() and one.status() != psutil.STATUS_ZOMBIE
            if alive and is_meant(one):
                found.append(one)
        except psutil.Error:
            continue
    return found


def _send(process: psutil.Process, number: int) -> None:
    try:
        process.send_signal(number)
    except psutil.Error:
        return


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
