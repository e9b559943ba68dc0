"""64 processes at one pool: it ends at exactly zero, and every reply is the one it had to be.

``EVERY_REPLY_RACES=10`` races ten times, each with a seed of its own; the suite once.
"""

from __future__ import annotations

import json
import os
from decimal import Decimal

import pytest

from credits import balances, reconciliation
from tests.support import people, replaying, statement
from tests.support.planting import plant
from tests.support.processes import printed_by

RACES = int(os.environ.get("EVERY_REPLY_RACES", "1"))


def race(dsn, company, file, *more: str) -> dict:
    company_and_person = [str(company.pk), str(people.vera().pk)]
    done = printed_by(dsn, "tests.concurrency.mixed", *company_and_person, str(file), *more)
    return done.told | {"stderr": done.stderr}


def filled() -> tuple:
    """Return a company with three lots, and write down how they came."""
    from credits import ledger
    from tests.concurrency import mixed

    company, lines, call = statement.company(), [], ledger.call

    def recording(function, *arguments):
        answer = call(function, *arguments)
        lines.append(mixed.written_down(function, arguments, answer))
        return answer

    ledger.call = recording
    try:
        for name in ("200", "150", "50"):
            statement.lot(company, name, name)
    finally:
        ledger.call = call
    return company, lines


@pytest.mark.parametrize("seed", range(7, 7 + RACES))
def test_64_processes_spend_to_exactly_zero_and_every_reply_is_derived_again(
    committed, tmp_path, seed
):
    acme, filling = filled()

    seen = race(committed, acme, tmp_path / "replies", "--acts", "12", "--seed", str(seed))
    replies = (tmp_path / "replies").read_text().splitlines()
    count, found = replaying.differences(acme, [*filling, *replies])

    assert seen["failed"] == 0, seen["stderr"][-2000:]
    assert seen["most_waiters"] > 1
    assert found == []
    assert count > 64 * 12
    acts = {json.loads(line)["act"] for line in replies}
    assert acts == {
        *("charge", "reserve", "capture", "release", "extend", "refund", "settle"),
        *("adjust_up", "adjust_down", "issue", "cancel", "void"),
    }
    assert balances.now(company=acme).available == Decimal("0.000")
    assert reconciliation.check() == []


def test_a_wrong_refusal_among_them_is_found_out(committed, tmp_path):
    """The ledger's rows stay right: only the last thousandth is refused that could be paid."""
    plant(
        "ledger_charge",
        "p_amount > context.balance - context.reserved",
        "p_amount >= context.balance - context.reserved",
    )
    acme, filling = filled()

    race(committed, acme, tmp_path / "replies", "--acts", "4", "--processes", "4")
    replies = (tmp_path / "replies").read_text().splitlines()
    _, found = replaying.differences(acme, [*filling, *replies])

    assert "said ('INSUFFICIENT', Decimal('0.001')" in found[0]
    assert "is ('OK', Decimal('0.000')" in found[0]
    # No row is wrong; the audit sees the planted function itself.
    assert [breach.invariant for breach in reconciliation.check()] == ["GUARD"]
