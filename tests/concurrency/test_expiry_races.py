"""Expiries race with charges: nothing is spent of a lot that has ended, and each ends once."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from datetime import datetime

from django.db.models import Count, F

from config import databases
from config.embedded_postgres import PROJECT
from credits import reconciliation
from credits.models import Drawdown, LedgerEntry
from tests.support import statement
from tests.support.planting import plant

# The whole is 1,000; a run of the suite does some (docs/reliability.md).
RACES = int(os.environ.get("EXPIRY_RACES", "40"))


def raced(dsn, races: int) -> tuple[dict, list]:
    """Race, and return what was sent and the late spends: by the ledger, or by a client's clock."""
    acme = statement.company()
    # The last of the spending order, so that a charge between two lots is paid, too.
    statement.lot(acme, "Rest", "100000")
    done = subprocess.run(
        [sys.executable, "-m", "tests.concurrency.expiries", str(acme.pk), "--races", str(races)],
        cwd=PROJECT,
        env=databases.environment(dsn),
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    seen = json.loads(done.stdout)
    before = {entry: datetime.fromisoformat(instant) for entry, instant in seen["sent"]}
    draws = Drawdown.objects.filter(
        company=acme, entry__kind="CONSUMED", grant__expires_at__isnull=False
    ).values_list("entry_id", "entry__occurred_at", "grant__expires_at")
    late = [
        (entry, at, end)
        for entry, at, end in draws
        if at >= end or (entry in before and before[entry] >= end)
    ]
    return seen, late


def test_no_charge_is_paid_by_a_lot_that_has_ended(committed):
    seen, late = raced(committed, RACES)

    assert seen["races"] >= RACES
    assert late == []
    expired = LedgerEntry.objects.filter(kind="EXPIRED").values("drawdowns__grant")
    assert not expired.annotate(times=Count("pk")).filter(times__gt=1).exists()
    assert LedgerEntry.objects.filter(kind="EXPIRED").count() >= RACES
    assert not LedgerEntry.objects.filter(recorded_at__lt=F("occurred_at")).exists()
    assert reconciliation.check() == []


def test_charges_that_do_not_settle_first_are_found_out(committed):
    plant(
        "ledger_charge",
        "    context := ledger_settle_due(context);\n    IF ledger_is_closed",
        "    IF ledger_is_closed",
    )
    # The second wall: what is due and not settled is not taken, either.
    plant("ledger_take", "AND (expires_at IS NULL OR expires_at > context.instant)", "")

    _, late = raced(committed, 5)

    assert len(late) > 0
