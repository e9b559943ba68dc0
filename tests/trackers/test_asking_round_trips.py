"""An ask goes to the ledger twice: to reserve, and to capture at the end of its transaction."""

from __future__ import annotations

from contextlib import contextmanager

import pytest
from django.db import connection

from credits.ledger import Key
from tests.support import asks, people

ASK_THE_SERVER = ("Query", "Sync")


@pytest.fixture
def acme(committed):
    company = people.company()
    asks.globex(company)
    people.credits_for(company, "10")
    return company


@pytest.fixture
def sent(tmp_path):
    """Yield what is sent to the server in a block, message by message, by libpq's own trace."""
    file = tmp_path / "trace"

    @contextmanager
    def counting():
        connection.ensure_connection()
        libpq = connection.connection.pgconn
        found: list[str] = []
        with open(file, "w") as trace:
            libpq.trace(trace.fileno())
            try:
                yield found
            finally:
                libpq.untrace()
        for line in file.read_text().splitlines():
            # A statement of several lines has its first one here; the others begin otherwise.
            parts = line.split("\t", 4)
            if len(parts) == 5 and parts[1] == "F" and parts[3] in ("Query", "Parse"):
                found.append(parts[4])

    return counting


def ledger_calls(statements: list[str]) -> list[str]:
    names = ("reserve", "capture", "charge", "release", "read", "settle", "extend")
    return [
        name
        for statement in statements
        for name in names
        if f"ledger_{name}(" in statement or f'ledger_{name}"(' in statement
    ]


def test_an_ask_goes_to_the_ledger_twice(acme, sent):
    asks.ask(acme)  # What is loaded once is loaded, and vectors are stored.

    with sent() as statements:
        asks.ask(acme, key=Key.of("k", body=1))

    assert ledger_calls(statements) == ["reserve", "capture"]
    # The pool is held for no longer than the capture: it is the last before COMMIT.
    at = next(n for n, statement in enumerate(statements) if "ledger_capture" in statement)
    assert "COMMIT" in statements[at + 1]


def test_nothing_is_read_between_reserving_and_analyzing_in_a_transaction(acme, sent):
    with sent() as statements:
        asks.ask(acme)

    begun = [n for n, statement in enumerate(statements) if "BEGIN" in statement]
    reserved = next(n for n, one in enumerate(statements) if "ledger_reserve" in one)
    captured = next(n for n, one in enumerate(statements) if "ledger_capture" in one)
    assert not [n for n in begun if n < reserved]
    read = [n for n, one in enumerate(statements) if "JOIN trackers_utterance AS said" in one]
    assert read
    assert reserved < read[0]
    assert read[0] < max(n for n in begun if n < captured)
