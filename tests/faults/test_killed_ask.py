"""A process killed with -9 in the middle of an ask charges nothing; its key asks again, once."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal

import pytest

from config import databases
from config.embedded_postgres import PROJECT
from credits import balances, idempotency, reconciliation
from credits.ledger import Key
from credits.models import IdempotencyRecord, UsageEvent
from tests.faults.points import ASK_POINTS
from tests.support import asks, people
from tests.support.processes import kill, wait_until
from trackers.models import AskRequest

KEY = Key.of("retried", body="the same")


@pytest.mark.parametrize("point", ASK_POINTS)
def test_an_ask_whose_process_is_killed_is_charged_once_by_its_retry(committed, tmp_path, point):
    acme = people.company()
    asks.globex(acme)
    people.credits_for(acme, "10")
    fault = tmp_path / "reached"
    doomed = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.asker", acme.slug],
        cwd=PROJECT,
        env=databases.environment(committed)
        | {
            "DJANGO_SETTINGS_MODULE": os.environ["DJANGO_SETTINGS_MODULE"],
            "FAULT_POINT": point,
            "FAULT_FILE": str(fault),
        },
        start_new_session=True,
    )
    try:
        wait_until(fault.exists, f"the process to get to the point “{point}”")
        with pytest.raises(idempotency.InFlight):
            asks.ask(acme, key=KEY)
    finally:
        kill(doomed, signal.SIGKILL)
    assert not UsageEvent.objects.exists()
    assert not IdempotencyRecord.objects.filter(operation="ask").exists()
    wait_until(lambda: is_free(acme), "the database to notice that the process is gone")

    row = asks.ask(acme, key=KEY)
    again = asks.ask(acme, key=KEY)

    assert (row.is_replay, again.is_replay, again.pk) == (False, True, row.pk)
    assert AskRequest.objects.count() == 1
    assert [event.amount for event in UsageEvent.objects.all()] == [Decimal("1.600")]
    balance = balances.now(company=acme)
    # What the dead one held lapses by itself; until then it is nobody's.
    assert (balance.remaining, balance.reserved) == (Decimal("8.400"), Decimal("1.600"))
    assert reconciliation.check() == []
    lapses_at = acme.reservations.get(state="OPEN").lapses_at
    assert lapses_at <= row.asked_at + timedelta(minutes=15)


def is_free(company) -> bool:
    try:
        with idempotency.claimed(company=company, operation="ask", key=KEY):
            return True
    except idempotency.InFlight:
        return False
