"""A charge, a reservation and a capture are each one statement on the wire (DESIGN §3).

Counted by libpq's own trace of what was sent, so that what Django does not log counts too: the
pool's row is locked for as long as a round trip takes, and BEGIN and COMMIT would be two more.
"""

from __future__ import annotations

from contextlib import contextmanager
from decimal import Decimal

import pytest
from django.db import connection, transaction

from credits import balances, charging, expirations, limits, reconciliation
from tests.support import statement

ASK_THE_SERVER = ("Query", "Sync")  # A statement by the simple protocol, or by the extended one.


@pytest.fixture
def acme(committed):
    company = statement.company()
    statement.lot(company, "March", "10")
    return company


@pytest.fixture
def sent(tmp_path):
    """Count the round trips of a block."""
    file = tmp_path / "trace"

    @contextmanager
    def counting():
        connection.ensure_connection()
        libpq = connection.connection.pgconn
        trips: list[str] = []
        with open(file, "w") as trace:
            libpq.trace(trace.fileno())
            try:
                yield trips
            finally:
                libpq.untrace()
        for line in file.read_text().splitlines():
            _, sender, _, message, *_ = line.split("\t")
            if sender == "F" and message in ASK_THE_SERVER:
                trips.append(line)

    return counting


def test_a_charge_is_one_round_trip(acme, sent):
    with sent() as trips:
        statement.charge(acme, "1")

    assert len(trips) == 1
    assert "ledger_charge" in trips[0]


def test_a_reservation_is_one_round_trip(acme, sent):
    with sent() as trips:
        statement.reserve(acme, "1")

    assert len(trips) == 1
    assert "ledger_reserve" in trips[0]


def test_a_capture_is_one_round_trip(acme, sent):
    reservation = statement.reserve(acme, "2")

    with sent() as trips:
        statement.capture(reservation, "1.5")

    assert len(trips) == 1
    assert "ledger_capture" in trips[0]
    assert balances.now(company=acme).remaining == Decimal("8.500")
    assert reconciliation.check() == []


@pytest.fixture
def limited(acme):
    """Acme with limits that both would have to be asked."""
    for subject in (limits.of_company(acme), limits.of_feature("ASK")):
        for window in ("DAY", "MONTH"):
            limits.set(company=acme, subject=subject, window=window, credits=Decimal("5"), by=None)
    return acme


def test_with_limits_each_is_one_round_trip_too(limited, sent):
    with sent() as trips:
        statement.charge(limited, "1")
        reservation = statement.reserve(limited, "2")
        statement.capture(reservation, "1.5")

    assert len(trips) == 3
    assert {one.used for one in limits.standing(company=limited)} == {Decimal("2.500")}


@pytest.mark.parametrize(
    "act",
    [
        lambda company: balances.now(company=company),
        lambda company: balances.standing(company=company),
        lambda company: expirations.settle(company=company),
        lambda company: charging.estimate(
            company=company, work=statement.work_of("1"), rates=statement.MILLS
        ),
    ],
    ids=["a balance", "a balance and its total", "settling", "an estimate"],
)
def test_reading_is_one_round_trip(acme, sent, act):
    with sent() as trips:
        act(acme)

    assert len(trips) == 1


def test_in_a_transaction_the_same_charge_is_three(acme, sent):
    """Shows that the count sees what it is to find."""
    with sent() as trips, transaction.atomic():
        statement.charge(acme, "1")

    assert len(trips) == 3
