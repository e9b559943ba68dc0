"""Sealed books of any length: every row as the acts would have written it, hashes included.

Written past the ledger, a company at a time, because five million acts take an hour;
``check_ledger`` finds nothing wrong with them. Every other use is the capture of a reservation.
"""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from django.db import connection
from django.utils import timezone

from config.demo.clock import seeded_clock
from credits.models import Company, CreditGrant
from tests.support import people

DAYS = 365
_USED = """ROW('ASK', 'Question ' || {n} %% 20, NULL,
    CASE WHEN {n} %% 50 = 0 THEN 'MCP_REQUEST' ELSE 'API_REQUEST' END, NULL, NULL, NULL, NULL, ''
    )::ledger_use"""
_WORK = "ROW(1, {n} %% 3, {n} %% 40, 0, 1)::ledger_work"
_FUNCTION = f"""
    CREATE OR REPLACE FUNCTION benchmark_uses(lot credits_creditgrant, p_rows integer, p_hash bytea)
    RETURNS TABLE (sequence bigint, usage_id uuid, reservation_id uuid, at timestamptz,
        balance numeric, hash bytea)
    LANGUAGE plpgsql AS $$
    BEGIN
        hash := p_hash;
        balance := lot.amount;
        FOR n IN 1..p_rows LOOP
            sequence := n + 1;
            balance := balance - 1;
            usage_id := uuidv7();
            reservation_id := CASE WHEN n % 2 = 0 THEN uuidv7() END;
            at := lot.effective_at + n * (interval '{DAYS - 1} days' / p_rows);
            hash := ledger_entry_hash('2', lot.company_id, sequence, 'CONSUMED', -1,
                balance + 1, balance, at, at,
                CASE WHEN n % 2 = 0 THEN 'CAPTURE' ELSE 'CHARGE' END,
                coalesce(reservation_id, usage_id), NULL, NULL, NULL,
                ledger_content_digest(ARRAY[lot.id], ARRAY[-1.000], ledger_usage_text(usage_id,
                    {_USED.format(n="n").replace("%%", "%")},
                    {_WORK.format(n="n").replace("%%", "%")})),
                hash);
            RETURN NEXT;
        END LOOP;
    END
    $$
"""
_STATEMENTS = (
    """
    CREATE TEMPORARY TABLE benchmark_rows AS
    SELECT uses.* FROM credits_creditgrant AS lot, credits_creditpool AS pool,
        LATERAL benchmark_uses(lot, %(rows)s, pool.last_hash) AS uses
    WHERE lot.id = %(lot)s AND pool.company_id = lot.company_id
    """,
    """
    INSERT INTO credits_ledgerentry (company_id, sequence, kind, amount, balance_before,
        balance_after, occurred_at, recorded_at, cause, cause_ref, hash)
    SELECT %(company)s, sequence, 'CONSUMED', -1, balance + 1, balance, at, at,
        CASE WHEN reservation_id IS NULL THEN 'CHARGE' ELSE 'CAPTURE' END,
        coalesce(reservation_id, usage_id), hash
    FROM benchmark_rows ORDER BY sequence
    """,
    f"""
    INSERT INTO credits_usageevent (id, company_id, feature_type, feature_name, feature_ref,
        action, request_id, rate_card_id, calls, emails, web_searches, request_count, amount,
        entry_id,
        occurred_at, after_sequence)
    SELECT usage_id, %(company)s, (used).feature_type, (used).feature_name, (used).feature_ref,
        (used).action, '', 1, (work).calls, (work).emails, 0, 1, 1,
        entry.id, at, row.sequence
    FROM benchmark_rows AS row JOIN credits_ledgerentry AS entry
        ON entry.company_id = %(company)s AND entry.sequence = row.sequence,
        LATERAL (SELECT {_USED.format(n="(row.sequence - 1)")} AS used,
                        {_WORK.format(n="(row.sequence - 1)")} AS work) AS n
    ORDER BY row.sequence
    """,
    f"""
    INSERT INTO credits_reservation (id, company_id, feature_type, feature_name, feature_ref,
        action, request_id, state, amount, captured, rate_card_id, opened_at, lapses_at,
        closed_at, usage_event_id)
    SELECT reservation_id, %(company)s, (used).feature_type, (used).feature_name,
        (used).feature_ref, (used).action, '', 'CAPTURED', 1, 1, 1, at,
        at + interval '15 minutes', at, usage_id
    FROM benchmark_rows AS row, LATERAL (SELECT {_USED.format(n="(row.sequence - 1)")} AS used) AS n
    WHERE reservation_id IS NOT NULL ORDER BY row.sequence
    """,
    """
    INSERT INTO credits_hold (company_id, reservation_id, grant_id, amount)
    SELECT %(company)s, reservation_id, %(lot)s, 1
    FROM benchmark_rows WHERE reservation_id IS NOT NULL ORDER BY sequence
    """,
    """
    INSERT INTO credits_drawdown (company_id, entry_id, grant_id, amount)
    SELECT %(company)s, id, %(lot)s, amount
    FROM credits_ledgerentry WHERE company_id = %(company)s AND sequence > 1 ORDER BY sequence
    """,
    """
    UPDATE credits_creditpool SET (balance, sequence, last_occurred_at, last_hash) =
        (SELECT balance, sequence, at, hash FROM benchmark_rows ORDER BY sequence DESC LIMIT 1)
    WHERE company_id = %(company)s
    """,
    "UPDATE credits_creditgrant SET remaining = amount - %(rows)s WHERE id = %(lot)s",
    "DROP TABLE benchmark_rows",
)


def company_with(rows: int, name: str) -> Company:
    """Return a company of Berlin with so many uses, one credit each, evenly over the last year."""
    began = timezone.now() - timedelta(days=DAYS)
    with seeded_clock(began):
        company = people.company(name)
        people.credits_for(company, str(Decimal(rows) * 2 + 1_000_000))
    lot = CreditGrant.objects.get(company=company)
    with connection.cursor() as cursor:
        cursor.execute(_FUNCTION)
        # Neither the guards nor the keys of every row: what they would say is checked afterwards.
        cursor.execute("SET session_replication_role = replica")
        for statement in _STATEMENTS:
            cursor.execute(statement, {"company": company.pk, "rows": rows, "lot": lot.pk})
        cursor.execute("SET session_replication_role = origin")
        cursor.execute("DROP FUNCTION benchmark_uses")
    return company


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM (ANALYZE)")
