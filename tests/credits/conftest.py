from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command

from config.demo.clock import seeded_clock
from tests.support import people, statement
from tests.support.people import days

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock(db):
    """The ledger's clock, standing at noon of Monday, 2 March 2026 until a test moves it."""
    with seeded_clock(NOON) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    return statement.company()


@pytest.fixture
def vera(db):
    return people.vera()


@pytest.fixture
def run(capsys):
    """Run the command; return its exit code and the lines it printed."""

    def checking(*arguments: str, **options) -> tuple[int, list[str]]:
        code = 0
        try:
            call_command("check_ledger", *arguments, **options)
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out.splitlines()

    return checking


@pytest.fixture
def books(db):
    """Acme with five entries and a hold of 1.0, and Globex with one, both in order.

    #1 March +10 until the 3rd, #2 Lasting +5, #3 a charge of 4 to March, #4 a capture of 7 (6 of
    March, 1 of Lasting), #5 a charge of 0.5; 1 credit of Lasting is held.
    """
    with seeded_clock(NOON) as clock:
        acme, globex = people.company("Acme"), people.company("Globex")
        statement.lot(acme, "March", "10", expires_at=NOON + days(1))
        statement.lot(acme, "Lasting", "5")
        statement.lot(globex, "Theirs", "3")
        clock.advance(timedelta(hours=1))
        statement.charge(acme, "4")
        reservation = statement.reserve(acme, "7")
        clock.advance(timedelta(minutes=1))
        statement.capture(reservation, "7")
        statement.charge(acme, "0.5")
        statement.reserve(acme, "1")
    return acme, globex
