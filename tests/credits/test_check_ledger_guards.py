"""``check_ledger`` names every guard of the database that is missing, switched off or changed."""

from __future__ import annotations

import pytest
from django.db import connection

pytestmark = pytest.mark.django_db

GUTTED = """CREATE OR REPLACE FUNCTION {}() RETURNS trigger LANGUAGE plpgsql AS
    $$ BEGIN RETURN NEW; END $$"""

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
        ["key credits_hold_grant_id_same_company: is missing"],
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
