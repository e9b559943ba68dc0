"""Write down what time has done: grants that became effective or expired, leases that lapsed.

Expiry is a fact of time, not of a job (SPEC §2): any read or write of a company settles first.
The job only keeps the visible entries close to their time where nobody looks.
"""

from __future__ import annotations

from django.db import connection

from credits import faults, ledger
from credits.models import Company

BATCH_SIZE = 500


def settle(*, company: Company) -> int:
    """Settle what is due for one company; return its ledger's last sequence. Idempotent."""
    return ledger.settle(company_id=company.pk).sequence


def settle_due(*, batch_size: int = BATCH_SIZE) -> int:
    """Settle every company with something due; return how many there were.

    Each company is its own statement and transaction, so one never waits for another, and two
    schedulers at once find nothing left to do twice.
    """
    settled = 0
    while company_ids := _due(batch_size):
        for company_id in company_ids:
            ledger.settle(company_id=company_id)
            faults.reach(faults.Point.SETTLED)
        settled += len(company_ids)
        if len(company_ids) < batch_size:
            break
    return settled


def _due(limit: int) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT company_id FROM credits_creditpool WHERE next_due_at <= ledger_clock() "
            "ORDER BY next_due_at, company_id LIMIT %s",
            [limit],
        )
        return [row[0] for row in cursor.fetchall()]
