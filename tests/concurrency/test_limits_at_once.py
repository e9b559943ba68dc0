"""32 processes at one limit: together they use what it allows, and not one credit more."""

from __future__ import annotations

from decimal import Decimal

from credits import limits, reconciliation
from credits.models import LedgerEntry
from tests.support import people
from tests.support.planting import plant
from tests.support.processes import told_by


def race(dsn, company, *options: str) -> dict:
    return told_by(dsn, "tests.concurrency.race", str(company.pk), *options)


def company_limited_to(amount: str, *, window: str = "DAY"):
    company = people.company("Acme", time_zone="UTC")
    people.credits_for(company, "5000")
    for subject in (limits.of_company(company), limits.of_feature("ASK")):
        limits.set(
            company=company, subject=subject, window=window, credits=Decimal(amount), by=None
        )
    return company


def used(company) -> list[Decimal]:
    return [one.used for one in limits.standing(company=company)]


def test_1280_requests_of_32_processes_use_a_limit_of_1000_exactly(committed):
    acme = company_limited_to("1000", window="MONTH")

    seen = race(committed, acme)

    assert seen["told"] == {"charged": 1000, "refused": 280}
    assert seen["most_waiters"] > 1
    assert used(acme) == [Decimal("1000.000")] * 2
    assert LedgerEntry.objects.filter(company=acme, kind="CONSUMED").count() == 1000
    assert reconciliation.check() == []


def test_what_32_processes_hold_capture_in_part_and_release_is_counted_exactly(committed):
    acme = company_limited_to("300", window="MONTH")

    told = race(committed, acme, "--hold")["told"]

    assert told["LimitReached"] > 0
    assert "InsufficientCredits" not in told
    assert told["released"] > 0
    # What is left is less than one more request would hold.
    assert Decimal("299.5") <= Decimal(told["halves"]) / 2 <= Decimal(300)
    assert used(acme) == [Decimal(told["halves"]) / 2] * 2
    assert reconciliation.check() == []


def test_without_the_check_the_same_race_breaks(committed):
    plant("ledger_limit_refusal", "IF tightest.is_hard AND", "IF false AND")
    acme = company_limited_to("1000", window="MONTH")

    seen = race(committed, acme)

    assert seen["told"] == {"charged": 1280}
    assert used(acme) == [Decimal("1280.000")] * 2


def test_without_the_pool_lock_the_same_race_breaks(committed):
    plant(
        "ledger_begin",
        " WHERE company_id = p_company FOR NO KEY UPDATE",
        " WHERE company_id = p_company",
    )
    acme = company_limited_to("1000", window="MONTH")

    seen = race(committed, acme)

    assert seen["told"]["entry_sequence_is_unique_in_a_company"] > 0
