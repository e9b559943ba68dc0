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
from credits.models import LedgerEntry, UsageEvent
from tests.support import people, statement

pytestmark = pytest.mark.django_db
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
APRIL = datetime(2026, 4, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
WHY = "As the example has it"
SPELT = {2: "two", 10: "ten"}


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
    """Acme at noon of 2 April, and the sentences of its story, told as they happened."""
    with seeded_clock(NOON) as clock:
        acme, story = statement.company(), []
        story += beginning(acme, clock)
        story += midnight(acme, clock)
        story += day_after(acme, clock)
        yield acme, " ".join(story)


def beginning(acme, clock):
    march = statement.lot(acme, "March", "10", expires_at=APRIL)
    spare = statement.lot(acme, "Spare", "5")
    yield f"{acme.name}'s days are {acme.time_zone}."
    yield (
        f"On {day(march.granted_at)} at noon it gets {SPELT[acme.grants.count()]} lots:"
        f" March, {credits_of(march)} until {day(march.expires_at)},"
        f" and Spare, {credits_of(spare)} without end."
    )
    assert (march.granted_at, spare.granted_at, spare.expires_at) == (NOON, NOON, None)
    clock.advance(timedelta(days=1))
    yield f"A day later an answer costs {credits_of(statement.charge(acme, '4'))}."


def midnight(acme, clock):
    clock.set(APRIL - timedelta(minutes=10))
    held = statement.reserve(acme, "5")
    now = balances.now(company=acme)
    foreseen = balances.at(company=acme, instant=APRIL).remaining
    assert statement.held(acme) == {"March": credits_of(held)}
    yield (
        f"{minutes(APRIL - held.opened_at).capitalize()} before April {credits_of(held)} are"
        f" reserved, of March, because it expires first: remaining is"
        f" {amounts.text(now.remaining)}, of which {amounts.text(now.reserved)} are held and"
        f" {amounts.text(now.available)} available, and `balances.at` foresees"
        f" {amounts.text(foreseen)} for midnight."
    )
    clock.set(APRIL + timedelta(minutes=2))
    captured = statement.capture(held, "3")
    free, rest = LedgerEntry.objects.filter(company=acme, kind="EXPIRED").order_by("sequence")
    assert (free.occurred_at, rest.occurred_at) == (APRIL, captured.occurred_at)
    yield f"At midnight the {amounts.text(-free.amount)} of March that nobody holds expires."
    yield (
        f"{minutes(captured.occurred_at - APRIL).capitalize()} later {credits_of(captured)} are"
        f" captured; the other {amounts.text(-rest.amount)} go back to March, which has expired,"
        " and so they expire too."
    )


def day_after(acme, clock):
    vera, captured = people.vera(), UsageEvent.objects.latest("occurred_at")
    clock.set(APRIL + timedelta(days=1, hours=12))
    back = charging.refund(
        usage_event=captured, amount=Decimal(1), by=vera, reason=WHY, replace_expired=True
    )
    lot = acme.grants.get(source="ADJUSTMENT")
    yield (
        f"The next day at noon Vera refunds {credits_of(back)} and replaces what expires of it by"
        f" a lot of {(lot.expires_at - lot.granted_at).days} days."
    )
    key = ledger.Key.of("adjustment", number=1)
    taken = [
        grants.adjust(company=acme, amount=Decimal("-0.5"), by=vera, reason=WHY, key=key)
        for _ in range(2)
    ]
    assert len({one.pk for one in taken}) == 1
    yield (
        f"Then she takes {amounts.text(-taken[0].amount)} away, twice with the same key, which is"
        " once: from the replacement, since Spare never expires."
    )


def day(instant: datetime) -> str:
    return f"{instant.day} {instant:%B}"


def minutes(span: timedelta) -> str:
    return f"{SPELT[span // timedelta(minutes=1)]} minutes"


def credits_of(row) -> str:
    return amounts.text(row.amount)


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


def test_the_story_on_the_page_is_told_by_what_happened_word_for_word(page, lived):
    _, story = lived

    assert f"## A worked example {story} ```text" in " ".join(page.split())


def test_what_is_left_and_what_remained_are_on_the_page_word_for_word(page, lived):
    acme, _ = lived
    before, after = (
        amounts.text(balances.at(company=acme, instant=instant).remaining)
        for instant in (APRIL - MICROSECOND, APRIL)
    )
    left = statement.left(acme)

    assert (
        "Each line begins with what the one above left."
        f" In the end {left.pop('Spare')} are left of Spare and {left.pop('')} of the replacement."
        f" Asked later, a microsecond before midnight {before} remained, at midnight {after}."
        " ## What always holds"
    ) in " ".join(page.split())
    assert left == {}
