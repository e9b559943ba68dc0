"""The demo company's people, conversations and trackers, written by us, relative to a first day."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from trackers.importers import records
from trackers.importers.records import ConversationRecord

DATA = Path(__file__).parent / "data"


def people() -> dict[str, Any]:
    """Return company, teams, members, accounts and logins."""
    found: dict[str, Any] = json.loads((DATA / "people.json").read_text())
    return found


def trackers() -> list[dict[str, Any]]:
    """Return the trackers with question, examples and what a careful reader would find."""
    found: list[dict[str, Any]] = json.loads((DATA / "trackers.json").read_text())
    return found


def conversations(*, today: date, zone: ZoneInfo, now: datetime) -> list[ConversationRecord]:
    """Return the conversations as they were held up to now, oldest first.

    Those of the first day that would lie ahead of ``now`` are moved to just before it, so that
    their number and durations, and with them all amounts, are the same at any hour.
    """
    found = []
    for line in (DATA / "conversations.jsonl").read_text().splitlines():
        content = json.loads(line)
        day = today - timedelta(days=content.pop("days_ago"))
        held_at = datetime.combine(day, time.fromisoformat(content.pop("time")), tzinfo=zone)
        latest = now.astimezone(UTC) - timedelta(seconds=content["duration_seconds"] + 60)
        started_at = min(held_at.astimezone(UTC), latest.replace(microsecond=0))
        content |= {"source": "demo", "started_at": started_at.isoformat()}
        found.append(records.parse(json.dumps(content)))
    return sorted(found, key=lambda record: (record.started_at, record.id))
