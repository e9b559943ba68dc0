"""Every command in README and docs is run: here, by the journeys, or by ``.ci/run``."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import sys
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from config import databases
from config.embedded_postgres import PROJECT
from credits import companies
from credits.models import Company, Membership, Role, User
from tests.support import conversations, people, processes
from trackers import briefs
from trackers.briefs import Section, Template
from trackers.models import EntityType, SectionKind

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
SITE = "http://127.0.0.1:8000"
PYTHON = ".venv/bin/python "
# README's first block is run by the journeys, these by .ci/run word for word.
RUN_BY_CI = (PROJECT / ".ci" / "run").read_text()
# Run by hand: they take long, or need a model from elsewhere. What they run has tests of its own.
BY_HAND = re.compile(
    r"-m tests\.faults\.long |-m fuzz |llamavenv |_LLM_BASE_URL=|requirements-rivals"
    r"|^(?:ALLOCATION_PERIODS|EVERY_REPLY_RACES|EXPIRY_RACES|LEDGER_MACHINE_OPERATIONS)=|test_charge_costs"
)
KEPT = re.compile(r"([A-Z]+)=\$\(")
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


def api_commands():
    """Return the lines that ask by the API, and those that keep a key or an id for them."""
    return [line for line in commands() if line.startswith("curl ") or KEPT.match(line)]


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
    others = [line for line in commands()[2:] if line not in manage_commands() + api_commands()]
    orphans = [
        line
        for line in others
        if line not in RUN_BY_CI and not TESTS.search(line) and not BY_HAND.search(line)
    ]

    assert orphans == []
    assert {found[1] for line in others if (found := TESTS.search(line))} == {
        "benchmark",
        "chromium",
        "debian",
        "real_llm",
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
    """With curl itself, what the lines before them keep, and a web server as an operator has it."""
    the_demo_in_small()
    answers, kept = [], {}
    with processes.web_server(northwind) as address:
        for line in api_commands():
            printed = run(
                line.replace(PYTHON, f"{sys.executable} ").replace(SITE, address), kept, northwind
            )
            if not KEPT.match(line):
                answers.append(json.loads(printed))

    (balance, ledger, purchase, dear, asked, dear_brief, brief, limit, limits, sums, why) = answers[
        :11
    ]
    report, used, month, history, drafts, sent, users, trackers, calls, asked_there = answers[11:]
    assert (balance["remaining"], balance["sequence"]) == ("100.0", 1)
    assert [entry["amount"] for entry in ledger["items"]] == ["100.0"]
    assert (purchase["amount"], purchase["state"]) == ("5000.0", "REQUESTED")
    assert (dear["credits"], dear["calls"], dear["available_after"]) == ("0.5", 1, "99.5")
    assert "That is too expensive for us" in asked["answer"]
    assert asked["credits"]["used"] == "0.5"
    assert dear_brief["credits"] == "0.5"
    assert [section["title"] for section in brief["sections"]] == ["Open risks"]
    assert brief["credits"]["used"] == "0.5"
    assert (limit["name"], limit["credits"], limit["used"]) == ("AI Ask Anything", "500.0", "0.5")
    assert [one["id"] for one in limits["items"]] == [limit["id"]]
    assert {one["name"]: one["amount"] for one in sums["items"]} == {
        "AI Ask Anything": "0.5",
        "AI Briefer": "0.5",
    }
    assert (why["entry"]["kind"], why["entry"]["amount"]) == ("ADJUSTED", "100.0")
    assert report != []
    assert used != []
    assert month["available"] == "99.0"
    assert (history["conversations"], history["credits"]) == (1, "0.5")
    assert [tracker["name"] for tracker in drafts["items"]] == ["Delivery date"]
    assert [item["outcome"] for item in sent["items"]] == ["CREATED", "REFUSED"]
    assert users["records"]["totalRecords"] == 1
    assert [one["trackerName"] for one in trackers["keywordTrackers"]] == [
        "Pricing objection",
        "Delivery date",
    ]
    assert [call["metaData"]["title"] for call in calls["calls"]] == ["Call c1"]
    assert "That is too expensive for us" in str(asked_there["answer"])


def the_demo_in_small():
    """Make what the lines name of README's demo: an account, a brief, and a tracker."""
    company, tomas = Company.objects.get(slug="northwind"), User.objects.get()
    people.credits_for(company, "100")
    conversations.conversation(
        company,
        "c1",
        started_at=timezone.now() - timedelta(hours=1),
        account={"name": "Bergland Sport", "type": "prospect"},
    )
    conversations.published(company, tomas)
    risks = Section(SectionKind.CONVERSATIONS, "Open risks", "Which problems or risks are open?")
    made = briefs.save(
        company=company,
        brief_id=None,
        edit_number=None,
        template=Template("Account review", EntityType.ACCOUNT, (risks,)),
        by=tomas,
        now=timezone.now(),
    )
    briefs.publish(brief_id=made.pk, edit_number=made.edit_number, by=tomas, now=timezone.now())


def run(line, kept, dsn) -> str:
    """Run a line as a shell does; a company may ask 3 times a second."""
    time.sleep(0.4)
    found = KEPT.match(line)
    done = subprocess.run(
        ["bash", "-c", line + (f'; printf %s "${found[1]}"' if found else "")],
        cwd=PROJECT,
        env=databases.environment(dsn) | kept,
        capture_output=True,
        check=True,
        text=True,
    )
    if found:
        assert done.stdout, line + done.stderr
        kept[found[1]] = done.stdout
    return done.stdout
