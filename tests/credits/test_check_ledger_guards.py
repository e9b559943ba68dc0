"""``check_ledger`` names every guard of the database that is missing, switched off or changed."""

from __future__ import annotations

import pytest
from django.db import connection

from credits import definitions

pytestmark = pytest.mark.django_db

GUTTED = """CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RETURN NEW; END $$"""

# What a backup does that is restored: each check and index is made of the database's own words.
RESTORED = """DO $$ DECLARE one record; BEGIN
    FOR one IN SELECT conrelid::regclass AS place, quote_ident(conname) AS name,
                      pg_get_constraintdef(oid) AS words FROM pg_constraint
                WHERE contype = 'c' AND connamespace = current_schema()::regnamespace LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %s, ADD CONSTRAINT %s %s',
            one.place, one.name, one.name, one.words);
    END LOOP;
    FOR one IN SELECT indexrelid::regclass AS name, pg_get_indexdef(indexrelid) AS words
                 FROM pg_index JOIN pg_class c ON c.oid = indrelid
                WHERE indisunique AND indpred IS NOT NULL
                  AND relnamespace = current_schema()::regnamespace LOOP
        EXECUTE format('DROP INDEX %s', one.name);
        EXECUTE one.words;
    END LOOP;
END $$"""

# What a hand did, and what is said of it.
DEEDS = {
    "the guard of what was written lets everything through": (
        [GUTTED.format("ledger_refuse_change")],
        ["function ledger_refuse_change: is not what its file says"],
    ),
    "the guard of grants lets everything through": (
        [GUTTED.format("ledger_guard_grant")],
        ["function ledger_guard_grant: is not what its file says"],
    ),
    "an operation was changed": (
        [
            (
                "CREATE OR REPLACE FUNCTION ledger_settle(p_company bigint) RETURNS ledger_outcome"
                " LANGUAGE sql AS $$ SELECT NULL::ledger_outcome $$"
            )
        ],
        ["function ledger_settle: is not what its file says"],
    ),
    "an operation has a twin": (
        ["CREATE FUNCTION ledger_settle(text) RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$"],
        ["function ledger_settle: is not what its file says"],
    ),
    "an operation is gone": (
        ["DROP FUNCTION ledger_refund"],
        ["function ledger_refund: is missing"],
    ),
    "there is an operation that nobody wrote": (
        ["CREATE FUNCTION ledger_gift() RETURNS integer LANGUAGE sql AS $$ SELECT 1 $$"],
        ["function ledger_gift: is in no file of ours"],
    ),
    "the triggers of drawdowns are off": (
        ["ALTER TABLE credits_drawdown DISABLE TRIGGER USER"],
        [
            (
                "trigger credits_drawdown_is_added_in_an_act: is switched off or is not what its "
                "file says"
            ),
            (
                "trigger credits_drawdown_is_append_only: is switched off or is not what its "
                "file says"
            ),
            (
                "trigger credits_drawdown_is_never_truncated: is switched off or is not what its "
                "file says"
            ),
        ],
    ),
    "a trigger fires for replicas only": (
        ["ALTER TABLE credits_creditpool ENABLE REPLICA TRIGGER credits_creditpool_is_guarded"],
        ["trigger credits_creditpool_is_guarded: is switched off or is not what its file says"],
    ),
    "a trigger is gone": (
        ["DROP TRIGGER credits_creditgrant_is_guarded ON credits_creditgrant"],
        ["trigger credits_creditgrant_is_guarded: is missing"],
    ),
    "a trigger never fires": (
        [
            "DROP TRIGGER credits_usageevent_is_append_only ON credits_usageevent",
            (
                "CREATE TRIGGER credits_usageevent_is_append_only BEFORE UPDATE OR DELETE"
                " ON credits_usageevent FOR EACH ROW WHEN (false)"
                " EXECUTE FUNCTION ledger_refuse_change()"
            ),
        ],
        ["trigger credits_usageevent_is_append_only: is switched off or is not what its file says"],
    ),
    "a trigger looks at one column": (
        [
            "DROP TRIGGER credits_usageevent_is_append_only ON credits_usageevent",
            (
                "CREATE TRIGGER credits_usageevent_is_append_only BEFORE UPDATE OF calls OR DELETE"
                " ON credits_usageevent FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change()"
            ),
        ],
        ["trigger credits_usageevent_is_append_only: is switched off or is not what its file says"],
    ),
    "a trigger lets deletions through": (
        [
            "DROP TRIGGER credits_ledgerentry_is_append_only ON credits_ledgerentry",
            (
                "CREATE TRIGGER credits_ledgerentry_is_append_only BEFORE UPDATE"
                " ON credits_ledgerentry FOR EACH ROW EXECUTE FUNCTION ledger_refuse_change()"
            ),
        ],
        [
            (
                "trigger credits_ledgerentry_is_append_only: is switched off or is not what its "
                "file says"
            )
        ],
    ),
    "a composite key is gone": (
        ['ALTER TABLE credits_hold DROP CONSTRAINT "credits_hold_grant_id_same_company"'],
        ["key credits_hold_grant_id_same_company: is missing"],
    ),
    "a composite key of another app is gone": (
        ['ALTER TABLE trackers_scan DROP CONSTRAINT "trackers_scan_tracker_id_same_company"'],
        ["key trackers_scan_tracker_id_same_company: is missing"],
    ),
    "a composite key was made anew without a look at the rows": (
        [
            'ALTER TABLE credits_hold DROP CONSTRAINT "credits_hold_grant_id_same_company"',
            (
                'ALTER TABLE credits_hold ADD CONSTRAINT "credits_hold_grant_id_same_company"'
                " FOREIGN KEY (company_id, grant_id)"
                " REFERENCES credits_creditgrant (company_id, id) NOT VALID"
            ),
        ],
        ["key credits_hold_grant_id_same_company: is not what its model says"],
    ),
    "entries no longer continue each other": (
        ["ALTER TABLE credits_ledgerentry DROP CONSTRAINT entry_continues_the_previous_one"],
        ["key entry_continues_the_previous_one: is missing"],
    ),
    "a check is gone": (
        ["ALTER TABLE credits_creditpool DROP CONSTRAINT pool_balance_covers_what_is_reserved"],
        ["constraint pool_balance_covers_what_is_reserved: is missing"],
    ),
    "something may come twice": (
        ["DROP INDEX introductory_credits_come_once"],
        ["constraint introductory_credits_come_once: is missing"],
    ),
    "a balance may be below zero, though not by much": (
        [
            (
                "ALTER TABLE credits_ledgerentry DROP CONSTRAINT entry_balance_is_never_below_zero,"
                " ADD CONSTRAINT entry_balance_is_never_below_zero CHECK (balance_after > -1000000)"
            )
        ],
        ["constraint entry_balance_is_never_below_zero: is not what its model says"],
    ),
    "a check keeps its name and checks nothing": (
        [
            (
                "ALTER TABLE credits_ledgerentry DROP CONSTRAINT entry_after_is_before_plus_amount,"
                " ADD CONSTRAINT entry_after_is_before_plus_amount CHECK (true)"
            )
        ],
        ["constraint entry_after_is_before_plus_amount: is not what its model says"],
    ),
    "a check was made anew without a look at the rows": (
        [
            (
                "ALTER TABLE credits_ledgerentry DROP CONSTRAINT entry_balance_is_never_below_zero,"
                " ADD CONSTRAINT entry_balance_is_never_below_zero CHECK (balance_after >= 0)"
                " NOT VALID"
            )
        ],
        ["constraint entry_balance_is_never_below_zero: is not what its model says"],
    ),
    "a check went to another table": (
        [
            "ALTER TABLE credits_creditpool DROP CONSTRAINT pool_balance_covers_what_is_reserved",
            (
                "ALTER TABLE credits_company ADD CONSTRAINT pool_balance_covers_what_is_reserved"
                " CHECK (true)"
            ),
        ],
        ["constraint pool_balance_covers_what_is_reserved: is missing"],
    ),
    "a field's own check is gone": (
        ["ALTER TABLE credits_usageevent DROP CONSTRAINT credits_usageevent_calls_check"],
        ["constraint credits_usageevent_calls_check: is missing or not what its model says"],
    ),
    "a composite key keeps its name and holds nothing": (
        [
            (
                'ALTER TABLE credits_hold DROP CONSTRAINT "credits_hold_grant_id_same_company",'
                ' ADD CONSTRAINT "credits_hold_grant_id_same_company" CHECK (true)'
            )
        ],
        ["key credits_hold_grant_id_same_company: is not what its model says"],
    ),
    "a correction may correct an entry of any company": (
        [
            "CREATE UNIQUE INDEX ON credits_ledgerentry (id, sequence)",
            (
                "ALTER TABLE credits_ledgerentry DROP CONSTRAINT entry_corrects_one_of_its_company,"
                " ADD CONSTRAINT entry_corrects_one_of_its_company"
                " FOREIGN KEY (id, corrects_sequence)"
                " REFERENCES credits_ledgerentry (id, sequence)"
            ),
        ],
        ["key entry_corrects_one_of_its_company: is not what its file says"],
    ),
    "a key of one column is gone": (
        [
            (
                "ALTER TABLE credits_reservation DROP CONSTRAINT"
                " credits_reservation_rate_card_id_0421084f_fk_credits_r"
            )
        ],
        ["key credits_reservation.rate_card_id: is missing or not what its model says"],
    ),
    "something comes once among no rows": (
        [
            "DROP INDEX introductory_credits_come_once",
            (
                "CREATE UNIQUE INDEX introductory_credits_come_once"
                " ON credits_creditgrant (company_id) WHERE false"
            ),
        ],
        ["constraint introductory_credits_come_once: is not what its model says"],
    ),
    "deletions of uses are passed over": (
        ["CREATE RULE r AS ON DELETE TO credits_usageevent DO INSTEAD NOTHING"],
        ["rule r: is in no file of ours, and on credits_usageevent"],
    ),
    "uses are hidden": (
        ["ALTER TABLE credits_usageevent ENABLE ROW LEVEL SECURITY"],
        ["table credits_usageevent: may hide rows: its row level security is on"],
    ),
    "there is a trigger that nobody wrote": (
        [
            GUTTED.format("skim"),
            (
                "CREATE TRIGGER skims BEFORE INSERT ON credits_creditgrant"
                " FOR EACH ROW EXECUTE FUNCTION skim()"
            ),
        ],
        ["trigger skims: is in no file of ours, and on credits_creditgrant"],
    ),
    "a trigger calls a function of the same name elsewhere": (
        [
            "CREATE SCHEMA elsewhere",
            GUTTED.format("elsewhere.ledger_refuse_change"),
            "DROP TRIGGER credits_usageevent_is_append_only ON credits_usageevent",
            (
                "CREATE TRIGGER credits_usageevent_is_append_only BEFORE UPDATE OR DELETE"
                " ON credits_usageevent FOR EACH ROW"
                " EXECUTE FUNCTION elsewhere.ledger_refuse_change()"
            ),
        ],
        ["trigger credits_usageevent_is_append_only: is switched off or is not what its file says"],
    ),
    "the keys of uses of limits are off": (
        ["ALTER TABLE credits_limituse DISABLE TRIGGER ALL"],
        [
            "trigger credits_limituse_is_guarded: is switched off or is not what its file says",
            (
                "trigger credits_limituse_is_never_truncated: is switched off or is not what its "
                "file says"
            ),
            "key credits_limituse_limit_id_same_company: is switched off",
        ],
    ),
    "an operation opens the guards": (
        ["ALTER FUNCTION ledger_read SET ledger.act = 'on'"],
        ["function ledger_read: is not what its file says"],
    ),
    "an operation lost its settings": (
        ["ALTER FUNCTION ledger_charge RESET ALL"],
        ["function ledger_charge: is not what its file says"],
    ),
    "an operation does nothing where something is not given": (
        ["ALTER FUNCTION ledger_charge STRICT"],
        ["function ledger_charge: is not what its file says"],
    ),
    "every session is taken for an act": (
        ["ALTER ROLE CURRENT_USER SET ledger.act = 'on'"],
        ["setting ledger.act: is set for every session of the database or of a role"],
    ),
    "an entry may have no hash": (
        ["ALTER TABLE credits_ledgerentry ALTER hash DROP NOT NULL"],
        ["credits_ledgerentry.hash: may be null, and its model says it may not"],
    ),
    "an entry may follow any other": (
        [
            "ALTER TABLE credits_ledgerentry ALTER prev_sequence DROP EXPRESSION",
        ],
        ["credits_ledgerentry.prev_sequence: is not computed as its model says"],
    ),
    "a name may be longer": (
        ["ALTER TABLE credits_company ALTER slug TYPE text"],
        ["credits_company.slug: is not varchar(60)"],
    ),
}


@pytest.mark.parametrize("deed", DEEDS)
def test_a_guard_that_is_not_as_it_should_be_is_named(run, deed):
    statements, expected = DEEDS[deed]
    before = run()
    with connection.cursor() as cursor:
        for one in statements:
            cursor.execute(one)

    code, lines = run()

    assert before == (0, ["Checked 0 ledger entries: every invariant holds."])
    assert code == 1
    assert lines[:-1] == [f"GUARD database, {line}" for line in expected]


def test_a_sum_that_is_not_exact_is_named(run):
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE credits_limituse ALTER used TYPE double precision;"
            "ALTER TABLE credits_spendinglimit ALTER credits TYPE double precision"
        )

    code, lines = run()

    assert code == 1
    assert [line for line in lines if line.startswith("I17")] == [
        "I17 database, credits_limituse.used: is not numeric(18, 3)",
        "I17 database, credits_spendinglimit.credits: is not numeric(18, 3)",
    ]


def test_a_restored_backup_words_its_constraints_in_another_way_and_holds(run):
    words = """SELECT string_agg(pg_get_constraintdef(oid), ' ' ORDER BY conname)
                 FROM pg_constraint WHERE contype = 'c'"""
    with connection.cursor() as cursor:
        cursor.execute(words)
        before = cursor.fetchone()
        cursor.execute(RESTORED)
        cursor.execute(words)
        after = cursor.fetchone()

    assert after != before
    assert run() == (0, ["Checked 0 ledger entries: every invariant holds."])


def test_a_session_that_may_only_read_is_told_what_was_not_compared(run, monkeypatch):
    monkeypatch.setattr(definitions, "_told", {})  # As in a process that has asked nobody yet.
    with connection.cursor() as cursor:
        cursor.execute(
            "ALTER TABLE credits_hold DROP CONSTRAINT credits_hold_grant_id_same_company"
        )
        cursor.execute("SET TRANSACTION READ ONLY")

    code, lines = run()

    assert code == 1
    assert lines[:-1] == [
        "GUARD database, key credits_hold_grant_id_same_company: is missing",
        (
            "GUARD database, constraints and functions: cannot be compared with ours: "
            "cannot execute CREATE TABLE in a read-only transaction"
        ),
    ]
