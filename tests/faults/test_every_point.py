"""Processes killed with -9 at every named point, and in between: nothing lost, nothing double."""

from __future__ import annotations

import json
import subprocess
import sys

from config import databases
from config.embedded_postgres import PROJECT
from credits.faults import Point
from tests.faults.half_done import WORK
from tests.faults.points import MAIL_POINTS


def test_every_point_is_hit_and_made_good(committed, tmp_path):
    kills = 2 * len(WORK)
    file = str(tmp_path / "kills.jsonl")

    done = subprocess.run(
        [sys.executable, "-m", "tests.faults.killing", "--kills", str(kills), "--file", file],
        cwd=PROJECT,
        env=databases.environment(committed),
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert seen["hits"] == dict.fromkeys((point.name for point in WORK), 1)
    # E-mail is another process's: test_killed_announcement kills at those.
    assert set(WORK) | set(MAIL_POINTS) == set(Point)
    assert seen["sent"] == seen["acknowledged"] + seen["asked_at_last"]
    assert seen["acknowledged"] > len(WORK)
    assert (seen["lost"], seen["double"], seen["below_zero"]) == (0, 0, 0)
    assert seen["wrong"] == {}
    assert seen["audit"] == []
    assert seen["killed_after_an_act"] == len(WORK)
    # The point after the ledger's answer leaves a charge that nobody was told of.
    assert seen["resolved_by_key"] >= 1
    assert len((tmp_path / "kills.jsonl").read_text().splitlines()) == kills


# In a process of its own: a scene takes broker and analyser away from the one it is in.
JUDGED = """
import sys, json, pathlib, django
django.setup()
from tests.faults.half_done import Scene
record = pathlib.Path(sys.argv[1])
scene = Scene(record)
scene.charge("key 1")
with record.open("a") as file:
    file.write(sys.argv[2])
print(json.dumps(scene.finish_and_judge()))
"""


def test_an_acknowledged_charge_that_is_gone_counts_as_lost(committed, tmp_path):
    gone = {"key": "key 2", "acknowledged": "019abcde-0000-7000-8000-000000000000"}
    lines = json.dumps({"key": "key 2", "sent": True}) + "\n" + json.dumps(gone) + "\n"

    done = subprocess.run(
        [sys.executable, "-c", JUDGED, str(tmp_path / "record"), lines],
        cwd=PROJECT,
        env=databases.environment(committed) | {"DJANGO_SETTINGS_MODULE": "config.settings"},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert (seen["sent"], seen["acknowledged"], seen["asked_at_last"]) == (2, 2, 0)
    assert seen["lost"] == 1
