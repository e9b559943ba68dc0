"""The apps depend in one direction only (DESIGN §2); the contracts are in pyproject.toml."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from config.embedded_postgres import PROJECT


def test_the_import_contracts_hold():
    command = Path(sys.executable).with_name("lint-imports")

    done = subprocess.run([command, "--no-cache"], cwd=PROJECT, capture_output=True, text=True)

    assert done.returncode == 0, done.stdout
    assert "2 kept, 0 broken" in done.stdout
