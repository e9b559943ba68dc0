"""How far a backfill is: counted from its scans, never from a counter, so no restart loses it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID

from django.db.models import Count, Exists, OuterRef, Q, QuerySet, Sum

from credits.amounts import ZERO
from credits.rating import Rates
from trackers import estimates
from trackers.models import Backfill, BackfillState, Conversation, Scan, ScanState

PACE_SPAN = timedelta(minutes=1)
OPEN_STATES = [ScanState.PENDING, ScanState.WAITING, ScanState.RUNNING]


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a backfill is: conversations by state, and credits charged so far."""

    total: int
    done: int
    failed: int
    skipped: int
    waiting: int
    running: int
    charged: Decimal

    @property
    def finished(self) -> int:
        return self.done + self.failed + self.skipped

    @property
    def percent(self) -> int:
        """Return how much was read, or tried; what was skipped is no progress."""
        return 100 if not self.total else (self.done + self.failed) * 100 // self.total


_NOTHING_YET = Progress(total=0, done=0, failed=0, skipped=0, waiting=0, running=0, charged=ZERO)


def of(backfill: Backfill) -> Progress:
    """Count a backfill's scans."""
    return of_each([backfill])[backfill.pk]


def of_each(chosen: Iterable[Backfill]) -> dict[UUID, Progress]:
    """Count the scans of several backfills in one query; by backfill id."""
    found = {backfill.pk: _NOTHING_YET for backfill in chosen}
    rows = (
        Scan.objects.filter(backfill__in=found)
        .order_by()
        .values("backfill_id")
        .annotate(
            total=Count("pk"),
            done=Count("pk", filter=Q(state=ScanState.DONE)),
            failed=Count("pk", filter=Q(state=ScanState.FAILED)),
            skipped=Count("pk", filter=Q(state=ScanState.SKIPPED)),
            waiting=Count("pk", filter=Q(state__in=[ScanState.PENDING, ScanState.WAITING])),
            running=Count("pk", filter=Q(state=ScanState.RUNNING)),
            charged=Sum("price", filter=Q(state=ScanState.DONE), default=ZERO),
        )
    )
    for row in rows:
        counts: dict[str, Any] = dict(row)
        backfill_id = counts.pop("backfill_id")
        found[backfill_id] = Progress(**counts)
    return found


def time_left(backfill: Backfill, *, now: datetime) -> timedelta | None:
    """Say how long the rest takes at the pace of the last minute; None while there is no pace."""
    if backfill.state != BackfillState.RUNNING:
        return None
    recent = Scan.objects.filter(backfill=backfill, finished_at__gt=now - PACE_SPAN).count()
    span = min(now - backfill.started_at, PACE_SPAN)
    return span * open_scans(backfill).count() / recent if recent else None


def still_needs(backfill: Backfill, *, rates: Rates) -> Decimal:
    """Price what the backfill has not read yet, up to what its ceiling leaves."""
    conversations = Conversation.objects.filter(
        Exists(open_scans(backfill).filter(conversation=OuterRef("pk")))
    )
    rest = estimates.of(conversations, version=backfill.version, rates=rates).credits
    return min(rest, max(backfill.ceiling - of(backfill).charged, ZERO))


def open_scans(backfill: Backfill) -> QuerySet[Scan]:
    """Return what of a backfill is queued or under way."""
    return Scan.objects.filter(backfill=backfill, state__in=OPEN_STATES)
