"""``check_ledger`` finds what a hand with the table owner's rights changed past every guard."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from config.demo.clock import seeded_clock
from credits.models import CreditGrant, LedgerEntry, UsageEvent
from tests.support import conversations, people, statement
from tests.support.people import days

pytestmark = pytest.mark.django_db

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def run(capsys):
    """Run the command; return its exit code and the lines it printed."""

    def checking(**options) -> tuple[int, list[str]]:
        code = 0
        try:
            call_command("check_ledger", **options)
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out.splitlines()

    return checking


@pytest.fixture
def books():
    """Acme with five entries and a hold of 1.0, and Globex with one, both in order.

    #1 March +10 until the 3rd, #2 Lasting +5, #3 a charge of 4 to March, #4 a capture of 7 (6 of
    March, 1 of Lasting), #5 a charge of 0.5; 1 credit of Lasting is held.
    """
    with seeded_clock(NOON) as clock:
        acme, globex = people.company("Acme"), people.company("Globex")
        statement.lot(acme, "March", "10", expires_at=NOON + days(1))
        statement.lot(acme, "Lasting", "5")
        statement.lot(globex, "Theirs", "3")
        clock.advance(timedelta(hours=1))
        statement.charge(acme, "4")
        reservation = statement.reserve(acme, "7")
        clock.advance(timedelta(minutes=1))
        statement.capture(reservation, "7")
        statement.charge(acme, "0.5")
        statement.reserve(acme, "1")
    return acme, globex


def corrupt(company, *statements: str) -> dict:
    """Change rows as the tables' owner, with triggers and foreign keys off; return their names."""
    names = {
        "company": company.pk,
        "march": CreditGrant.objects.get(company=company, reference="March").pk,
        "lasting": CreditGrant.objects.get(company=company, reference="Lasting").pk,
    }
    for entry in LedgerEntry.objects.filter(company=company):
        names[f"e{entry.sequence}"] = entry.pk
    for event in UsageEvent.objects.filter(company=company, entry__isnull=False):
        names[f"u{event.after_sequence}"] = event.pk
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute("SET LOCAL session_replication_role = replica")
        for one in statements:
            cursor.execute(one.format(**names))
        cursor.execute("SET LOCAL session_replication_role = origin")
    return names


def entry(number: int, change: str) -> str:
    return f"UPDATE credits_ledgerentry SET {change} WHERE id = {{e{number}}}"


def lasting(change: str) -> str:
    return f"UPDATE credits_creditgrant SET {change} WHERE id = '{{lasting}}'"


def pool(change: str) -> str:
    return f"UPDATE credits_creditpool SET {change} WHERE company_id = {{company}}"


def without(table: str, constraint: str) -> str:
    return f"ALTER TABLE credits_{table} DROP CONSTRAINT {constraint}"


# What was done, and every breach that is named: (invariant, row, what is wrong).
CORRUPTIONS = {
    "an amount was changed": (
        [
            without("ledgerentry", "entry_after_is_before_plus_amount"),
            entry(3, "amount = -5"),
        ],
        [
            "I1 pool: balance 3.500, entries add up to 2.500, lots to 3.500",
            "I3 entry #3: CONSUMED of -5.000: 15.000 to 11.000",
            "I5 entry #3: is a charge without exactly one usage event of its amount and time",
            "I6 entry #3: of -5.000, drawdowns add up to -4.000",
            "I10 entry #3: was changed after it was written: its hash does not follow",
        ],
    ),
    "a hash was changed": (
        [entry(4, "hash = decode(repeat('ab', 32), 'hex')")],
        ["I10 entry #4: was changed after it was written: its hash does not follow"],
    ),
    "the last hash was changed": (
        [entry(5, "hash = decode(repeat('ab', 32), 'hex')")],
        [
            "I4 pool: stands at #5, the last entry is #5",
            "I10 entry #5: was changed after it was written: its hash does not follow",
        ],
    ),
    "an instant was moved": (
        [entry(5, "occurred_at = occurred_at - interval '1 day'")],
        [
            (
                "I4 entry #5: follows #4 at 2026-03-02 13:01:00+00 with 4.000; this one is at "
                "2026-03-01 13:01:00+00 and starts from 4.000"
            ),
            "I4 pool: stands at #5, the last entry is #5",
            "I5 entry #5: is a charge without exactly one usage event of its amount and time",
            (
                "I7 entry #5: at 2026-03-01 13:01:00+00 draws on grant {lasting}, usable from "
                "2026-03-02 12:00:00+00 until "
            ),
            "I10 entry #5: was changed after it was written: its hash does not follow",
        ],
    ),
    "the sequence has a gap": (
        [entry(5, "sequence = 9")],
        [
            (
                "I4 entry #9: follows #4 at 2026-03-02 13:01:00+00 with 4.000; this one is at "
                "2026-03-02 13:01:00+00 and starts from 4.000"
            ),
            "I4 pool: stands at #5, the last entry is #9",
            "I5 entry #9: is a charge without exactly one usage event of its amount and time",
            "I10 entry #9: was changed after it was written: its hash does not follow",
        ],
    ),
    "an entry was deleted": (
        [
            "DELETE FROM credits_drawdown WHERE entry_id = {e3}",
            "DELETE FROM credits_ledgerentry WHERE id = {e3}",
        ],
        [
            "I1 pool: balance 3.500, entries add up to 7.500, lots to 3.500",
            (
                "I4 entry #4: follows #2 at 2026-03-02 12:00:00+00 with 15.000; this one is at "
                "2026-03-02 13:01:00+00 and starts from 11.000"
            ),
            "I5 usage {u3}: of 4.000 names no charge",
            "I6 grant {march}: remaining 0.000, drawdowns add up to 4.000",
            "I10 entry #4: was changed after it was written: its hash does not follow",
            "I16 credits_usageevent {u3}: entry_id is not a row of its company",
        ],
    ),
    "the last entry was deleted": (
        [
            "DELETE FROM credits_drawdown WHERE entry_id = {e5}",
            "DELETE FROM credits_usageevent WHERE id = '{u5}'",
            "DELETE FROM credits_ledgerentry WHERE id = {e5}",
        ],
        [
            "I1 pool: balance 3.500, entries add up to 4.000, lots to 3.500",
            "I4 pool: stands at #5, the last entry is #4",
            "I6 grant {lasting}: remaining 3.500, drawdowns add up to 4.000",
        ],
    ),
    "a drawdown was moved to another grant": (
        [
            "UPDATE credits_drawdown SET grant_id = '{lasting}' WHERE entry_id = {e3}",
        ],
        [
            "I6 grant {lasting}: remaining 3.500, drawdowns add up to -0.500",
            "I6 grant {march}: remaining 0.000, drawdowns add up to 4.000",
            "I10 entry #3: was changed after it was written: its hash does not follow",
        ],
    ),
    "a lot has a thousandth more": (
        [lasting("remaining = remaining + 0.001")],
        [
            "I1 pool: balance 3.500, entries add up to 3.500, lots to 3.501",
            "I6 grant {lasting}: remaining 3.501, drawdowns add up to 3.500",
        ],
    ),
    "a hold is a thousandth too low": (
        [lasting("held = held - 0.001")],
        ["I2 grant {lasting}: held 0.999, open reservations hold 1.000"],
    ),
    "the pool's reserve is a thousandth too high": (
        [pool("reserved = reserved + 0.001")],
        ["I2 pool: reserved 1.001, open reservations hold 1.000"],
    ),
    "the balance is a thousandth too low": (
        [pool("balance = balance - 0.001")],
        ["I1 pool: balance 3.499, entries add up to 3.500, lots to 3.500"],
    ),
    "an expired grant was spent": (
        ["UPDATE credits_creditgrant SET expires_at = '2026-03-02 13:00Z' WHERE id = '{march}'"],
        [
            (
                "I7 entry #3: at 2026-03-02 13:00:00+00 draws on grant {march}, usable from "
                "2026-03-02 12:00:00+00 until 2026-03-02 13:00:00+00"
            ),
            (
                "I7 reservation {r4}: at 2026-03-02 13:00:00+00 holds of grant {march}, usable "
                "from 2026-03-02 12:00:00+00 until 2026-03-02 13:00:00+00"
            ),
        ],
    ),
    "a use lost its entry": (
        [
            without("usageevent", "usage_has_an_entry_when_it_costs_something"),
            "UPDATE credits_usageevent SET entry_id = NULL WHERE id = '{u3}'",
        ],
        [
            "I5 entry #3: is a charge without exactly one usage event of its amount and time",
            "I5 usage {u3}: of 4.000 names no charge",
        ],
    ),
    "a free use costs something": (
        [
            without("usageevent", "usage_of_free_actions_costs_nothing"),
            "UPDATE credits_usageevent SET action = 'PREVIEW' WHERE id = '{u3}'",
        ],
        ["I18 usage {u3}: PREVIEW costs 4.000"],
    ),
    "a captured reservation forgot what it took": (
        ["UPDATE credits_reservation SET captured = 6 WHERE id = '{r4}'"],
        ["I5 reservation {r4}: CAPTURED with 6.000 captured, charged 7.000"],
    ),
}


@pytest.mark.parametrize("corruption", CORRUPTIONS)
def test_what_was_done_is_named_with_company_row_and_invariant(books, run, corruption):
    acme, globex = books
    statements, expected = CORRUPTIONS[corruption]
    reservation_id = LedgerEntry.objects.get(company=acme, sequence=4).cause_ref

    names = corrupt(acme, *(one.replace("{r4}", str(reservation_id)) for one in statements))

    code, lines = run()
    found = [line.replace(f" company {acme.slug},", "") for line in lines[:-1]]
    named = [line.format(**names, r4=reservation_id) for line in expected]
    assert sorted(found) == sorted(named)
    assert all(f"company {acme.slug}," in line for line in lines[:-1])
    count = LedgerEntry.objects.count()
    assert lines[-1] == f"Checked {count} ledger entries: {len(expected)} breaches."
    assert code == 1
    assert run(company=acme.slug)[0] == 1
    assert run(company=globex.slug) == (
        0,
        ["Checked 1 ledger entries: every invariant holds."],
    )


def test_books_in_order_are_said_to_be(books, run):
    acme, _ = books

    assert run() == (0, ["Checked 6 ledger entries: every invariant holds."])
    assert run(company=acme.slug) == (0, ["Checked 5 ledger entries: every invariant holds."])


def test_a_scan_that_is_done_and_not_charged_is_named(run):
    acme = people.company()
    conversations.published(acme, people.alice(acme))
    now = datetime.now(UTC)
    conversations.ingest(acme, conversations.record("one", started_at=now))
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        cursor.execute(
            "SELECT conname FROM pg_constraint"
            " WHERE conrelid = 'trackers_scan'::regclass AND contype = 'c'"
        )
        for (name,) in cursor.fetchall():
            cursor.execute(f'ALTER TABLE trackers_scan DROP CONSTRAINT "{name}"')
        cursor.execute("UPDATE trackers_scan SET state = 'DONE' RETURNING id")
        [(scan_id,)] = cursor.fetchall()

    code, lines = run()

    assert (code, lines[:-1]) == (
        1,
        [f"I9 company {acme.slug}, scan {scan_id}: DONE, usage event "],
    )


def test_a_row_of_another_company_is_named(books, run):
    acme, globex = books
    corrupt(acme, f"UPDATE credits_drawdown SET company_id = {globex.pk} WHERE entry_id = {{e5}}")

    code, lines = run(company=globex.slug)

    assert code == 1
    assert f"I16 company {globex.slug}, credits_drawdown " in lines[0]
    assert lines[0].endswith(": entry_id is not a row of its company")


def test_a_company_without_a_pool_is_named(run):
    acme = people.company()
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM credits_creditpool WHERE company_id = %s", [acme.pk])

    code, lines = run()

    assert (code, lines[0]) == (1, f"I1 company {acme.slug}, company: has no pool")


def test_a_trigger_that_was_left_off_is_named(run):
    with connection.cursor() as cursor:
        cursor.execute("ALTER TABLE credits_drawdown DISABLE TRIGGER USER")

    code, lines = run()

    assert code == 1
    assert lines[0] == "I10 database, table credits_drawdown: has lost an append-only trigger"


def test_a_clock_that_was_replaced_is_named_unless_it_is_a_test_s(run):
    with seeded_clock(NOON):
        code, lines = run()
        allowed = run(allow_test_clock=True)

    assert code == 1
    assert lines[0] == ("CLOCK database, function ledger_clock: is not the database's own clock")
    assert allowed == (0, ["Checked 0 ledger entries: every invariant holds."])
    assert run()[0] == 0


def test_json_is_one_object_with_the_same_figures(books, run):
    acme, _ = books
    clean = run(json=True)
    corrupt(acme, pool("balance = balance - 0.001"))

    code, lines = run(json=True, company=acme.slug)

    assert clean == (0, ['{"entries": 6, "breaches": []}'])
    assert (code, len(lines)) == (1, 1)
    assert json.loads(lines[0]) == {
        "entries": 5,
        "breaches": [
            {
                "company": acme.slug,
                "invariant": "I1",
                "company_id": acme.pk,
                "subject": "pool",
                "detail": "balance 3.499, entries add up to 3.500, lots to 3.500",
            }
        ],
    }


def test_an_unknown_company_is_one_sentence_and_exit_2():
    with pytest.raises(CommandError, match=r"^There is no company “nobody”\.$") as refusal:
        call_command("check_ledger", company="nobody")

    assert refusal.value.returncode == 2
