"""How fast conversations are taken in (issue 4): calls of 138 words, in bulk.

``python -m pytest -m benchmark tests/benchmarks/test_ingest.py -s`` prints each figure. Lines of
JSON go in, read and checked by the importer as any file is; ``BENCHMARK_CONVERSATIONS`` says how
many. On a machine that does other work look at the processor seconds, ours and the server's.
"""

from __future__ import annotations

import os
import statistics
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from config import databases as config_databases
from tests.support import conversations, databases, measuring, people
from trackers import ingestion
from trackers.importers import jsonl, reading
from trackers.models import Conversation, Utterance

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("BENCHMARK_CONVERSATIONS", "10000"))
ROUNDS = 3
PER_SECOND_MIN = 2000
TURNS = 10
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
# 14 words; with the shorter first turn ten have 138.
SAID = "we looked at the {n} proposal and it is more than we planned to"


@pytest.fixture
def server(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), databases.own_server(DURABLE) as server:
        dsn = databases.address(server)
        with (
            config_databases.pointed_at(dsn),
            config_databases.scratch(dsn, "benchmark") as scratch,
            config_databases.pointed_at(scratch),
        ):
            yield server


def lines(count: int, now) -> bytes:
    turns = [
        {
            "id": f"u{n}",
            "speaker": "cr"[n % 2],
            "start": 4.0 * n,
            "text": SAID.format(n=n)
            if n
            else "a short beginning of all this, then we come to the point",
        }
        for n in range(TURNS)
    ]
    return b"\n".join(
        conversations.record(f"call-{n}", started_at=now - timedelta(minutes=n), utterances=turns)
        .model_dump_json()
        .encode()
        for n in range(count)
    )


def test_calls_of_138_words_are_taken_in_by_the_thousand(server):
    now = timezone.now()
    file = reading.MemoryFile("calls.jsonl", lines(ROWS, now))
    first = next(iter(jsonl.Reader([file], arrived_at=now)))
    words = sum(len(turn.text.split()) for turn in first.utterances)
    backend = measuring.backend()
    rates, busy = [], []
    for place in range(ROUNDS):
        company = people.company(f"Round {place}")
        began, ours, theirs = time.monotonic(), time.process_time(), measuring.cpu_seconds(backend)
        reader = jsonl.Reader([file], arrived_at=now)
        for _ in ingestion.ingest(company=company, records=reader, now=now):
            pass
        seconds = time.monotonic() - began
        ours = time.process_time() - ours
        theirs = measuring.cpu_seconds(backend) - theirs
        rates.append(ROWS / seconds)
        busy.append(ROWS / (ours + theirs))
        print(
            f"{ROWS:,} calls of {words} words in {seconds:.1f} s, {rates[-1]:,.0f} a second; "
            f"processor seconds {ours:.1f} ours, {theirs:.1f} the server's; "
            f"{measuring.load()}"
        )
        assert Conversation.objects.filter(company=company).count() == ROWS
        assert Utterance.objects.filter(company=company).count() == ROWS * TURNS

    rate = statistics.median(rates)
    print(
        f"Calls a second: {rate:,.0f} (wanted ≥ {PER_SECOND_MIN:,}); the processor seconds allow "
        f"{statistics.median(busy):,.0f} where nothing else runs"
    )
    assert rate >= PER_SECOND_MIN
