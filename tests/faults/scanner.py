"""A process that reads one batch of a tracker, to be killed while it does: ``scanner.py SLUG``."""

from __future__ import annotations

import sys

import django


def main(slug: str) -> None:
    django.setup()
    from django.utils import timezone

    from tests.faults import points  # noqa: F401 - stops where FAULT_POINT says.
    from trackers import scanning
    from trackers.models import Tracker

    tracker = Tracker.objects.get(company__slug=slug)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)


if __name__ == "__main__":
    main(sys.argv[1])
