"""Real workers for tests: started as an operator would, ended by their process id."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from config import databases
from config.embedded_postgres import PROJECT
from tests.support import ports

QUEUES = "live,backfill,maintenance"


@contextmanager
def celery_worker(
    dsn: str,
    *,
    concurrency: int = 1,
    include: str = "",
    environment: dict[str, str] | None = None,
    level: str = "WARNING",
    log: Path | None = None,
) -> Iterator[subprocess.Popen]:
    """Run a worker on the database ``dsn`` and its queues; end its whole process group.

    What it prints is in the file ``log``, where one is named.
    """
    command = [sys.executable, "-m", "celery", "-A", "config", "worker", "--loglevel", level]
    command += ["--concurrency", str(concurrency), "-Q", QUEUES]
    command += ["--without-gossip", "--without-mingle"]
    command += ["--include", include] if include else []
    process = _started(command, dsn, environment, log)
    try:
        yield process
    finally:
        kill(process, signal.SIGKILL)


@contextmanager
def web_server(
    dsn: str, *, environment: dict[str, str] | None = None, log: Path | None = None
) -> Iterator[str]:
    """Run the web process as an operator starts it, on the database; yield its address.

    What it prints is in the file ``log``, where one is named.
    """
    port = ports.free()
    command = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--port", str(port)]
    command += ["--lifespan", "on", "--no-proxy-headers"]
    process = _started(command, dsn, environment, log)
    try:
        wait_until(lambda: _answers(port), "the web server", seconds=300)
        yield f"http://127.0.0.1:{port}"
    finally:
        kill(process, signal.SIGKILL)


class Printed(NamedTuple):
    """What a program printed: the JSON of its output, and what it complained of."""

    told: Any
    stderr: str


def printed_by(
    dsn: str,
    module: str,
    *arguments: str,
    stdin: str = "",
    environment: dict[str, str] | None = None,
    seconds: float = 900,
) -> Printed:
    """Run one of our programs on the database to its end, and return what it printed.

    It fails with the program's last words, and after ``seconds`` without an end; none of the
    processes that the program started stays behind.
    """
    program = subprocess.Popen(
        [sys.executable, "-m", module, *arguments],
        cwd=PROJECT,
        env=databases.environment(dsn) | (environment or {}),
        start_new_session=True,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        output, complaints = program.communicate(stdin, timeout=seconds)
    except subprocess.TimeoutExpired:
        raise AssertionError(f"{module} did not end in {seconds:g} s.") from None
    finally:
        kill(program, signal.SIGKILL)
    assert program.returncode == 0, complaints[-2000:]
    return Printed(json.loads(output), complaints)


def told_by(dsn: str, module: str, *arguments: str, **options: Any) -> Any:
    """Return the JSON that one of our programs printed; see ``printed_by``."""
    return printed_by(dsn, module, *arguments, **options).told


def _started(
    command: list[str], dsn: str, environment: dict[str, str] | None, log: Path | None
) -> subprocess.Popen:
    with open(log or os.devnull, "ab") as printed:
        return subprocess.Popen(
            command,
            cwd=PROJECT,
            env=databases.environment(dsn) | (environment or {}),
            start_new_session=True,
            stdout=printed,
            stderr=printed,
        )


def _answers(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def kill(process: subprocess.Popen, number: int) -> None:
    """Send a signal to a process and all it started, and wait for it to end."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, number)
    process.wait(timeout=60)


def wait_until(condition: Callable[[], bool], what: str, *, seconds: float = 60) -> None:
    """Wait for something to become true; fail with what was awaited."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"Waited {seconds} s for {what}."
        time.sleep(0.05)
