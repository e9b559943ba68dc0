"""``check_ledger`` finds what a hand with the table owner's rights changed past every guard."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest
from django.core.management import call_command
from django.core.management.base import CommandError
from django.db import connection

from config.demo.clock import seeded_clock
from credits.models import LedgerEntry
from tests.credits.conftest import NOON
from tests.support import conversations, people
from tests.support.corrupting import CHANGED, corrupt, entry, lasting, pool, without

pytestmark = pytest.mark.django_db
SEALED = "its terms are not those that it was made with"

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
            f"I10 entry #3: {CHANGED}",
        ],
    ),
    "a hash was changed": (
        [entry(4, "hash = decode(repeat('ab', 32), 'hex')")],
        [f"I10 entry #4: {CHANGED}"],
    ),
    "the last hash was changed": (
        [entry(5, "hash = decode(repeat('ab', 32), 'hex')")],
        [
            "I4 pool: stands at #5, the last entry is #5",
            f"I10 entry #5: {CHANGED}",
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
            f"I10 entry #5: {CHANGED}",
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
            f"I10 entry #9: {CHANGED}",
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
            "I6 grant {march}: remaining 0.000, drawdowns add up to 4.000",
            f"I10 entry #4: {CHANGED}",
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
            f"I10 entry #3: {CHANGED}",
        ],
    ),
    "a use is said to be paid for by a grant's entry": (
        ["UPDATE credits_usageevent SET entry_id = {e1} WHERE id = '{u3}'"],
        [
            "I5 entry #3: is a charge without exactly one usage event of its amount and time",
            "I5 usage {u3}: of 4.000 names no charge",
            f"I10 entry #3: {CHANGED}",
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
            f"I10 entry #1: {CHANGED}",
            f"I10 grant {{march}}: {SEALED}",
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
            f"I10 entry #3: {CHANGED}",
        ],
    ),
    "a free use costs something": (
        [
            without("usageevent", "usage_of_free_actions_costs_nothing"),
            "UPDATE credits_usageevent SET action = 'PREVIEW' WHERE id = '{u3}'",
        ],
        ["I18 usage {u3}: PREVIEW costs 4.000", f"I10 entry #3: {CHANGED}"],
    ),
    "a captured reservation forgot what it took": (
        ["UPDATE credits_reservation SET captured = 6 WHERE id = '{r4}'"],
        [
            "I5 reservation {r4}: CAPTURED with 6.000 captured, charged 7.000",
            (
                "I5 reservation {r4}: captured 6.000 at 2026-03-02 13:01:00+00; its usage {u4} is "
                "of 7.000 at 2026-03-02 13:01:00+00, or of another feature"
            ),
        ],
    ),
    "a capture came at the instant of the lapse": (
        ["UPDATE credits_reservation SET lapses_at = '2026-03-02 13:01Z' WHERE id = '{r4}'"],
        [
            (
                "I7 entry #4: captures 6.000 of grant {march} where its reservation holds 6.000 "
                "until 2026-03-02 13:01:00+00"
            ),
            (
                "I7 entry #4: captures 1.000 of grant {lasting} where its reservation holds 1.000 "
                "until 2026-03-02 13:01:00+00"
            ),
        ],
    ),
    "the pool waits for nothing though a lease will lapse": (
        [pool("next_due_at = NULL")],
        [
            "I7 pool: next settles at no time, though something is due at 2026-03-02 13:16:00+00",
        ],
    ),
    "the pool settles a microsecond late": (
        [pool("next_due_at = '2026-03-02 13:16:00.000001Z'")],
        [
            (
                "I7 pool: next settles at 2026-03-02 13:16:00.000001+00, though something is due "
                "at 2026-03-02 13:16:00+00"
            ),
        ],
    ),
    "a grant's expiry was moved": (
        ["UPDATE credits_creditgrant SET expires_at = '2027-03-02Z' WHERE id = '{march}'"],
        [f"I10 entry #1: {CHANGED}", f"I10 grant {{march}}: {SEALED}"],
    ),
    "a grant's priority was changed": (
        [lasting("priority = 1")],
        [f"I10 entry #2: {CHANGED}", f"I10 grant {{lasting}}: {SEALED}"],
    ),
    "a grant's source was changed": (
        [lasting("source = 'ALLOCATION'")],
        [f"I10 entry #2: {CHANGED}", f"I10 grant {{lasting}}: {SEALED}"],
    ),
    "a grant is said to have been asked for earlier": (
        [lasting("requested_effective_at = '2026-01-01Z'")],
        [f"I10 entry #2: {CHANGED}", f"I10 grant {{lasting}}: {SEALED}"],
    ),
    "a grant is said to have been made earlier": (
        [lasting("created_at = '2026-01-01Z'")],
        [f"I10 entry #2: {CHANGED}", f"I10 grant {{lasting}}: {SEALED}"],
    ),
    "a grant's amount was changed": (
        [lasting("amount = 6")],
        [
            "I1 grant {lasting}: is granted without its entry, or the reverse",
            f"I10 entry #2: {CHANGED}",
            f"I10 grant {{lasting}}: {SEALED}",
        ],
    ),
    "a use has another name": (
        ["UPDATE credits_usageevent SET feature_name = 'Something else' WHERE id = '{u3}'"],
        [f"I10 entry #3: {CHANGED}"],
    ),
    "a use counts other work": (
        ["UPDATE credits_usageevent SET calls = calls + 1 WHERE id = '{u3}'"],
        [f"I10 entry #3: {CHANGED}"],
    ),
    "a use has another team": (
        ["UPDATE credits_usageevent SET team_ref = id WHERE id = '{u3}'"],
        [f"I10 entry #3: {CHANGED}"],
    ),
    "a captured use has another action": (
        ["UPDATE credits_usageevent SET action = 'MCP_REQUEST' WHERE id = '{u4}'"],
        [
            (
                "I5 reservation {r4}: captured 7.000 at 2026-03-02 13:01:00+00; its usage {u4} is "
                "of 7.000 at 2026-03-02 13:01:00+00, or of another feature"
            ),
            f"I10 entry #4: {CHANGED}",
        ],
    ),
    "a use is said to be of another feature": (
        ["UPDATE credits_usageevent SET feature_type = 'TRACKER' WHERE id = '{u3}'"],
        [f"I10 entry #3: {CHANGED}"],
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
    named += [
        f"GUARD database, constraint {one.split()[-1]}: is missing"
        for one in statements
        if " DROP CONSTRAINT " in one
    ]
    assert sorted(found) == sorted(named)
    count = LedgerEntry.objects.count()
    breaches = "1 breach" if len(named) == 1 else f"{len(named)} breaches"
    assert lines[-1] == f"Checked {count} ledger entries: {breaches}."
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

    code, lines = run(company=acme.slug)

    assert (code, lines[:-1]) == (
        1,
        [f"I9 company {acme.slug}, scan {scan_id}: DONE, usage event "],
    )


def test_a_company_without_a_pool_is_named(run):
    acme = people.company()
    with connection.cursor() as cursor:
        cursor.execute("SET LOCAL ledger.act = 'on'")
        cursor.execute("DELETE FROM credits_creditpool WHERE company_id = %s", [acme.pk])

    code, lines = run()

    assert (code, lines[0]) == (1, f"I1 company {acme.slug}, company: has no pool")


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
                "count": 1,
            }
        ],
    }


def test_an_unknown_company_is_one_sentence_and_exit_2():
    with pytest.raises(CommandError, match=r"^There is no company “nobody”\.$") as refusal:
        call_command("check_ledger", company="nobody")

    assert refusal.value.returncode == 2
