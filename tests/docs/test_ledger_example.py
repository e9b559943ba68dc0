"""The worked example of docs/ledger.md, act by act: every figure it prints is what comes out."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from django.db import connection

from config.demo.clock import seeded_clock
from config.embedded_postgres import PROJECT
from credits import amounts, balances, charging, grants, ledger
from credits.models import UsageEvent
from tests.support import people, statement

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
WHY = "As the example has it"


@pytest.fixture
def page() -> str:
    return (PROJECT / "docs" / "ledger.md").read_text()


@pytest.fixture(autouse=True)
def _unordered(settings):
    """The lots of the example were ordered by nobody."""
    orders = "billing.reconciliation.unordered"
    settings.CREDIT_CHECKS = [path for path in settings.CREDIT_CHECKS if path != orders]


@pytest.fixture
def lived():
    """Acme at noon of 2 April, and what was said on the way."""
    said = {}
    with seeded_clock(NOON) as clock:
        acme, vera = statement.company(), people.vera()
        statement.lot(acme, "March", "10", expires_at=APRIL)
        statement.lot(acme, "Spare", "5")
        clock.advance(timedelta(days=1))
        statement.charge(acme, "4")
        clock.set(APRIL - timedelta(minutes=10))
        held = statement.reserve(acme, "5")
        now = balances.now(company=acme)
        said["held"] = (now.remaining, now.reserved, now.available)
        said["foreseen"] = balances.at(company=acme, instant=APRIL).remaining
        clock.set(APRIL + timedelta(minutes=2))
        captured = statement.capture(held, "3")
        clock.set(APRIL + timedelta(days=1, hours=12))
        refund_of(captured, vera)
        key = ledger.Key.of("adjustment", number=1)
        for _ in range(2):
            grants.adjust(company=acme, amount=Decimal("-0.5"), by=vera, reason=WHY, key=key)
        said["past"] = [
            balances.at(company=acme, instant=instant).remaining
            for instant in (APRIL - MICROSECOND, APRIL)
        ]
        said["left"] = statement.left(acme)
        yield acme, said


def refund_of(event: UsageEvent, vera) -> None:
    charging.refund(usage_event=event, amount=Decimal(1), by=vera, reason=WHY, replace_expired=True)


def test_the_statement_on_the_page_is_what_the_acts_write(page, lived):
    acme, _ = lived
    printed = re.search(r"^```text\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)[1].splitlines()

    # The lot that replaces what expired has no name of its own in the books.
    written = [re.sub(r"\( (?=[+-])", "(Replacement ", line) for line in statement.of(acme)]

    assert printed == written


def test_each_guard_that_the_page_names_is_in_the_database(page):
    rows = re.findall(r"^\| (I\d+) \|[^|]*\|([^|]*)\|", page, re.MULTILINE)
    named = {name for _, guards in rows for name in re.findall(r"`(\w+)`", guards)}
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT conname FROM pg_constraint UNION SELECT tgname FROM pg_trigger"
            " UNION SELECT relname FROM pg_class WHERE relkind = 'i'"
            " UNION SELECT proname FROM pg_proc"
        )
        installed = {name for (name,) in cursor.fetchall()}

    assert [number for number, _ in rows] == [f"I{number}" for number in range(1, 19)]
    assert named - installed == set()


def test_the_figures_in_its_sentences_are_these(page, lived):
    _, said = lived
    words = " ".join(page.split())

    held = "/".join(amounts.text(one) for one in said["held"])
    before, after = (amounts.text(one) for one in said["past"])

    assert held == "11.0/5.0/6.0"
    assert "remaining is 11.0, of which 5.0 are held and 6.0 available" in words
    assert amounts.text(said["foreseen"]) == "10.0"
    assert "foresees 10.0 for midnight" in words
    assert (before, after) == ("11.0", "10.0")
    assert "a microsecond before midnight 11.0 remained, at midnight 10.0" in words
    assert said["left"] == {"Spare": "5.0", "": "0.5"}
    assert "In the end 5.0 are left of Spare and 0.5 of the replacement" in words
