"""32 processes spend one company's credits down to exactly zero, and not one credit further."""

from __future__ import annotations

from decimal import Decimal

from credits import balances, reconciliation
from credits.models import LedgerEntry
from tests.support import people
from tests.support.planting import plant
from tests.support.processes import told_by


def race(dsn, company) -> dict:
    return told_by(dsn, "tests.concurrency.race", str(company.pk))


def test_1280_requests_of_32_processes_spend_1000_credits_exactly(committed):
    acme = people.company()
    for amount in ("400", "350", "250"):
        people.credits_for(acme, amount)

    seen = race(committed, acme)

    assert seen["told"] == {"charged": 1000, "refused": 280}
    assert seen["most_waiters"] > 1
    assert balances.now(company=acme).remaining == Decimal("0.000")
    assert LedgerEntry.objects.filter(company=acme, kind="CONSUMED").count() == 1000
    assert reconciliation.check() == []


def test_without_the_pool_lock_the_same_race_breaks(committed):
    plant(
        "ledger_begin",
        " WHERE company_id = p_company FOR NO KEY UPDATE",
        " WHERE company_id = p_company",
    )
    acme = people.company()
    people.credits_for(acme, "1000")

    seen = race(committed, acme)

    # The ledger's constraints refuse what the lock would have prevented.
    assert seen["told"]["entry_sequence_is_unique_in_a_company"] > 0
