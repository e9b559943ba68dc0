"""Try a tracker on a few conversations before it is published: free (SPEC §5).

The analyzer reads as it would after publishing, with the same calibration. What it reads is
metered as a use of 0, writes no ledger entry and works at zero credits.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from django.db import transaction
from django.db.models import Exists, OuterRef, Q, Sum

from credits import audit, charging, rating, zones
from credits.audit import Action
from credits.identifiers import new_id
from credits.ledger import Use
from credits.models import Company, FeatureType, UsageAction, User
from credits.rating import CALL_WITHOUT_TEXT, EMAIL_WITHOUT_TEXT, Work
from trackers import calibrating, filters, lessons, locks, publishing, readers
from trackers.analyzers.base import AnalyzerFailed, Finding
from trackers.models import (
    PREVIEW_CONVERSATIONS_MAX,
    LlmPurpose,
    Preview,
    PreviewQuote,
    PreviewResult,
    Tracker,
    TrackerVersion,
)

logger = logging.getLogger(__name__)

# Conversations a local day.
TRACKER_DAY_MAX = PREVIEW_CONVERSATIONS_MAX
COMPANY_DAY_MAX = 50
# One that was begun longer ago and is not finished lost its process; it no longer counts.
UNFINISHED_MAX = timedelta(minutes=10)
SCORE_PLACES = Decimal("0.000001")

Clock = Callable[[], datetime]


class PreviewRefused(Exception):
    """A test that was not made; the message says why and what to do."""


@dataclass(frozen=True, slots=True)
class Room:
    """How many conversations may still be tested today."""

    of_tracker: int
    of_company: int

    @property
    def left(self) -> int:
        return max(min(self.of_tracker, self.of_company), 0)


@dataclass(frozen=True, slots=True)
class _Begun:
    """A preview whose place in the day's limits is taken, and what it is to read."""

    preview: Preview
    revisions: dict[UUID, int]
    items: dict[UUID, str]


def room(*, tracker: Tracker, now: datetime) -> Room:
    """Return what is left of the day's limits, in the company's time zone."""
    zone = ZoneInfo(tracker.company.time_zone)
    today = now.astimezone(zone).date()
    first, end = zones.days(today, today, zone)
    of_day = Preview.objects.filter(
        Q(finished_at__isnull=False) | Q(begun_at__gt=now - UNFINISHED_MAX),
        company=tracker.company_id,
        begun_at__gte=first,
        begun_at__lt=end,
    )
    read = of_day.aggregate(
        company=Sum("conversation_count", default=0),
        tracker=Sum("conversation_count", filter=Q(tracker=tracker), default=0),
    )
    return Room(
        of_tracker=TRACKER_DAY_MAX - read["tracker"], of_company=COMPANY_DAY_MAX - read["company"]
    )


def run(*, tracker_id: UUID, count: int, by: User, clock: Clock) -> Preview:
    """Read up to ``count`` matching conversations, or as many as the day has left; return it.

    Those come first that the question was not tested on yet, the newest before the others. Two
    people at once never read more than the day's limits. A draft is tested as it would be
    published, a published tracker by its draft if it has one.

    :raises PreviewRefused: nothing was read, or nothing was kept.
    :raises CompanyClosed: nothing is read in a closed company.
    """
    begun = _begin(tracker_id, count, by, clock())
    try:
        found = _read(begun)
        return _finish(begun, found, by, clock())
    except BaseException:
        # Nothing was kept, so nothing counts.
        Preview.objects.filter(pk=begun.preview.pk, finished_at=None).delete()
        raise


def results(*, version: TrackerVersion, limit: int) -> list[PreviewResult]:
    """Return what tests of a version's question found, newest first, each conversation once."""
    rows = (
        PreviewResult.objects.filter(
            preview__tracker=version.tracker_id, preview__asked=lessons.asked(version)
        )
        .order_by("conversation", "-preview__begun_at")
        .distinct("conversation")
    )
    return list(
        PreviewResult.objects.filter(pk__in=rows.values("pk"))
        .select_related("preview__version", "preview__tracker", "conversation__company")
        .defer("preview__version__calibration")
        .order_by("-preview__begun_at", "-score", "pk")[:limit]
    )


def _begin(tracker_id: UUID, count: int, by: User, now: datetime) -> _Begun:
    """Choose what to read and take its place in the day's limits, one preview after another."""
    with transaction.atomic():
        company_id = publishing.company_of(tracker_id)
        locks.keep_open(company_id)
        locks.queue_for(f"previews of company {company_id}")
        tracker = Tracker.objects.select_related("company", "current_version").get(pk=tracker_id)
        version = publishing.next_version(tracker)
        if version is None:
            raise PreviewRefused("A tracker needs a question before it can be tested.")
        left = room(tracker=tracker, now=now)
        if left.left == 0:
            raise PreviewRefused(_no_room(left))
        chosen = _choose(tracker, version, min(count, left.left))
        if not chosen:
            raise PreviewRefused(
                "No conversation with words to read matches this tracker. Widen its filters, or "
                "choose other words or kinds."
            )
        preview = Preview.objects.create(
            company_id=company_id,
            tracker=tracker,
            version=version,
            asked=lessons.asked(version),
            conversation_count=len(chosen),
            begun_at=now,
            begun_by=by,
        )
    return _Begun(
        preview=preview,
        revisions={one.pk: one.text_revision for one in chosen},
        items={one.pk: one.item for one in chosen},
    )


def _no_room(left: Room) -> str:
    if left.of_tracker <= 0:
        return (
            f"This tracker was tested on {TRACKER_DAY_MAX} conversations today, which is all a "
            "day allows. Test it again tomorrow."
        )
    return (
        f"The company has tested trackers on {COMPANY_DAY_MAX} conversations today, which is all "
        "a day allows. Test again tomorrow."
    )


def _choose(tracker: Tracker, version: TrackerVersion, count: int) -> list[Any]:
    """Return matching conversations with words on the version's side, annotated with ``item``."""
    tested = PreviewResult.objects.filter(
        conversation=OuterRef("pk"),
        revision=OuterRef("text_revision"),
        preview__tracker=tracker,
        preview__asked=lessons.asked(version),
    )
    readable = filters.with_item(filters.matching(tracker), version).exclude(
        item__in=[CALL_WITHOUT_TEXT, EMAIL_WITHOUT_TEXT]
    )
    return list(
        readable.annotate(is_tested=Exists(tested)).order_by("is_tested", "-started_at", "-pk")[
            :count
        ]
    )


def _read(begun: _Begun) -> dict[UUID, Finding]:
    """Analyze with no transaction open; what the analyzer cannot read is left out.

    :raises PreviewRefused: it could read none of them.
    """
    preview = begun.preview
    calibration = calibrating.of_version(preview.version_id)
    version = TrackerVersion.objects.select_related("tracker").get(pk=preview.version_id)
    analyzer = readers.analyzer_for(version, run_ref=preview.pk, purpose=LlmPurpose.PREVIEW)
    read = readers.reader(
        analyzer, tracker=version.tracker, version=version, calibration=calibration
    )
    found: dict[UUID, Finding] = {}
    failure: AnalyzerFailed | None = None
    for conversation_id, text in calibrating.texts_of(begun.revisions, version=version).items():
        try:
            found[conversation_id] = read(text)
        except AnalyzerFailed as error:
            failure = failure or error
            logger.warning("Preview %s could not read a conversation: %s", preview.pk, error)
        except Exception:
            # The boundary to the analyzer, as in scanning: one conversation it cannot read must
            # not take the others with it.
            logger.exception("Preview %s could not read a conversation", preview.pk)
    if not found and failure is not None:
        raise PreviewRefused(f"{failure} Nothing was recorded; test again later.")
    if not found:
        raise PreviewRefused(
            "The analyser could not read any of these conversations; nothing was recorded. Try "
            "again, and tell whoever runs this site if it stays so."
        )
    return found


def _finish(begun: _Begun, found: dict[UUID, Finding], by: User, now: datetime) -> Preview:
    """Write results and the use of 0 in one transaction, its own ledger call last."""
    preview, usage_id = begun.preview, new_id()
    rates = rating.rates_at(now)
    with transaction.atomic():
        locks.keep_open(preview.company_id)
        locks.share(TrackerVersion, [preview.version_id])
        version = TrackerVersion.objects.select_related("tracker__company").get(
            pk=preview.version_id
        )
        if lessons.asked(version) != bytes(preview.asked):
            raise PreviewRefused("The question was changed during the test. Test it again.")
        _write_results(begun, found)
        preview.finished_at, preview.usage_ref = now, usage_id
        preview.save(update_fields=["finished_at", "usage_ref"])
        audit.record(
            action=Action.STARTED,
            by=by,
            company=preview.company_id,
            subject=audit.named(preview, f"of {version.tracker.name}, version {version.number}"),
            after={"conversations": len(found)},
        )
        _meter(version.tracker.company, version.tracker, begun, found, by, usage_id, rates)
    return preview


def _write_results(begun: _Begun, found: dict[UUID, Finding]) -> None:
    company_id = begun.preview.company_id
    rows = {
        conversation_id: PreviewResult(
            company_id=company_id,
            preview=begun.preview,
            conversation_id=conversation_id,
            revision=begun.revisions[conversation_id],
            verdict=str(finding.verdict),
            confidence=str(finding.confidence),
            score=Decimal(finding.score).quantize(SCORE_PLACES),
            answer=finding.answer,
        )
        for conversation_id, finding in found.items()
    }
    PreviewResult.objects.bulk_create(rows.values())
    PreviewQuote.objects.bulk_create(
        PreviewQuote(
            company_id=company_id,
            result=rows[conversation_id],
            rank=rank,
            utterance_id=int(evidence.utterance_id),
            start=evidence.start,
            end=evidence.end,
        )
        for conversation_id, finding in found.items()
        for rank, evidence in enumerate(finding.evidence, start=1)
    )


def _meter(
    company: Company,
    tracker: Tracker,
    begun: _Begun,
    found: dict[UUID, Finding],
    by: User,
    usage_id: UUID,
    rates: rating.Rates,
) -> None:
    counts: dict[str, int] = {}
    for conversation_id in found:
        item = begun.items[conversation_id]
        counts[item] = counts.get(item, 0) + 1
    charging.charge(
        company=company,
        use=Use(
            feature_type=FeatureType.TRACKER,
            feature_name=tracker.name,
            feature_ref=tracker.pk,
            action=UsageAction.PREVIEW,
            user_ref=by.public_id,
        ),
        work=Work.of_items(counts),
        rates=rates,
        by=by,
        is_free=True,
        usage_id=usage_id,
    )
