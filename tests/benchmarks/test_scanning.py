"""How much of the bare analyzer's speed a worker keeps (issue 4): at least 0.8 in batches.

``python -m pytest -m benchmark tests/benchmarks/test_scanning.py -s`` prints each figure. A worker
claims, holds credits, reads, writes and charges; the bare analyzer evaluates the same texts with
the same questions and calibrations, one question of one text after the other, slice by slice in
turn with the worker. A worker works out a text once for all trackers of one side (Note [Read
beside] in ``trackers/shelf.py``), so a company with one tracker and one with as many as the demo
has are measured apart. An analyzer that is asked all questions of a text at once, and does nothing
else, is printed too: no worker comes near that, since writing a result costs more than finding it.

Four sets of texts: the three sizes that MODEL.md names, and the demo's own mix of calls and
e-mails. What is asserted is the mix as a company has it: the demo's conversations, each read by as
many trackers as the demo has. docs/development.md says where the time of a scan goes.
``BENCHMARK_SHARE=0.2`` reads a fifth as many.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import cycle
from random import Random
from uuid import UUID
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from config import databases as config_databases
from config.demo import dataset
from tests.support import conversations, databases, measuring, people
from trackers import analyzers, batch_reading, calibrating, claiming, ingestion, scanning, texts
from trackers.models import Conversation, ConversationVectors, Scan, Tracker, TrackerKind

pytestmark = pytest.mark.benchmark

SHARE = float(os.environ.get("BENCHMARK_SHARE", "1"))
SLICES = 5
BATCH_SIZE = claiming.BATCH_SIZE_MAX
RATIO_MIN = 0.8
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
# Sentences of the calls that other benchmarks make.
SAID = (
    "We looked at the proposal and it is more than we planned to spend.",
    "The pilot went well and the team would like to keep what they have now.",
    "Could you send the figures for the larger plan before the end of the month?",
    "Let us look at how the warehouse in the south handles returns first.",
    "Our finance lead asked whether the second year would cost the same.",
)


@dataclass(frozen=True)
class Kind:
    """Texts of one size, as many a slice; without words, as the demo has them."""

    name: str
    count: int
    kind: str = "call"
    words: int = 0

    @property
    def slice_size(self) -> int:
        """Return how many a slice has: whole batches, or less than one."""
        wanted = max(round(self.count * SHARE), 20)
        return wanted - wanted % BATCH_SIZE if wanted > BATCH_SIZE else wanted


# As many as make whole batches of each of the demo's teams.
MIX = Kind("the demo's mix", 800)
KINDS = (
    Kind("a call of 138 words", 400, "call", 138),
    Kind("an e-mail of 311 words", 300, "email", 311),
    Kind("a call of 9,100 words", 40, "call", 9100),
    MIX,
)


@dataclass
class Spent:
    """What reading took: seconds by the clock, and processor seconds of ours and the server's."""

    seconds: float
    processor: float

    def __add__(self, other: Spent) -> Spent:
        return Spent(self.seconds + other.seconds, self.processor + other.processor)


@pytest.fixture
def server(django_db_setup, django_db_blocker):
    with (
        django_db_blocker.unblock(),
        databases.own_server(DURABLE) as server,
        config_databases.pointed_at(databases.address(server)),
        databases.cloned("scanning"),
    ):
        yield


def call(number: int, now, words: int = int(os.environ.get("BENCHMARK_WORDS", "138"))):
    """Return a call of about that many words, 14 a turn, said by both sides in turn."""
    turns = [
        {
            "id": f"u{n}",
            "speaker": "cr"[n % 2],
            "start": 4.0 * n,
            "text": f"{SAID[(n + number) % len(SAID)]} ({number % 97})",
        }
        for n in range(max(words // 14, 2))
    ]
    started_at = now - timedelta(seconds=number + 1)
    return conversations.record(f"call {number}", started_at=started_at, utterances=turns)


def texts_of(kind: Kind, now):
    """Return what is read, made of what is said in the demo."""
    count = kind.slice_size * SLICES
    told = dataset.conversations(
        plan=dataset.Plan(count=count if not kind.words else 400),
        today=now.date(),
        zone=ZoneInfo("UTC"),
        now=now,
    )
    if not kind.words:
        return [
            one.model_copy(update={"started_at": now - timedelta(seconds=place + 1)})
            for place, one in enumerate(told)
        ]
    lines = [turn.text for one in told for turn in one.utterances if one.kind == kind.kind]
    return [_made(kind, place, now, lines) for place in range(count)]


def _made(kind: Kind, place: int, now, lines: Sequence[str]):
    random, said, words = Random(place), [], 0
    while words < kind.words:
        said.append(random.choice(lines))
        words += len(said[-1].split())
    is_call = kind.kind == "call"
    return conversations.record(
        f"{kind.kind} {place}",
        kind=kind.kind,
        started_at=now - timedelta(seconds=place + 1),
        duration_seconds=4 * len(said) if is_call else 0,
        utterances=[
            {
                "id": f"u{n}",
                "speaker": "cr"[n % 2],
                "start": 4.0 * n if is_call else None,
                "text": text,
            }
            for n, text in enumerate(said)
        ],
    )


def spent(work: Callable[[], object], backend: int) -> Spent:
    seconds = time.perf_counter()
    processor = time.process_time() + measuring.cpu_seconds(backend)
    work()
    processor = time.process_time() + measuring.cpu_seconds(backend) - processor
    return Spent(time.perf_counter() - seconds, processor)


def questioning(company, person, now, count: int) -> list[Tracker]:
    """Publish trackers with the questions and examples of the demo's, as many as that."""
    contents = [one for one in dataset.trackers() if one.get("kind") != TrackerKind.KEYWORD]
    return [
        conversations.published(
            company,
            person,
            f"{content['name']} {number}",
            question=content["question"],
            side=content["side"],
            examples=content["example_phrases"],
            counter_examples=content["counter_examples"],
            include_calls=True,
            include_emails=True,
            now=now - timedelta(days=1),
        )
        for number, content in zip(range(count), cycle(contents), strict=False)
    ]


def queue_slices(company) -> list[list[UUID]]:
    """Put everything off, and return the conversations of each slice."""
    Scan.objects.filter(company=company).update(due_at=timezone.now() + timedelta(days=99))
    ids = list(
        Scan.objects.filter(company=company)
        .order_by("conversation_started_at", "conversation")
        .values_list("conversation", flat=True)
        .distinct()
    )
    size = len(ids) // SLICES
    return [ids[start : start + size] for start in range(0, size * SLICES, size)]


def work_off(trackers: Sequence[Tracker]) -> None:
    """Let a worker do what is due, tracker by tracker as its tasks come."""
    for tracker in trackers:
        version = tracker.current_version_id
        while scanning.run_batch(version_id=version, backfill_id=None, clock=timezone.now):
            pass


def said(name: str, ours: Spent, bare: Spent, count: int) -> float:
    ratio = bare.seconds / ours.seconds
    print(
        f"  {name}: worker {count / ours.seconds:,.0f} scans a second, bare analyzer"
        f" {count / bare.seconds:,.0f}; ratio {ratio:.2f} by the clock;"
        f" processor {1000 * ours.processor / count:.2f} ms and"
        f" {1000 * bare.processor / count:.2f} ms, ratio {bare.processor / ours.processor:.2f};"
        f" {measuring.load()}",
        flush=True,
    )
    return ratio


def measured(kind: Kind, tracker_count: int, monkeypatch) -> float:
    """Read all of one kind by so many trackers; return the worker's share of the bare speed."""
    monkeypatch.setattr(claiming, "BATCH_SIZE_MAX", min(kind.slice_size, BATCH_SIZE))
    # On a busy machine a batch of long calls takes longer, and its rest would be queued again.
    monkeypatch.setattr(batch_reading, "READING_MAX", timedelta(minutes=5))
    company = people.company()
    people.credits_for(company, "1000000")
    now = timezone.now()
    trackers = questioning(company, people.alice(company), now, tracker_count)
    for _ in ingestion.ingest(company=company, records=texts_of(kind, now), now=now):
        pass
    versions = [tracker.current_version for tracker in trackers]
    calibrations = [calibrating.of_version(version.pk) for version in versions]
    questions = [calibrating.question_of(version.tracker, version) for version in versions]
    ConversationVectors.objects.filter(company=company).delete()
    slices = queue_slices(company)
    revisions = dict(
        Conversation.objects.filter(company=company).values_list("pk", "text_revision")
    )
    loaded = texts.load(revisions)
    analyzer, backend = analyzers.in_use(), measuring.backend()
    together = analyzer.calibrate(questions, [])

    def alone(some):
        for question, calibration in zip(questions, calibrations, strict=True):
            for pk in some:
                analyzer.evaluate(loaded[pk].text, [question], calibration)

    def at_once(some):
        for pk in some:
            analyzer.evaluate(loaded[pk].text, questions, together)

    alone(slices[0][:20])
    ours, bare, bare_at_once = Spent(0, 0), Spent(0, 0), Spent(0, 0)
    for some in slices:
        Scan.objects.filter(company=company, conversation__in=some).update(due_at=now)
        bare += spent(lambda some=some: alone(some), backend)
        ours += spent(lambda: work_off(trackers), backend)
        bare_at_once += spent(lambda some=some: at_once(some), backend)
    count = tracker_count * sum(map(len, slices))
    assert Scan.objects.filter(company=company, state="DONE").count() == count
    name = f"{kind.name}, {kind.slice_size:,} a slice, {tracker_count} trackers"
    ratio = said(name, ours, bare, count)
    print(
        f"    of an analyzer that is asked all questions at once, and does nothing else:"
        f" {bare_at_once.seconds / ours.seconds:.2f}"
    )
    return ratio


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.name)
def test_a_worker_beside_the_analyzer_alone(server, monkeypatch, kind):
    print()
    others = len([one for one in dataset.trackers() if one.get("kind") != TrackerKind.KEYWORD])
    measured(kind, 1, monkeypatch)

    ratio = measured(kind, others, monkeypatch)

    if kind is MIX:
        assert ratio >= RATIO_MIN, "wanted four fifths of the bare analyzer's speed"
