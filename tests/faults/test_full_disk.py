"""A full disk ends an export with a sentence, leaves nothing behind, and can be tried again."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest
from django.utils import timezone

from config import databases
from config.embedded_postgres import PROJECT
from tests.support import people
from tests.support.exporting import asked_for, company_with_use

DISK_FULL = "The disk for exports is full. Free some space, or choose fewer days, and run it again."
# Not as root: a mapped root may not enter the folders of PostgreSQL's user.
MAPPED = () if os.geteuid() == 0 else ("--map-root-user",)
OWN_DISK = ("unshare", "--mount", *MAPPED)
USES = 120  # Some 20 kB of CSV, against 4 kB that are free.


def can_have_a_disk_of_its_own() -> bool:
    probe = [*OWN_DISK, "mount", "-t", "tmpfs", "tmpfs", "/mnt"]
    try:
        return subprocess.run(probe, capture_output=True).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.parametrize("how", ["limit", "tmpfs"])
def test_an_export_that_meets_a_full_disk_says_so_and_runs_again_later(committed, tmp_path, how):
    if how == "tmpfs" and not can_have_a_disk_of_its_own():
        pytest.skip("This kernel lets no process of ours mount a disk; “limit” is the other one.")
    acme = company_with_use(count=USES)
    job = asked_for(acme, people.alice(acme), row_count=USES, now=timezone.now())
    place = tmp_path / "exports"
    place.mkdir()

    done = subprocess.run(
        [
            *(OWN_DISK if how == "tmpfs" else ()),
            sys.executable,
            "-m",
            "tests.faults.full_disk",
            str(job.pk),
            how,
        ],
        cwd=PROJECT,
        env=databases.environment(committed)
        | {"DJANGO_SETTINGS_MODULE": "config.settings", "TALLYSTICK_EXPORTS": str(place)},
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    assert seen["failed"] == ["FAILED", DISK_FULL]
    assert seen["left"] == []
    assert seen["ready"] == "READY"
    assert seen["bytes"] > 4096
