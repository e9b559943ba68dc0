"""Expiries race with charges: nothing is spent of a lot that has ended, and each ends once."""

from __future__ import annotations

import os
from bisect import bisect_left
from datetime import datetime

from django.db.models import Count, F

from credits import reconciliation
from credits.models import Drawdown, LedgerEntry
from tests.support import statement
from tests.support.planting import plant
from tests.support.processes import told_by

# The whole is 1,000; a run of the suite does some (docs/reliability.md).
RACES = int(os.environ.get("EXPIRY_RACES", "40"))


# Far longer than the races take on a busy machine.
SECONDS_MAX = 120 + 6 * RACES


def raced(dsn, races: int) -> tuple[dict, list]:
    """Race, and return what was noted and the late spends: by the ledger, by a client's clock, or
    by that of one who held the pool before the charge was decided.
    """
    acme = statement.company()
    # The last of the spending order, so that a charge between two lots is paid, too.
    statement.lot(acme, "Rest", "100000")
    program, options = "tests.concurrency.expiries", [str(acme.pk), "--races", str(races)]
    seen = told_by(dsn, program, *options, seconds=SECONDS_MAX)
    before = {entry: datetime.fromisoformat(instant) for entry, instant in seen["sent"]}
    held = [(sequence, datetime.fromisoformat(instant)) for sequence, instant in seen["held"]]
    draws = Drawdown.objects.filter(
        company=acme, entry__kind="CONSUMED", grant__expires_at__isnull=False
    ).values_list("entry_id", "entry__sequence", "entry__occurred_at", "grant__expires_at")
    late = []
    for entry, sequence, at, end in draws:
        since = bisect_left(held, sequence, key=lambda one: one[0])
        known = [at, *(instant for _, instant in held[max(since - 1, 0) : since])]
        if entry in before:
            known.append(before[entry])
        if max(known) >= end:
            late.append((entry, known, end))
    return seen, late


def test_no_charge_is_paid_by_a_lot_that_has_ended(committed):
    seen, late = raced(committed, RACES)

    assert seen["races"] >= RACES
    assert late == []
    # The pool was held over the end of a lot: who waited since before it, was decided after it.
    assert len(seen["held"]) >= 5
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


def test_a_clock_read_before_the_lock_is_found_out(committed):
    """The ledger's dates are as late as the clock, so that only those who held the pool tell."""
    plant(
        "ledger_begin",
        "context.instant := greatest(ledger_clock(), pool.last_occurred_at);",
        "context.instant := greatest(now(), pool.last_occurred_at);",
    )

    _, late = raced(committed, 10)

    assert len(late) > 0
