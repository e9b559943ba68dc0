"""A company with a history of any length, written past the ledger: a million charges take an hour.

Only for measuring: the hashes are empty, so ``check_ledger`` would name every entry.
"""

from __future__ import annotations

from django.db import connection

from credits.models import Company
from tests.support import people

DAYS = 365
# One entry adds the credits, then each of ``rows`` uses one for a tracker, evenly over a year.
_STATEMENTS = (
    """
    INSERT INTO credits_creditgrant (id, company_id, source, amount, remaining, held, voided,
        corrected_down, priority, effective_at, granted_at, is_open, reference, reason, created_at,
        terms_hash)
    SELECT uuidv7(), %(company)s, 'INTRODUCTORY', %(rows)s * 2 + 1000000, %(rows)s + 1000000,
        0, 0, 0, 100, begin_at, begin_at, true, '', '', begin_at, decode(repeat('00', 32), 'hex')
    FROM (SELECT now() - make_interval(days => %(days)s) AS begin_at) AS span
    """,
    """
    INSERT INTO credits_ledgerentry (company_id, sequence, kind, amount, balance_before,
        balance_after, occurred_at, recorded_at, cause, cause_ref, grant_id, hash)
    SELECT %(company)s, 1, 'GRANTED', amount, 0, amount, effective_at, effective_at, 'ISSUE', id,
        id, decode(repeat('00', 32), 'hex')
    FROM credits_creditgrant WHERE company_id = %(company)s
    """,
    """
    INSERT INTO credits_ledgerentry (company_id, sequence, kind, amount, balance_before,
        balance_after, occurred_at, recorded_at, cause, cause_ref, hash)
    SELECT %(company)s, n + 1, 'CONSUMED', -1, amount - n + 1, amount - n, at, at, 'CHARGE',
        gen_random_uuid(), decode(repeat('00', 32), 'hex')
    FROM credits_creditgrant, generate_series(1, %(rows)s) AS n,
        LATERAL (SELECT effective_at + n * make_interval(days => %(days)s) / %(rows)s AS at) AS t
    WHERE company_id = %(company)s
    """,
    """
    INSERT INTO credits_usageevent (id, company_id, feature_type, feature_name, feature_ref,
        action, request_id, rate_card_id, calls, emails, web_searches, amount, entry_id,
        occurred_at, after_sequence)
    SELECT uuidv7(), company_id, 'TRACKER', 'Tracker ' || sequence %% 20,
        ('00000000-0000-7000-8000-' || lpad((sequence %% 20)::text, 12, '0'))::uuid,
        CASE WHEN sequence %% 50 = 0 THEN 'BACKFILL' ELSE 'CONTINUOUS' END, '', 1,
        sequence %% 3, sequence %% 40, 0, 1, id, occurred_at, sequence
    FROM credits_ledgerentry WHERE company_id = %(company)s AND sequence > 1 ORDER BY sequence
    """,
    """
    INSERT INTO credits_drawdown (company_id, entry_id, grant_id, amount)
    SELECT entry.company_id, entry.id, lot.id, entry.amount
    FROM credits_ledgerentry AS entry JOIN credits_creditgrant AS lot USING (company_id)
    WHERE company_id = %(company)s ORDER BY sequence
    """,
    """
    UPDATE credits_creditpool SET (balance, sequence, last_occurred_at) =
        (SELECT balance_after, sequence, occurred_at FROM credits_ledgerentry
         WHERE company_id = %(company)s ORDER BY sequence DESC LIMIT 1)
    WHERE company_id = %(company)s
    """,
)


def company_with(rows: int, name: str) -> Company:
    """Return a company of Berlin with so many uses and as many entries, over the last year."""
    company = people.company(name)
    with connection.cursor() as cursor:
        # Neither the guards nor the keys of every row: this is not the ledger.
        cursor.execute("SET session_replication_role = replica")
        for statement in _STATEMENTS:
            cursor.execute(statement, {"company": company.pk, "rows": rows, "days": DAYS})
        cursor.execute("SET session_replication_role = origin")
    return company


def analyze() -> None:
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
