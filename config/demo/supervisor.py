"""Run web, workers and beat as real processes, and end them together."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial

from config.celery import BACKFILL, LIVE, MAINTENANCE
from config.embedded_postgres import PROJECT

PORT_MAX = 65_535
READY_SECONDS_MAX = 90
STOP_SECONDS_MAX = 6  # An idle worker takes up to five to notice; the database stops after it.
ALONE = ("--without-gossip", "--without-mingle")
CELERY = (sys.executable, "-m", "celery", "-A", "config")
QUIET = ("--loglevel", "WARNING")
PR_SET_PDEATHSIG = 1


class PortInUse(Exception):
    """Another program listens on the port, or only root may; the message names a free one."""


class ProcessEnded(Exception):
    """One of the processes ended by itself; the message says which and where to look."""


@dataclass(frozen=True, slots=True)
class Service:
    """One process; a ``niceness`` above 0 lets others go first when all want the processor."""

    name: str
    command: list[str]
    niceness: int = 0


def services(port: int) -> list[Service]:
    """Return what the product consists of at run time."""
    web = [sys.executable, "-m", "uvicorn", "config.asgi:application", "--host", "127.0.0.1"]
    web += ["--lifespan", "on", "--no-proxy-headers"]
    return [
        Service("web", [*web, "--port", str(port), "--log-level", "warning"]),
        _worker("worker", LIVE, MAINTENANCE),
        # Long work has a worker of its own: what has just arrived never waits for it.
        _worker("backfill worker", BACKFILL, niceness=10),
        Service("beat", [*CELERY, "beat", *QUIET]),
    ]


def _worker(name: str, *queues: str, niceness: int = 0) -> Service:
    consume = ("--concurrency", "2", "-Q", ",".join(queues), *ALONE)
    return Service(name, [*CELERY, "worker", *QUIET, *consume], niceness)


def refuse_busy_port(port: int) -> None:
    """Check that we may listen on the port and nobody else does.

    :raises PortInUse: names the next free one.
    """
    try:
        if _is_free(port):
            return
    except PermissionError:
        raise PortInUse(f"Only root may listen on port {port}; try --port 8000.") from None
    others = range(port + 1, min(port + 100, PORT_MAX + 1))
    free = next((other for other in others if _is_free(other)), 8000)
    raise PortInUse(f"Port {port} is in use; try --port {free}.")


@contextmanager
def running(port: int) -> Iterator[dict[str, subprocess.Popen[bytes]]]:
    """Keep the services up until the block ends, then end each by its process id."""
    processes: dict[str, subprocess.Popen[bytes]] = {}
    address = {"TALLYSTICK_PUBLIC_URL": f"http://127.0.0.1:{port}"}
    try:
        for service in services(port):
            processes[service.name] = subprocess.Popen(
                service.command,
                cwd=PROJECT,
                env=address | os.environ | {"PYTHONWARNINGS": "ignore"},
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                # A Ctrl-C in the terminal is for us; we end them in order.
                start_new_session=True,
                preexec_fn=partial(_prepare, service.niceness),
            )
        yield processes
    finally:
        _stop(processes)


def wait_until_ready(port: int, processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Wait for the first page.

    :raises ProcessEnded: if a process ends before, or the page does not come.
    """
    deadline = time.monotonic() + READY_SECONDS_MAX
    while time.monotonic() < deadline:
        refuse_ended(processes)
        # HTTPException: before the server listens, Linux may lend us its port for our own end of
        # the connection, and then we are answered by ourselves.
        with contextlib.suppress(OSError, http.client.HTTPException):
            address = f"http://127.0.0.1:{port}/admin/login/"
            with urllib.request.urlopen(address, timeout=10):
                return
        time.sleep(0.1)
    raise ProcessEnded(f"The web process did not answer within {READY_SECONDS_MAX} s.")


def refuse_ended(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    """Check that every process still runs.

    :raises ProcessEnded: names the first that does not.
    """
    for name, process in processes.items():
        if process.poll() is not None:
            raise ProcessEnded(
                f"The {name} process ended with code {process.returncode}; "
                "its last words are above."
            )


def _stop(processes: dict[str, subprocess.Popen[bytes]]) -> None:
    for process in processes.values():
        if process.poll() is None:
            process.terminate()
    deadline = time.monotonic() + STOP_SECONDS_MAX
    for process in processes.values():
        try:
            process.wait(timeout=max(0.1, deadline - time.monotonic()))
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def _prepare(niceness: int) -> None:
    """Step back for others, and ask Linux to end this process when the demo is killed and cannot
    do it itself.
    """
    os.nice(niceness)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)


def _is_free(port: int) -> bool:
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return False
            raise
    return True
