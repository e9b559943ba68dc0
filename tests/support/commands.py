"""Run ``manage.py`` as a person would: in a process of its own, with an environment of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from config.embedded_postgres import PROJECT

MANAGE = (sys.executable, "manage.py")
SECRET_KEY = "for tests only; sixty characters that nobody else would choose"


def bare_environment(**variables: str) -> dict[str, str]:
    """Return this process's environment without any setting of ours, and with those given."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("TALLYSTICK_") and name not in {"DATABASE_URL", "CELERY_BROKER_URL"}
    }
    return kept | variables


def manage(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a command with no settings but those given; return what a person sees of it."""
    return subprocess.run(
        [*MANAGE, *arguments],
        cwd=PROJECT,
        env=bare_environment(**variables),
        capture_output=True,
        text=True,
        timeout=120,
    )


@contextmanager
def open_folder() -> Iterator[Path]:
    """A temporary folder that others may enter; pytest's own are closed to the server's user."""
    folder = Path(tempfile.mkdtemp(prefix="tallystick-test-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder)
