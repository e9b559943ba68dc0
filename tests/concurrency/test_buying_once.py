"""However many act at once, a purchase is fulfilled once and a period allocated once."""

from __future__ import annotations

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from billing import seats
from billing.models import Allocation, Purchase
from config.demo.clock import seeded_clock
from credits import balances, reconciliation
from credits.models import CreditGrant
from tests.support import contracts, people
from tests.support.processes import told_by

NOW = datetime(2026, 3, 30, 12, tzinfo=UTC)


def together(dsn: str, act: str, subject, *others, processes: int = 32) -> dict:
    about = (act, *map(str, (subject, *others)))
    program = "tests.concurrency.buyers"
    return told_by(dsn, program, *about, "--processes", str(processes))


def test_32_fulfilments_of_one_purchase_add_its_credits_once(committed):
    acme = people.company()
    vera, victor = people.vera(), people.vera()
    purchase = contracts.approved(acme, vera)

    seen = together(committed, "fulfil", purchase.pk, vera.pk, victor.pk)

    assert seen["told"] == {"fulfilled": 1, "AlreadyDecided": 31}
    assert seen["most_waiters"] > 1
    assert CreditGrant.objects.count() == 1
    assert balances.now(company=acme).remaining == Decimal(50000)
    assert reconciliation.check() == []


def test_of_those_who_approve_and_those_who_cancel_each_finds_what_stands(committed):
    acme = people.company()
    vera = people.vera()
    purchase = contracts.requested(acme, vera)

    seen = together(committed, "decide", purchase.pk, vera.pk)

    # Whoever is first decides; a purchase just approved can still be cancelled, once.
    told = seen["told"]
    assert told.pop("AlreadyDecided") + sum(told.values()) == 32
    assert told in ({"CANCELLED": 1}, {"APPROVED": 1, "CANCELLED": 1})
    assert Purchase.objects.get().state == "CANCELLED"
    assert not CreditGrant.objects.exists()


def test_eight_beats_write_each_period_once(committed):
    with seeded_clock(NOW):
        acme = people.company(time_zone="UTC")
        contracts.seated(acme, "2026-01-01", introductory_amount=Decimal(500))

        seen = together(committed, "allocate", acme.pk, NOW.isoformat(), processes=8)

        assert seen["told"] == {"4 written": 1, "0 written": 7}
        assert [
            (one.period_number, one.state) for one in Allocation.objects.order_by("period_number")
        ] == [(1, "MISSED"), (2, "MISSED"), (3, "ISSUED"), (4, "ISSUED")]
        assert CreditGrant.objects.filter(source="ALLOCATION").count() == 2
        assert CreditGrant.objects.filter(source="INTRODUCTORY").count() == 1
        assert reconciliation.check() == []


def test_32_alike_seat_changes_at_once_bring_their_credits_once(committed):
    with seeded_clock(NOW):
        acme = people.company(time_zone="UTC")
        kind = contracts.seated(acme, "2026-03-30")

        seen = together(committed, "count", kind.pk, people.vera().pk, NOW.isoformat())

        assert seen["told"] == {"counted": 32}
        period = Allocation.objects.exclude(state="CANCELLED").get()
        assert period.amount == Decimal(24000)
        assert seats.owed(allocation=period, today=NOW.date()) == Decimal(0)
        assert balances.now(company=acme).remaining == Decimal(24000)
        assert reconciliation.check() == []


@pytest.mark.parametrize("act", ["fulfil", "allocate"])
def test_without_the_company_s_lock_the_database_still_refuses_the_second(
    committed, monkeypatch, act
):
    """The lock makes them wait; the constraints are what cannot be passed."""
    monkeypatch.setenv("TESTS_WITHOUT_COMPANY_LOCK", "1")
    with seeded_clock(NOW):
        acme = people.company(time_zone="UTC")
        vera = people.vera()
        contracts.seated(acme, "2026-03-01")
        subject = contracts.approved(acme, vera).pk if act == "fulfil" else acme.pk
        others = vera.pk if act == "fulfil" else NOW.isoformat()

        together(committed, act, subject, others, processes=8)

        grants = CreditGrant.objects.exclude(source="INTRODUCTORY")
        assert grants.count() == (1 if act == "fulfil" else 2)
        assert reconciliation.check() == []
