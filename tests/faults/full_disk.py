"""Prepare an export where the disk is full, then where it is not: ``full_disk.py JOB HOW``.

``tmpfs``: run it by ``unshare --mount``, so that the small disk is this process's alone.
``limit``: the kernel refuses this process a file of more than a few bytes. Prints what became of
the job both times, and what was left in the folder.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from pathlib import Path

import django

SMALL = 4096


def main(job_id: str, how: str) -> None:
    django.setup()
    from django.utils import timezone

    from credits import exports
    from credits.models import ExportJob

    folder = exports.folder()
    fill(folder, how)
    failed = exports.prepare(job_id=job_id, clock=timezone.now)
    left = sorted(path.name for path in folder.iterdir() if path.name != "filler")
    free(folder, how)
    job = ExportJob.objects.get(pk=job_id)
    again = exports.rerun(job=job, by=job.requested_by, now=timezone.now())
    ready = exports.prepare(job_id=again.pk, clock=timezone.now)
    print(
        json.dumps(
            {
                "failed": [failed.state, failed.reason] if failed else None,
                "left": left,
                "ready": ready.state if ready else None,
                "bytes": exports.path_of(ready).stat().st_size if ready else 0,
            }
        )
    )


def fill(folder: Path, how: str) -> None:
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (SMALL, resource.RLIM_INFINITY))
        return
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    subprocess.run(mount, check=True)
    with open(folder / "filler", "wb") as filler:
        filler.write(bytes(64 * 1024 - SMALL))


def free(folder: Path, how: str) -> None:
    if how == "limit":
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)
    else:
        os.unlink(folder / "filler")


if __name__ == "__main__":
    main(*sys.argv[1:])
