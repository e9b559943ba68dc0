"""What trackers found in calls, as the content of a call shows it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from uuid import UUID

from django.db.models import F, Prefetch

from trackers.api.gong import numbers
from trackers.models import Conversation, Quote, Scan, ScanState, TrackerKind, Verdict


def in_calls(
    calls: Sequence[Conversation], *, with_occurrences: bool
) -> dict[UUID, list[dict[str, Any]]]:
    """Return, by call, each tracker that read its current text, with how often it was quoted.

    Of a tracker's versions the one in force counts. One that found nothing counts 0.
    """
    quotes = Quote.objects.select_related("utterance__speaker").order_by("rank")
    scans = (
        Scan.objects.filter(
            conversation__in=calls,
            state=ScanState.DONE,
            revision=F("conversation__text_revision"),
            version=F("tracker__current_version"),
        )
        .select_related("tracker")
        .prefetch_related(Prefetch("quotes", quotes))
        .order_by("conversation", "tracker")
    )
    found: dict[UUID, list[dict[str, Any]]] = {}
    for scan in scans:
        found.setdefault(scan.conversation_id, []).append(_tracker(scan, with_occurrences))
    return found


def _tracker(scan: Scan, with_occurrences: bool) -> dict[str, Any]:
    # Passages of a result that is unsure, or of none, are no mentions.
    quotes = list(scan.quotes.all()) if scan.verdict == Verdict.YES else []
    count = max(len(quotes), 1) if scan.verdict == Verdict.YES else 0
    is_keyword = scan.tracker.kind == TrackerKind.KEYWORD
    return {
        "id": numbers.of(scan.tracker_id),
        "name": scan.tracker.name,
        "count": count,
        "type": "KEYWORD" if is_keyword else "SMART",
        "occurrences": [_occurrence(scan, one) for one in quotes] if with_occurrences else [],
        "phrases": [],
    }


def _occurrence(scan: Scan, quote: Quote) -> dict[str, Any]:
    said = quote.utterance
    speaker = numbers.participant(scan.conversation_id, said.speaker.external_id)
    time = {} if said.start_seconds is None else {"startTime": float(said.start_seconds)}
    return {**time, "speakerId": speaker}
