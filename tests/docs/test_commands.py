"""Every command in README and docs is run: here, by the journeys, or by ``.ci/run``."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys

import pytest

from config import databases
from config.embedded_postgres import PROJECT
from credits import companies
from credits.models import Membership, Role, User
from tests.support import processes

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
PYTHON = ".venv/bin/python "
# README's first block is run by the journeys, these by .ci/run word for word.
RUN_BY_CI = (PROJECT / ".ci" / "run").read_text()
TESTS = re.compile(r"-m pytest -m (\w+)(?: -s)?(?: tests/\S+)?$")


def commands():
    """Return every line of every fenced ``sh`` block, in order."""
    blocks = [
        block
        for page in PAGES
        for block in re.findall(r"^```sh\n(.*?)^```$", page.read_text(), re.MULTILINE | re.DOTALL)
    ]
    return [line for block in blocks for line in block.splitlines()]


def manage_commands():
    return [line for line in commands() if line.startswith(f"{PYTHON}manage.py ")]


def curl_commands():
    return [line for line in commands() if line.startswith("curl ")]


@pytest.fixture
def northwind(committed):
    """The company and the person that README's examples name."""
    northwind = companies.open_company(name="Northwind Robotics", slug="northwind", time_zone="UTC")
    tomas = User.objects.create_user("tomas@northwind.example")
    Membership.objects.create(user=tomas, company=northwind, role=Role.TECH_ADMIN)
    return committed


def test_readme_begins_with_two_commands_complete_in_themselves():
    install = "python3 -m venv .venv && .venv/bin/pip install -q --require-hashes -r "

    assert commands()[:2] == [
        f"{install}requirements.lock && .venv/bin/python manage.py demo",
        f"{install}requirements-dev.lock && .venv/bin/python -m pytest -n 2",
    ]


def test_every_command_has_somebody_who_runs_it():
    others = [line for line in commands()[2:] if line not in manage_commands() + curl_commands()]
    orphans = [line for line in others if line not in RUN_BY_CI and not TESTS.search(line)]

    assert orphans == []
    assert {found[1] for line in others if (found := TESTS.search(line))} == {
        "benchmark",
        "chromium",
        "debian",
        "shared_data",
    }


def test_the_commands_of_readme_and_docs_do_what_they_say(northwind):
    failed = {}
    for line in manage_commands():
        if "../shared" in line:
            continue  # Run by the tests marked shared_data.
        done = subprocess.run(
            [sys.executable, *shlex.split(line.removeprefix(PYTHON))],
            cwd=PROJECT,
            env=databases.environment(northwind),
            capture_output=True,
            text=True,
        )
        if done.returncode:
            failed[line] = (done.stdout + done.stderr)[-500:]

    assert len(manage_commands()) >= 4
    assert failed == {}


@pytest.mark.debian
def test_the_api_s_lines_answer_what_they_say(northwind):
    """With curl itself, the key of the line before them, and a web server as an operator has it."""
    made = next(line for line in manage_commands() if "create_api_key" in line)
    key = subprocess.run(
        [sys.executable, *shlex.split(made.removeprefix(PYTHON))],
        cwd=PROJECT,
        env=databases.environment(northwind),
        capture_output=True,
        text=True,
        check=True,
    ).stdout.strip()

    with processes.web_server(northwind) as address:
        answers = [
            json.loads(
                subprocess.run(
                    ["bash", "-c", line.replace("http://127.0.0.1:8000", address)],
                    env={"PATH": os.environ["PATH"], "KEY": key},
                    capture_output=True,
                    check=True,
                ).stdout
            )
            for line in curl_commands()
        ]

    balance, ledger, purchase = answers
    assert (balance["remaining"], balance["sequence"]) == ("0.0", 0)
    assert ledger == {"items": [], "next_cursor": None}
    assert (purchase["amount"], purchase["state"]) == ("5000.0", "REQUESTED")
