"""The companies of the demo, their conversations and trackers, relative to a first day."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from config.demo import rhythm, storytelling
from config.demo.phrases import DATA
from trackers.importers import records
from trackers.importers.records import ConversationRecord

SEED_DEFAULT = 42
COUNT_DEFAULT = 1000
DAYS = 120
SECOND_COUNT = 70
SECOND_DAYS = 30
# The part of all conversations, from 0 to 1, in which prospects are met from the fair.
FAIR = (0.55, 0.7)


@dataclass(frozen=True, slots=True)
class Plan:
    """How large the demo is: a seed, and the number of the first company's conversations.

    The same plan gives the same conversations, amounts and grants on the same day.
    """

    seed: int = SEED_DEFAULT
    count: int = COUNT_DEFAULT


@cache
def facts(slug: str = "northwind") -> dict[str, Any]:
    """Return a company's teams, members, products and logins."""
    found: dict[str, Any] = json.loads((DATA / f"{slug}.json").read_text())
    return found


def trackers() -> list[dict[str, Any]]:
    """Return the first company's trackers, with when in its history each was published.

    ``published``, ``unpublished`` and ``backfilled`` are parts of the conversations, from 0 to 1,
    before which that happened, and from which on history was read. One of ``kind`` KEYWORD looks
    for ``terms``; the others ask a question.
    """
    found: list[dict[str, Any]] = json.loads((DATA / "trackers.json").read_text())
    return found


def conversations(
    *, plan: Plan, today: date, zone: ZoneInfo, now: datetime
) -> list[ConversationRecord]:
    """Return the first company's conversations as they were held up to now, oldest first.

    Those written by hand stand where they were meant to, the others are told between them.
    """
    written = _written()
    told = storytelling.tell(
        seed=plan.seed,
        count=plan.count - len(written),
        facts=facts(),
        accounts=storytelling.accounts("northwind"),
        prefix="nw",
        fair=FAIR,
    )
    for story in told:
        _bring_managers(story, facts())
    placed = [((place + 0.5) / len(told), story) for place, story in enumerate(told)]
    placed += [(1 - story.pop("days_ago") / DAYS, story) for story in written]
    placed.sort(key=lambda one: one[0])
    stories = [story for _, story in placed]
    return _dated(stories, plan=plan, today=today, days=DAYS, zone=zone, now=now)


def second_conversations(
    *, plan: Plan, today: date, zone: ZoneInfo, now: datetime
) -> list[ConversationRecord]:
    """Return those of the company that has run out of credits, oldest first."""
    told = storytelling.tell(
        seed=plan.seed,
        count=SECOND_COUNT,
        facts=facts("millbrook"),
        accounts=storytelling.accounts("millbrook"),
        prefix="mb",
    )
    return _dated(told, plan=plan, today=today, days=SECOND_DAYS, zone=zone, now=now)


def _bring_managers(story: dict[str, Any], facts: dict[str, Any]) -> None:
    """Let whoever can sign in and belongs to the story's team listen where it is about terms."""
    if story["kind"] != "call" or (story["deal"] or {}).get("stage") != "negotiation":
        return
    listening = [login for login in facts["logins"] if login.get("team") == story["team"]]
    story["participants"] += [
        {"id": f"int{number}", "role": "internal", "name": one["name"], "email": one["email"]}
        for number, one in enumerate(listening, start=1)
    ]


def _written() -> list[dict[str, Any]]:
    lines = (DATA / "conversations.jsonl").read_text().splitlines()
    return [json.loads(line) for line in lines]


def _dated(
    stories: list[dict[str, Any]],
    *,
    plan: Plan,
    today: date,
    days: int,
    zone: ZoneInfo,
    now: datetime,
) -> list[ConversationRecord]:
    held_on = rhythm.spread(len(stories), today=today, days=days)
    seconds = [story["duration_seconds"] for story in stories]
    starts = rhythm.times(held_on, seconds, zone=zone, now=now, seed=plan.seed)
    return [
        records.parse(json.dumps(story | {"source": "demo", "started_at": start.isoformat()}))
        for story, start in zip(stories, starts, strict=True)
    ]
