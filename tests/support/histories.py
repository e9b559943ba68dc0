"""A month of conversations, in which it is known what each tracker finds."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import groupby

from credits.advice import Advice
from credits.models import Company, User
from tests.support import conversations
from tests.support.conversations import record
from trackers import advice, advising, scanning
from trackers.analyzers.base import Calibration, Confidence, Evidence, Finding, Verdict
from trackers.models import Scan, ScanState, Suggestion, Tracker

# The month behind begins on 2 December.
NOW = datetime(2027, 1, 1, 12, tzinfo=UTC)
WEEK = timedelta(days=7) - timedelta(minutes=1)


class WordAnalyzer:
    """Finds the last word of a question in what was said; “perhaps” before it is a doubt."""

    name = "words"
    version = "1"
    generative = False

    def calibrate(self, questions, sample) -> Calibration:
        return Calibration(analyzer=self.name, analyzer_version=self.version)

    def evaluate(self, conversation, questions, calibration) -> list[Finding]:
        said = conversation.utterances[0]
        words = said.text.split()
        findings = []
        for one in questions:
            word = one.text.rstrip("?").split()[-1]
            verdict = Verdict.NO
            if word in words:
                is_doubt = "perhaps" in words
                verdict = Verdict.UNSURE if is_doubt else Verdict.YES
            quotes = (Evidence(said.id, 0, len(said.text), said.text),) if word in words else ()
            findings.append(Finding(one.id, verdict, 0.9, Confidence.HIGH, verdict.value, quotes))
        return findings


def tracker(
    company: Company, by: User, word: str, *, days: float = 60, name: str = "", **settings
) -> Tracker:
    """A tracker that looks for a word in what anybody said, published so many days ago."""
    return conversations.published(
        company,
        by,
        name or f"{word.capitalize()} talk",
        question=f"Did they say {word}?",
        side="ANY",
        now=NOW - timedelta(days=days),
        **settings,
    )


def talk(number: object, *words: str, day: float, **changes):
    """A long call, 1.0 credit, held so many days ago, in which these words were said."""
    kind = changes.get("kind", "call")
    call = {"duration_seconds": 900 if kind == "call" else 0}
    said = [{"id": "u0", "speaker": "c", "start": None, "text": " ".join(words) or "nothing"}]
    if kind == "call":
        said[0]["start"] = 1.0
    return record(
        f"{kind}-{number}",
        started_at=NOW - timedelta(days=day),
        **(call | {"utterances": said} | changes),
    )


def arrive(company: Company, talks: Iterable) -> None:
    """Take conversations in within a week after each began, and read them as workers would."""
    by_start = sorted(talks, key=lambda one: one.started_at)
    for _, days in groupby(by_start, key=lambda one: (NOW - one.started_at) // WEEK):
        batch = list(days)
        conversations.ingest(company, *batch, now=batch[-1].started_at + timedelta(minutes=1))
    for version in set(
        Scan.objects.filter(company=company, state=ScanState.PENDING).values_list(
            "version", flat=True
        )
    ):
        while scanning.run_batch(version_id=version, backfill_id=None, clock=lambda: NOW):
            pass


def spread(count: int, *, first: float = 0.5, last: float = 29.5) -> list[float]:
    """So many days ago, evenly over the month behind."""
    return [first + (last - first) * place / max(count - 1, 1) for place in range(count)]


def talks(count: int, *words: str, tag: str = "", **changes):
    return [
        talk(f"{tag}{number}", *words, day=day, **changes)
        for number, day in enumerate(spread(count))
    ]


def suggested(company, now=NOW) -> dict[tuple[str, str], Suggestion]:
    """Keep and return what is suggested, by the tracker's name and the kind."""
    advising.refresh(company=company, now=now)
    rows = Suggestion.objects.filter(company=company).select_related("tracker", "twin")
    return {(row.tracker.name, row.kind): row for row in rows}


def shown(company) -> Advice:
    """What the credits page is told, asked for in another query."""
    asked = advice.suggested(company=company)
    row = Company.objects.filter(pk=company.pk).annotate(answer=asked.value).get()
    return asked.read(row.answer)


def kinds(company, now=NOW) -> set[tuple[str, str]]:
    return set(suggested(company, now))
