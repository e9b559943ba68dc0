"""One scheduler of two: ``python -m tests.concurrency.scheduler settle|claim|clean INSTANT``.

Prints what it was told: how many companies it settled, or whether the job was its own.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import datetime, timedelta

import django

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
DAY = timedelta(days=1)


def main(act: str, instant: str) -> None:
    django.setup()
    from credits import expirations, exports, jobs

    if act == "settle":
        told = expirations.settle_due()
    elif act == "clean":
        now = datetime.fromisoformat(instant)
        with jobs.once_per_period("exports", now=now, period=timedelta(minutes=1)) as job:
            told = exports.clean_up(now=now) if job.is_mine else -1
    else:
        with jobs.once_per_period(
            "nightly", now=datetime.fromisoformat(instant), period=DAY
        ) as job:
            told = job.is_mine
    print(json.dumps(told))


if __name__ == "__main__":
    main(*sys.argv[1:])
