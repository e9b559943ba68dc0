"""The product as a newcomer starts it: README's first command in a fresh copy of the project."""

from __future__ import annotations

import os
import queue
import re
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from config import environment
from config.embedded_postgres import PROJECT
from tests.support import ports

READY_SECONDS_MAX = 300


@dataclass(frozen=True, slots=True)
class Product:
    """A running demo: its clone, its address, the link it printed, and all it said."""

    clone: Path
    address: str
    sign_in_link: str
    said: str


@contextmanager
def started(folder: Path) -> Iterator[Product]:
    """Copy the project, start it with README's first command, and end it with Ctrl-C."""
    clone = folder / "tallystick"
    _copy_to(clone)
    process = subprocess.Popen(
        ["bash", "-c", f"{first_command()} --port {ports.free()}"],
        cwd=clone,
        env=environment_of_a_newcomer(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    try:
        with process, _listened_to(process) as lines:
            said = _said_until_ready(process, lines)
            yield Product(clone, _found(r"Ready: (http\S+?)/?\n", said), _link(said), said)
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
    finally:
        _remove_data_of(clone)


def first_command() -> str:
    """Return the only line of README's first ``sh`` block."""
    return _found(r"^```sh\n(.*?)\n```$", (PROJECT / "README.md").read_text())


def _copy_to(clone: Path) -> None:
    """Copy what git would: the tracked files, and new ones it does not ignore."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=PROJECT,
        check=True,
        capture_output=True,
        text=True,
    )
    for name in filter(None, listed.stdout.split("\0")):
        if (source := PROJECT / name).is_file():
            (clone / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(source, clone / name)


def environment_of_a_newcomer() -> dict[str, str]:
    """Return this machine's environment without anything of ours in it."""
    ours = ("DATABASE_URL", "CELERY_BROKER_URL", "DJANGO_SETTINGS_MODULE")
    return {
        name: value
        for name, value in os.environ.items()
        if name not in ours and not name.startswith((environment.PREFIX, "PYTEST_"))
    }


@contextmanager
def _listened_to(process: subprocess.Popen[str]) -> Iterator[queue.Queue[str]]:
    """Read what the process says in a thread of its own, to its end: a full pipe would stop it."""
    lines: queue.Queue[str] = queue.Queue()

    def read() -> None:
        assert process.stdout is not None
        for line in process.stdout:
            lines.put(line)

    reader = threading.Thread(target=read)
    reader.start()
    try:
        yield lines
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        reader.join(timeout=60)


def _said_until_ready(process: subprocess.Popen[str], lines: queue.Queue[str]) -> str:
    said = ""
    deadline = time.monotonic() + READY_SECONDS_MAX
    while "Ctrl-C ends everything" not in said:
        assert time.monotonic() < deadline, f"Not ready in {READY_SECONDS_MAX} s:\n{said}"
        assert process.poll() is None, f"Ended with {process.returncode}:\n{said}"
        try:
            said += lines.get(timeout=0.5)
        except queue.Empty:
            continue
    return said


def _link(said: str) -> str:
    return _found(r"(http\S+/sign-in/\S+)", said)


def _found(pattern: str, text: str) -> str:
    found = re.search(pattern, text, re.MULTILINE | re.DOTALL)
    assert found, f"{pattern} is not in:\n{text}"
    return found[1]


def _remove_data_of(clone: Path) -> None:
    """Remove the clone's database, which lies outside it when we are root."""
    script = "from config.embedded_postgres import default_home as d; print(d())"
    done = subprocess.run(
        [clone / ".venv" / "bin" / "python", "-c", script],
        cwd=clone,
        env=environment_of_a_newcomer(),
        capture_output=True,
        text=True,
    )
    home = done.stdout.strip()
    if home and Path(home).name.startswith(("tallystick-", ".tallystick")):
        shutil.rmtree(home, ignore_errors=True)
