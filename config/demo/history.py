"""Live a company's history over again: what happened, in order, each act at its own time.

The acts are the operations that people and workers use; only the ledger's clock is ours.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from config.demo.clock import SeededClock
from credits import rating
from credits.models import Company, User
from trackers import backfills, configuring, ingestion, publishing, scanning
from trackers.configuring import FilterValue, Question, Settings
from trackers.importers.records import ConversationRecord
from trackers.models import FilterField, Scan, ScanState, Team, Tracker, TrackerKind

SCAN_TAKES = timedelta(seconds=5)
ARRIVES_AFTER = timedelta(minutes=20)  # From the end of the day's last conversation.
SATURDAY = 5
INSTANT = timedelta(seconds=1)

Act = Callable[[], object]


@dataclass(slots=True)
class History:
    """What is to happen to one company until ``now``, and the trackers published so far.

    ``until`` is when the next act is due: what the present one takes ends before.
    """

    company: Company
    by: User
    now: datetime
    clock: SeededClock
    told: Callable[[int], object]
    acts: list[tuple[datetime, Act]] = field(default_factory=list)
    published: list[Tracker] = field(default_factory=list)
    until: datetime = field(init=False)

    def plan(self, at: datetime, act: Act) -> None:
        self.acts.append((at, act))

    def plan_conversations(
        self, records: Sequence[ConversationRecord], cuts: Sequence[int] = ()
    ) -> None:
        """Let the conversations of a day arrive together, a weekend's on Monday, and be scanned.

        Those before a cut, which numbers a conversation, arrive before the cut's own starts: so
        what happens there meets the same conversations whatever days they fall on.
        """
        groups: dict[tuple[Any, ...], list[tuple[int, ConversationRecord]]] = defaultdict(list)
        for number, record in enumerate(records):
            part = sum(1 for cut in cuts if cut <= number)
            groups[_working_day(record.started_at.date()), part].append((number, record))
        for (_, part), members in groups.items():
            ends = [one.started_at + timedelta(seconds=one.duration_seconds) for _, one in members]
            at = min(max(ends) + ARRIVES_AFTER, self.now)
            for cut in sorted(cuts)[part : part + 1]:
                if cut < len(records):
                    at = min(at, records[cut].started_at - 2 * INSTANT)
            chosen = [record for _, record in members]
            self.plan(at, lambda chosen=chosen: self._arrive(chosen))  # type: ignore[misc]

    def plan_tracker(
        self, content: dict[str, Any], records: Sequence[ConversationRecord], starts: datetime
    ) -> None:
        """Let a tracker be drafted, and published and unpublished where its content says so."""

        def before(part: float) -> datetime:
            number = cut(part, len(records))
            return records[number].started_at - INSTANT if number < len(records) else self.now

        if "published" not in content:
            self.plan(self.now - timedelta(days=6), lambda: self._draft(content))
            return
        published_at = before(content["published"]) if content["published"] else starts
        from_at = before(content["backfilled"]) if "backfilled" in content else None
        self.plan(published_at, lambda: self._publish(content, from_at))
        if "unpublished" in content:
            self.plan(before(content["unpublished"]), lambda: self._unpublish(content["name"]))

    def live(self) -> None:
        """Do all of it, each act at its time; acts of one instant in the order planned."""
        acts = sorted(self.acts, key=lambda planned: planned[0])
        ends = [at for at, _ in acts[1:]] + [self.now]
        for (at, act), self.until in zip(acts, ends, strict=True):
            self.clock.set(max(at, self.clock()))
            act()
        self.clock.set(max(self.now, self.clock()))

    def _arrive(self, records: list[ConversationRecord]) -> None:
        for _ in ingestion.ingest(company=self.company, records=records, now=self.clock()):
            pass
        self._work_off(None)
        self.told(len(records))

    def _draft(self, content: dict[str, Any]) -> Tracker:
        teams = Team.objects.filter(company=self.company, name__in=content.get("teams", []))
        return configuring.save(
            company=self.company,
            tracker_id=None,
            edit_number=None,
            settings=Settings(
                name=content["name"],
                description=content["description"],
                include_calls="call" in content["kinds"],
                include_emails="email" in content["kinds"],
                examples=tuple(content["example_phrases"]),
                counter_examples=tuple(content["counter_examples"]),
                campaign_end_date=self._campaign_end(content.get("campaign_ended_days_ago")),
                filters=frozenset(FilterValue(FilterField.TEAM, team.pk) for team in teams),
            ),
            question=Question(
                kind=content.get("kind", TrackerKind.QUESTION),
                question=content["question"],
                side=content["side"],
                terms=tuple(content.get("terms", ())),
                related_forms=content.get("related_forms", False),
            ),
            by=self.by,
            now=self.clock(),
        )

    def _campaign_end(self, days_ago: int | None) -> date | None:
        """Return a campaign's last day, which was known when its tracker was drafted."""
        if days_ago is None:
            return None
        today = self.now.astimezone(ZoneInfo(self.company.time_zone)).date()
        return today - timedelta(days=days_ago)

    def _publish(self, content: dict[str, Any], from_at: datetime | None) -> None:
        draft = self._draft(content)
        tracker = publishing.publish(
            tracker_id=draft.pk, edit_number=draft.edit_number, by=self.by, now=self.clock()
        )
        self.published.append(tracker)
        if from_at is not None:
            backfill = backfills.launch(
                tracker_id=tracker.pk,
                from_at=from_at,
                to_at=self.clock(),
                ceiling=None,
                rates=rating.rates_at(self.clock()),
                by=self.by,
                now=self.clock(),
            )
            self._work_off(backfill.pk)

    def _unpublish(self, name: str) -> None:
        tracker = next(one for one in self.published if one.name == name)
        publishing.unpublish(
            tracker_id=tracker.pk, edit_number=tracker.edit_number, by=self.by, now=self.clock()
        )
        self.published.remove(tracker)

    def _work_off(self, backfill_id: UUID | None) -> None:
        """Scan what is due here and now, none of it later than ``now``; no worker runs yet."""
        due = Scan.objects.filter(
            company=self.company,
            backfill=backfill_id,
            state=ScanState.PENDING,
            due_at__lte=self.clock(),
        )
        # A batch is of one version and one team, and takes all that this demo has of them.
        pairs = due.order_by("version", "team").values_list("version_id", "team_id").distinct()
        for version_id, _ in list(pairs):
            scanning.run_batch(version_id=version_id, backfill_id=backfill_id, clock=self.clock)
            # However many batches: a tracker published next must not miss what starts then.
            self.clock.set(max(min(self.clock() + SCAN_TAKES, self.until), self.clock()))


def _working_day(day: date) -> date:
    return day if day.weekday() < SATURDAY else day + timedelta(days=7 - day.weekday())


def cut(part: float, count: int) -> int:
    """Return the number of the conversation before which something happens."""
    return round(part * count)


def cuts_of(contents: Sequence[dict[str, Any]], count: int) -> list[int]:
    """Return the numbers of all conversations before which a tracker changes."""
    return sorted(
        cut(content[name], count)
        for content in contents
        for name in ("published", "unpublished")
        if content.get(name)
    )
