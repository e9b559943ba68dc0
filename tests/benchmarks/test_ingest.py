"""How fast conversations are taken in (issue 4): calls of 138 words, in bulk.

``python -m pytest -m benchmark tests/benchmarks/test_ingest.py -s`` prints each figure.
"""

from __future__ import annotations

import os
import statistics
import time
from datetime import timedelta

import pytest
from django.utils import timezone

from config import databases as config_databases
from tests.support import conversations, databases, people
from trackers import ingestion
from trackers.models import Conversation, Utterance

pytestmark = pytest.mark.benchmark

ROWS = int(os.environ.get("BENCHMARK_CONVERSATIONS", "10000"))
ROUNDS = 3
PER_SECOND_MIN = 2000
TURNS = 10
DURABLE = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
# 14 words; ten turns have about 138 with the shorter last one.
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


def records(count: int, now):
    turns = [
        {
            "id": f"u{n}",
            "speaker": "cr"[n % 2],
            "start": 4.0 * n,
            "text": SAID.format(n=n) if n else "a short beginning of all this, then",
        }
        for n in range(TURNS)
    ]
    return [
        conversations.record(f"call-{n}", started_at=now - timedelta(minutes=n), utterances=turns)
        for n in range(count)
    ]


def test_calls_of_138_words_are_taken_in_by_the_thousand(server):
    now = timezone.now()
    incoming = records(ROWS, now)
    words = sum(len(turn.text.split()) for turn in incoming[0].utterances)
    rates = []
    for place in range(ROUNDS):
        company = people.company(f"Round {place}")
        began, worked = time.monotonic(), time.process_time()
        for _ in ingestion.ingest(company=company, records=incoming, now=now):
            pass
        seconds = time.monotonic() - began
        rates.append(ROWS / seconds)
        print(
            f"{ROWS:,} calls of {words} words in {seconds:.1f} s, {rates[-1]:,.0f} a second, "
            f"{time.process_time() - worked:.1f} s of it our processor's"
        )
        assert Conversation.objects.filter(company=company).count() == ROWS
        assert Utterance.objects.filter(company=company).count() == ROWS * TURNS

    rate = statistics.median(rates)
    print(f"Calls a second: {rate:,.0f} (wanted ≥ {PER_SECOND_MIN:,})")
    assert rate >= PER_SECOND_MIN
