"""A test run that is ended by force takes its PostgreSQL, and all it started, along."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest

from config.embedded_postgres import PROJECT
from tests.support.commands import bare_environment, open_folder
from tests.support.processes import wait_until

SLEEPING = [sys.executable, "-m", "pytest", "tests/support/sleeping.py", "-q", "-p", "no:randomly"]


@dataclass
class Run:
    """A whole run with its server, in a temporary folder of its own."""

    folder: Path
    process: subprocess.Popen

    @property
    def home(self) -> Path:
        return next(self.folder.glob("tallystick-tests-*"))

    @property
    def reached(self) -> Path:
        return self.folder / "reached"

    def has_postmaster(self) -> bool:
        """Tell whether its file is there and written."""
        files = self.folder.glob("tallystick-tests-*/data/postmaster.pid")
        return any(file.stat().st_size for file in files)

    def postmaster(self) -> psutil.Process:
        return psutil.Process(int((self.home / "data/postmaster.pid").read_text().split()[0]))


@pytest.fixture
def run():
    with open_folder() as folder:
        started = []

        def start(*arguments: str) -> Run:
            process = subprocess.Popen(
                [*SLEEPING, *arguments],
                cwd=PROJECT,
                env=bare_environment(TMPDIR=str(folder), SLEEPING_FILE=str(folder / "reached")),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
                # Under nohup it would be ignored, and so it would here.
                preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_DFL),
            )
            started.append(process)
            return Run(folder, process)

        yield start
        for process in started:
            process.kill()
            process.wait()


def is_gone(process: psutil.Process) -> bool:
    try:
        return not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def all_gone(run: Run, family: list[psutil.Process]) -> bool:
    return all(map(is_gone, family)) and not list(run.folder.glob("tallystick-tests-*"))


@pytest.mark.parametrize(
    ("number", "workers"),
    [(signal.SIGTERM, "0"), (signal.SIGHUP, "1"), (signal.SIGKILL, "0"), (signal.SIGKILL, "1")],
)
def test_a_run_that_is_ended_in_a_test_leaves_no_process_and_no_folder(run, number, workers):
    running = run("-n", workers)
    wait_until(running.reached.exists, "the test that sleeps", seconds=120)
    postmaster = running.postmaster()
    child = psutil.Process(int(running.reached.read_text()))
    controller = psutil.Process(running.process.pid)
    family = [postmaster, child, *postmaster.children(), *controller.children(recursive=True)]

    os.kill(running.process.pid, number)
    code = running.process.wait(timeout=180)

    wait_until(lambda: all_gone(running, family), f"{family} to end", seconds=180)
    assert code == (-signal.SIGKILL if number == signal.SIGKILL else pytest.ExitCode.INTERRUPTED)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_run_that_is_ended_while_its_server_starts_leaves_none(run, number):
    running = run()
    wait_until(running.has_postmaster, "the server to start", seconds=120)
    postmaster = running.postmaster()

    os.kill(running.process.pid, number)
    running.process.wait(timeout=180)

    wait_until(lambda: all_gone(running, [postmaster]), f"{postmaster} to end", seconds=180)
