"""Every command in README and docs is run: here, by the journeys, or by ``.ci/run``."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
import sys
import time

import pytest

from config import databases
from config.embedded_postgres import PROJECT
from credits import companies
from credits.models import Company, Membership, Role, User
from tests.support import people, processes

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
    # There is a number to explain: entry #1.
    people.credits_for(Company.objects.get(slug="northwind"), "10")
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
    answers, key = [], ""
    with processes.web_server(northwind) as address:
        for line in commands():
            if "create_api_key" in line:
                key = made_key(line, northwind)
            elif line.startswith("curl "):
                answers.append(answer_of(line.replace("http://127.0.0.1:8000", address), key))

    balance, ledger, purchase, report, draft, listed, sent, users, trackers, calls, asked = answers
    assert (balance["remaining"], balance["sequence"]) == ("0.0", 0)
    assert ledger == {"items": [], "next_cursor": None}
    assert (purchase["amount"], purchase["state"]) == ("5000.0", "REQUESTED")
    assert report == []
    assert (draft["state"], draft["draft"]["number"]) == ("DRAFT", 1)
    assert [tracker["id"] for tracker in listed["items"]] == [draft["id"]]
    assert [item["outcome"] for item in sent["items"]] == ["CREATED", "REFUSED"]
    assert users["records"] == {"totalRecords": 0, "currentPageSize": 0, "currentPageNumber": 0}
    assert [one["trackerName"] for one in trackers["keywordTrackers"]] == [draft["name"]]
    assert calls["errors"] == ["No calls found corresponding to the provided filters."]
    assert asked["errors"] == ["There is no such account in your company."]


def made_key(line, dsn) -> str:
    done = subprocess.run(
        [sys.executable, *shlex.split(line.removeprefix(PYTHON))],
        cwd=PROJECT,
        env=databases.environment(dsn),
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.strip()


def answer_of(line, key) -> dict:
    """Run a line of curl; a company may ask 3 times a second."""
    time.sleep(0.4)
    done = subprocess.run(
        ["bash", "-c", line],
        env={"PATH": os.environ["PATH"], "KEY": key},
        capture_output=True,
        check=True,
    )
    return json.loads(done.stdout)
