"""Check that allocations and purchases agree with the ledger: part of ``check_ledger``."""

from __future__ import annotations

from collections.abc import Iterable

from credits.reconciliation import Breach, Rule, rule_breaches

RULES = (
    Rule(
        "I12",
        """
        SELECT p.company_id, 'purchase #' || p.number,
               'its grant is of ' || g.amount || ' ' || g.source || ', not of ' || p.amount
          FROM billing_purchase p JOIN credits_creditgrant g
            ON g.company_id = p.company_id AND g.id = p.grant_id
         WHERE g.amount <> p.amount OR g.source <> 'PURCHASE'
        """,
    ),
    Rule(
        "I12",
        """
        SELECT p.company_id, 'purchase #' || p.number, 'reversed, but its grant is not taken back'
          FROM billing_purchase p JOIN credits_creditgrant g
            ON g.company_id = p.company_id AND g.id = p.grant_id
         WHERE p.voided_at IS NOT NULL AND g.voided_at IS NULL AND g.cancelled_at IS NULL
        """,
    ),
    Rule(
        "I15",
        """
        SELECT a.company_id, 'allocation of period ' || a.period_number,
               'its grant is of ' || g.amount || ' ' || g.source || ', not of ' || a.amount
          FROM billing_allocation a JOIN credits_creditgrant g
            ON g.company_id = a.company_id AND g.id = a.grant_id
         WHERE g.amount <> a.amount OR g.source <> 'ALLOCATION' OR g.expires_at <> a.ends_at
            OR a.state = 'CANCELLED' AND g.cancelled_at IS NULL
        """,
    ),
    Rule(
        "I15",
        """
        SELECT a.company_id, 'allocation of period ' || a.period_number,
               'is of ' || a.amount || ', its seats bring ' || coalesce(sum(l.amount), 0)
          FROM billing_allocation a LEFT JOIN billing_allocationline l
            ON l.company_id = a.company_id AND l.allocation_id = a.id
         GROUP BY a.company_id, a.id, a.period_number, a.amount
        HAVING a.amount <> coalesce(sum(l.amount), 0)
        """,
    ),
    Rule(
        "I15",
        """
        SELECT later.company_id, 'allocation of period ' || later.period_number,
               'does not start where the period before ended'
          FROM billing_allocation later JOIN billing_allocation earlier
            ON earlier.company_id = later.company_id
           AND earlier.period_number = later.period_number - 1
         WHERE later.state <> 'CANCELLED' AND earlier.state <> 'CANCELLED'
           AND later.starts_at <> earlier.ends_at
        """,
    ),
)


def breaches(*, company_id: int | None = None) -> Iterable[Breach]:
    """Return what of billing contradicts the ledger."""
    return rule_breaches(RULES, company_id)
