"""What a tracker has under way, in the words of every page that ends it."""

from __future__ import annotations

from dataclasses import dataclass

from django.db.models import Count, Q
from django.utils.html import format_html
from django.utils.safestring import SafeString

from credits import shown
from trackers import backfill_progress, backfills, requeuing
from trackers.backfill_progress import Progress
from trackers.models import Backfill, Scan, ScanState, Tracker

UNPUBLISHING = (
    "New conversations are not read any more. Results stay, and stay free to see. Nothing of what "
    "follows is charged:"
)


@dataclass(frozen=True, slots=True)
class UnderWay:
    """What is read now, what is queued or waits for credits, and a backfill that is live."""

    running: SafeString
    waiting: SafeString
    backfill: Backfill | None
    progress: Progress | None

    @property
    def endings(self) -> tuple[SafeString, ...]:
        """Say what becomes of each when the tracker is unpublished."""
        said = (
            format_html(
                "{} conversations are being read now; their results are thrown away.", self.running
            ),
            format_html(
                "{} conversations are queued or wait for credits; they are skipped.", self.waiting
            ),
        )
        if self.backfill is None or self.progress is None:
            return said
        return (
            *said,
            format_html(
                "The backfill, {} of {} conversations far, stops.",
                f"{self.progress.finished:,}",
                f"{self.backfill.conversation_count:,}",
            ),
        )


def of(tracker: Tracker) -> UnderWay:
    """Count what ends with the version in force of a tracker."""
    counts = Scan.objects.filter(tracker=tracker).aggregate(
        running=Count("pk", filter=Q(state=ScanState.RUNNING)),
        waiting=Count("pk", filter=Q(state__in=requeuing.QUEUED)),
    )
    live = tracker.backfills.filter(state__in=backfills.LIVE_STATES).first()
    return UnderWay(
        running=shown.count(counts["running"], metric="running"),
        waiting=shown.count(counts["waiting"], metric="waiting"),
        backfill=live,
        progress=None if live is None else backfill_progress.of(live),
    )
