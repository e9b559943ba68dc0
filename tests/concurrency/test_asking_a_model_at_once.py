"""Processes that ask one language model at once share its brakes: slots, breaker, caps."""

from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import timedelta
from functools import partial

import pytest
from django.db import connection, transaction
from django.utils import timezone

from config import databases
from config.embedded_postgres import PROJECT
from credits.identifiers import new_id
from tests.support import language_models, people, processes
from tests.support.language_models import failing, well
from trackers import llm_gate, locks
from trackers.analyzers.base import AnalyzerBusy
from trackers.analyzers.llm.endpoint import Mode
from trackers.models import LlmAttempt, LlmEndpoint, LlmSwitch

PROCESSES = TOGETHER = 4
PATIENCE_SECONDS = 300  # Of the test, with a machine that does much else.


class Crowd:
    """Processes that ask, and what they were told so far."""

    def __init__(self, program: subprocess.Popen) -> None:
        self.program = program
        self.told: list[str] = []
        self._more = threading.Condition()
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        for line in self.program.stdout:
            with self._more:
                self.told.append(line.strip())
                self._more.notify_all()

    def wait_for(self, count: int) -> None:
        with self._more:
            assert self._more.wait_for(lambda: len(self.told) >= count, PATIENCE_SECONDS)

    def until_the_end(self) -> Counter[str]:
        assert self.program.wait(PATIENCE_SECONDS) == 0
        self._reader.join()
        return Counter(self.told)


@pytest.fixture
def acme(committed):
    company = people.company()
    LlmSwitch.objects.create(company=company, is_on=True)
    return company


@pytest.fixture
def server():
    with language_models.serving() as running:
        yield running


@pytest.fixture
def crowd(committed, acme, server):
    """What starts the processes, with other limits of the model."""
    started = []

    @contextmanager
    def start(*options: str, **limits):
        environment = server.environment(TIMEOUT_SECONDS=120, **limits)
        program = subprocess.Popen(
            [sys.executable, "-m", "tests.concurrency.askers", str(acme.pk), *options],
            cwd=PROJECT,
            env=databases.environment(committed) | environment,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        started.append(program)
        try:
            yield Crowd(program)
        finally:
            processes.kill(program, signal.SIGKILL)
            program.stdout.close()

    return start


def known(server, **changes) -> None:
    LlmEndpoint.objects.create(
        digest=server.endpoint().digest, model="m", mode="JSON_SCHEMA", **changes
    )


def test_no_more_requests_run_at_once_than_the_site_allows(crowd, server):
    known(server)
    running, most, both = Counter(), [], threading.Barrier(2, timeout=PATIENCE_SECONDS)

    def together(request):
        """Answer when two are here."""
        with server.lock:
            running["now"] += 1
            most.append(running["now"])
        both.wait()
        with server.lock:
            running["now"] -= 1
        return well(request)

    server.always = together

    with crowd(CONCURRENCY=2) as asking:
        told = asking.until_the_end()

    assert told == {"answered": PROCESSES}
    assert max(most) == 2


def test_after_five_failures_of_whichever_process_none_asks_any_more(crowd, server):
    known(server)
    server.always = failing(503)

    with crowd("--requests", "5", CONCURRENCY=1) as asking:
        told = asking.until_the_end()

    assert len(server.requests) == 5
    assert told.pop("The language model answered with an error (503).") == 5
    assert sum(told.values()) == PROCESSES * 5 - 5
    assert all("several times in a row" in one for one in told)
    assert LlmEndpoint.objects.get().failure_count == 5


def all_at_once(hold, acts) -> list[object]:
    """Start the acts, let none go on before all wait for what is held, and return what became."""

    def outcome(act) -> object:
        try:
            return act()
        except AnalyzerBusy as busy:
            return str(busy)
        finally:
            connection.close()

    with ThreadPoolExecutor(TOGETHER) as threads:
        with transaction.atomic():
            hold()
            running = [threads.submit(outcome, act) for act in acts]
            processes.wait_until(lambda: waiting() >= TOGETHER, "all to wait", seconds=300)
        return [one.result() for one in running]


def waiting() -> int:
    """Return how many connections to this database wait for a lock; never from a snapshot."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT pid) FROM pg_locks WHERE NOT granted AND pid IN"
            " (SELECT pid FROM pg_locks WHERE database ="
            "  (SELECT oid FROM pg_database WHERE datname = current_database()))"
        )
        return cursor.fetchone()[0]


def let_through(gate) -> str:
    with gate.attempt(tokens_in=600, tokens_out=300, mode=Mode.PROMPT):
        return "let through"


def test_one_tries_a_server_that_was_left_alone_and_the_others_are_told_to_wait(committed, server):
    known(server, failure_count=5, resume_at=timezone.now() - timedelta(seconds=1))
    endpoint = server.endpoint(concurrency=TOGETHER, timeout_seconds=120)
    gates = [
        llm_gate.DatabaseGate(endpoint, company_id=None, purpose="CONNECTION", run_ref=new_id())
        for _ in range(TOGETHER)
    ]

    # All have read that it may be tried, and want to say that they do.
    told = Counter(
        all_at_once(
            lambda: LlmEndpoint.objects.select_for_update().get(),
            [partial(let_through, gate) for gate in gates],
        )
    )

    assert told.pop("let through") == 1
    assert sum(told.values()) == TOGETHER - 1
    assert all("several times in a row" in one for one in told)


def test_requests_at_once_do_not_each_find_the_room_that_is_left_for_one(acme, server):
    endpoint = server.endpoint(concurrency=TOGETHER, day_tokens=1_000)
    gates = [
        llm_gate.DatabaseGate(endpoint, company_id=acme.pk, purpose="ASK", run_ref=new_id())
        for _ in range(TOGETHER)
    ]

    # None has asked yet what was used.
    told = Counter(
        all_at_once(
            lambda: locks.queue_for(f"language model {acme.pk}"),
            [partial(let_through, gate) for gate in gates],
        )
    )

    assert told.pop("let through") == 1
    assert sum(told.values()) == TOGETHER - 1
    assert all("that a day allows" in one for one in told)


def test_a_process_that_is_killed_while_it_asks_gives_its_place_up(crowd, server, acme):
    known(server)
    asked, killed = threading.Event(), threading.Event()

    def never(request):
        asked.set()
        killed.wait(PATIENCE_SECONDS)
        return well(request)

    server.always = never
    with crowd("--processes", "1", CONCURRENCY=1) as asking:
        assert asked.wait(PATIENCE_SECONDS)
        processes.kill(asking.program, signal.SIGKILL)
    killed.set()

    gate = llm_gate.DatabaseGate(
        server.endpoint(concurrency=1), company_id=acme.pk, purpose="ASK", run_ref=new_id()
    )
    with gate.attempt(tokens_in=1, tokens_out=1, mode=Mode.PROMPT):
        pass
    row = LlmAttempt.objects.get(purpose="TRACKER")
    # What it may have used counts: nobody knows whether the server did it.
    assert (row.outcome, row.tokens > 1_500, row.is_estimated) == ("RUNNING", True, True)
