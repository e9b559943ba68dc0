"""Queue conversations again: for the version that replaced theirs, and for a newer text.

A live scan that was not done when its version was replaced goes on as a scan of the version in
force; the row of the old version is skipped, with the reason. A text that changes before it is
read is read anew. Either way it is priced anew, and charged at most once.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any
from uuid import UUID

from django.db.models import F

from credits import rating
from credits.models import UsageAction, User
from credits.rating import Rates
from trackers import estimates, filters, locks, wakes
from trackers.batches import batches
from trackers.estimates import ScanEstimate
from trackers.models import (
    Conversation,
    Scan,
    ScanState,
    Tracker,
    TrackerState,
    TrackerVersion,
)

QUEUED = [ScanState.PENDING, ScanState.WAITING]
NOT_DONE = [*QUEUED, ScanState.RUNNING]
BATCH_SIZE = 1000
REASON_REPLACED = "A new version was published; it reads this instead."
REASON_LEFT_OUT = "A new version was published; the tracker's filters leave this out."
REASON_ERASED = "The conversation was erased; nothing was charged."
REASON_NEWER_TEXT = "Its text changed; another scan reads the new one."


def retire(*, tracker: Tracker, scans: list[Scan], now: datetime, reason: str) -> None:
    """End scans that nobody will write any more; what was live goes on with the version in force.

    The caller's transaction has locked the scans, and holds the tracker as it is. Backfills end
    with their version, and nothing goes on while the tracker is unpublished or its company
    closed: such scans are skipped for ``reason``.
    """
    is_open = tracker.company.closed_at is None
    is_published = tracker.state == TrackerState.PUBLISHED and is_open
    live = [scan for scan in scans if is_published and scan.backfill_id is None]
    going_on = {scan.pk for scan in live}
    ended = [scan.pk for scan in scans if scan.pk not in going_on]
    for batch in batches(ended, BATCH_SIZE):
        skip(batch, now=now, reason=reason)
    # Read once, and only where something waits: nothing has a price before a rate card does.
    is_any_waiting = any(scan.state == ScanState.WAITING for scan in live)
    rates = rating.rates_at(now) if is_any_waiting else None
    queued = [_replace(tracker, some, rates, now) for some in batches(live, BATCH_SIZE)]
    if any(queued):
        wakes.scan(version_id=tracker.version_in_force.pk)


def estimate_replacing(*, tracker: Tracker, version: TrackerVersion, rates: Rates) -> ScanEstimate:
    """Price what a version would take over from the one in force, were it published now."""
    live = Scan.objects.filter(tracker=tracker, backfill=None, state__in=NOT_DONE)
    taken_over = filters.matching(tracker).filter(pk__in=live.values("conversation"))
    return estimates.of(taken_over, version=version, rates=rates)


def read_new_texts(conversations: Collection[Conversation], *, now: datetime) -> None:
    """Point work that has not begun to the text that has just come; what is done keeps the old.

    What is under way reads the old text to its end. The caller's transaction has written the new
    revision, and locked no scan yet. It never waits for a scan: who has one locked is about to
    read or to end it, and ``with_current_text`` finds what would read the old text later.
    """
    revisions = {conversation.pk: conversation.text_revision for conversation in conversations}
    queued = Scan.objects.filter(conversation__in=revisions, state__in=QUEUED)
    # Parents before work rows, as everywhere: who publishes locks the tracker, then its scans.
    trackers = set(queued.values_list("tracker", flat=True))
    locks.share(Tracker, trackers)
    scans = list(
        queued.filter(tracker__in=trackers)
        .select_for_update(of=("self",), no_key=True, skip_locked=True)
        .select_related("version")
        .order_by("pk")
    )
    gone = _point(scans, revisions, now=now)
    waiting = [scan for scan in scans if scan.state == ScanState.WAITING and scan.pk not in gone]
    if waiting:
        _price_waiting(waiting, rating.rates_at(now))


def with_current_text(scans: list[Scan], *, now: datetime) -> list[Scan]:
    """Return which of the locked scans can be read, each pointed to its conversation's text.

    A text that changed while a scan of it was under way is found here, when that scan was lost
    or handed back. It is left to another scan where one has the new text already.
    """
    rows = (
        Scan.objects.filter(pk__in=[scan.pk for scan in scans])
        .exclude(revision=F("conversation__text_revision"))
        .values_list("conversation", "conversation__text_revision", "conversation__erased_at")
    )
    stale, erased = {}, set()
    for conversation, revision, erased_at in rows:
        stale[conversation] = revision
        if erased_at is not None:
            erased.add(conversation)
    # Listed before it was erased, as a backfill's conversations are: nothing is left to read.
    gone = {scan.pk for scan in scans if scan.conversation_id in erased}
    skip(gone, now=now, reason=REASON_ERASED)
    outdated = [
        scan
        for scan in scans
        if scan.pk not in gone and stale.get(scan.conversation_id, 0) > scan.revision
    ]
    gone |= _point(outdated, stale, now=now)
    return [scan for scan in scans if scan.pk not in gone]


def skip(scan_ids: Collection[UUID], *, now: datetime, reason: str, by: User | None = None) -> None:
    """Put scans away uncharged, whoever had leased them; ``by`` is the person who decided so."""
    Scan.objects.filter(pk__in=scan_ids, state__in=NOT_DONE).update(
        state=ScanState.SKIPPED,
        finished_at=now,
        reason=reason,
        skipped_by=by,
        lease_token=None,
        leased_until=None,
    )


def _replace(tracker: Tracker, scans: list[Scan], rates: Rates | None, now: datetime) -> int:
    """Put a scan of the version in force in the place of each; return for how many."""
    version = tracker.version_in_force
    wanted = filters.matching(tracker).filter(pk__in=[scan.conversation_id for scan in scans])
    found = {
        row["pk"]: row
        for row in filters.with_item(wanted, version).values(
            "pk", "text_revision", "team", "started_at", "item"
        )
    }
    replaced = [scan for scan in scans if scan.conversation_id in found]
    # A backfill of the version in force may have queued the conversation already.
    Scan.objects.bulk_create(
        (_successor(scan, version, found[scan.conversation_id], rates, now) for scan in replaced),
        ignore_conflicts=True,
    )
    skip([scan.pk for scan in replaced], now=now, reason=REASON_REPLACED)
    left_out = [scan.pk for scan in scans if scan.conversation_id not in found]
    skip(left_out, now=now, reason=REASON_LEFT_OUT)
    return len(replaced)


def _successor(
    scan: Scan, version: TrackerVersion, row: dict[str, Any], rates: Rates | None, now: datetime
) -> Scan:
    """Make a version's own scan of a conversation, which has been queued since ``scan`` was."""
    price = None
    if scan.state == ScanState.WAITING and rates is not None:
        price = rates.of(row["item"])
    return Scan(
        company_id=scan.company_id,
        tracker_id=scan.tracker_id,
        version=version,
        conversation_id=scan.conversation_id,
        revision=row["text_revision"],
        action=UsageAction.CONTINUOUS,
        team_id=row["team"],
        conversation_started_at=row["started_at"],
        state=ScanState.WAITING if price else ScanState.PENDING,
        waiting_since=scan.waiting_since,
        price=price or None,
        due_at=now,
        created_at=scan.created_at,
    )


def _point(scans: list[Scan], revisions: dict[UUID, int], *, now: datetime) -> set[UUID]:
    """Bring scans to the revisions named; return those put away because another has it.

    The newest of several scans of one conversation is the one that goes on.
    """
    if not scans:
        return set()
    ids = {scan.conversation_id for scan in scans}
    has_it = Scan.objects.filter(
        version__in={scan.version_id for scan in scans}, conversation__in=ids
    ).exclude(pk__in=[scan.pk for scan in scans])
    taken = set(has_it.values_list("version", "conversation", "revision"))
    gone = set()
    for scan in sorted(scans, key=lambda scan: scan.revision, reverse=True):
        key = (scan.version_id, scan.conversation_id, revisions[scan.conversation_id])
        if key in taken:
            gone.add(scan.pk)
            continue
        taken.add(key)
        scan.revision, scan.price = revisions[scan.conversation_id], None
    skip(gone, now=now, reason=REASON_NEWER_TEXT)
    Scan.objects.bulk_update([scan for scan in scans if scan.pk not in gone], ["revision", "price"])
    return gone


def _price_waiting(scans: list[Scan], rates: Rates) -> None:
    """Price what waits for credits; what has no price any more is due at once."""
    for version in {scan.version for scan in scans}:
        asked = [scan for scan in scans if scan.version == version]
        items = dict(
            filters.with_item(
                Conversation.objects.filter(pk__in=[scan.conversation_id for scan in asked]),
                version,
            ).values_list("pk", "item")
        )
        for scan in asked:
            scan.price = rates.of(items[scan.conversation_id]) or None
            scan.state = ScanState.WAITING if scan.price else ScanState.PENDING
    Scan.objects.bulk_update(scans, ["state", "price"])
