"""Check that allocations and purchases agree with the ledger: part of ``check_ledger``.

``breaches`` looks at what was ordered: the grant that it brought, and what the audit trail says.
``unordered`` looks the other way: bought and allocated credits that nobody ordered.
"""

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
    # The days of a purchase are those of a zone that the company has or had.
    Rule(
        "I12",
        """
        SELECT p.company_id, 'purchase #' || p.number,
               'is for ' || p.starts_on || ' to ' || p.ends_on || ', its grant is usable from '
               || coalesce(g.requested_effective_at, g.effective_at) || ' until '
               || coalesce(g.expires_at::text, 'for ever')
          FROM billing_purchase p JOIN credits_creditgrant g
            ON g.company_id = p.company_id AND g.id = p.grant_id
         WHERE NOT EXISTS (
               SELECT 1
                 FROM (SELECT time_zone AS name FROM credits_company WHERE id = p.company_id
                       UNION SELECT unnest(ARRAY[before, after]) FROM billing_zonechange
                              WHERE company_id = p.company_id) zone
                WHERE (coalesce(g.requested_effective_at, g.effective_at)
                       AT TIME ZONE zone.name)::date = p.starts_on
                  AND (g.expires_at AT TIME ZONE zone.name)::date = p.ends_on + 1)
        """,
    ),
    Rule(
        "I12",
        """
        SELECT company_id, 'purchase #' || number,
               'is ' || state || ', by somebody, at a time and with a grant, or not so'
          FROM billing_purchase
         WHERE (state = 'FULFILLED') <> (fulfilled_by_id IS NOT NULL)
            OR (state = 'FULFILLED') <> (fulfilled_at IS NOT NULL)
            OR (state = 'FULFILLED') <> (grant_id IS NOT NULL)
        """,
    ),
    Rule(
        "I12",
        """
        SELECT p.company_id, 'purchase #' || p.number, 'was fulfilled by another than its grant was'
          FROM billing_purchase p JOIN credits_creditgrant g
            ON g.company_id = p.company_id AND g.id = p.grant_id
         WHERE g.created_by_id IS DISTINCT FROM p.fulfilled_by_id
        """,
    ),
    # The trail is written in the act's own transaction, and never changed.
    Rule(
        "I12",
        """
        SELECT p.company_id, 'purchase #' || p.number,
               'is ' || p.state || ', its trail says it was fulfilled ' || e.fulfilled
               || ' times and reversed ' || e.reversed || ' times'
          FROM billing_purchase p JOIN (
               SELECT company_id, subject_id,
                      count(*) FILTER (WHERE action = 'FULFILLED') AS fulfilled,
                      count(*) FILTER (WHERE action = 'REVERSED') AS reversed
                 FROM credits_auditevent WHERE subject_type = 'billing.purchase'
                GROUP BY company_id, subject_id) e
            ON e.company_id = p.company_id AND e.subject_id = p.id::text
         WHERE e.fulfilled > CASE WHEN p.state = 'FULFILLED' THEN 1 ELSE 0 END
            OR e.reversed > CASE WHEN p.voided_at IS NOT NULL THEN 1 ELSE 0 END
        """,
    ),
    Rule(
        "I15",
        """
        SELECT a.company_id, 'allocation of period ' || a.period_number,
               'starts at ' || a.starts_at || ', its grant at '
               || coalesce(g.requested_effective_at, g.effective_at)
          FROM billing_allocation a JOIN credits_creditgrant g
            ON g.company_id = a.company_id AND g.id = a.grant_id
         WHERE coalesce(g.requested_effective_at, g.effective_at) <> a.starts_at
        """,
    ),
    Rule(
        "I15",
        """
        SELECT company_id, 'allocation of period ' || period_number,
               'is ' || state || ' of ' || amount
               || CASE WHEN grant_id IS NULL THEN ' without a grant' ELSE ' with a grant' END
          FROM billing_allocation
         WHERE (grant_id IS NOT NULL) <> (state <> 'MISSED' AND amount > 0)
        """,
    ),
    Rule(
        "I15",
        """
        SELECT t.company_id, 'top-up ' || t.id,
               'of ' || t.amount || ' is not what its adjustment says'
          FROM billing_topup t
          LEFT JOIN credits_creditgrant g ON g.company_id = t.company_id AND g.id = t.grant_id
          LEFT JOIN billing_allocation a ON a.company_id = t.company_id AND a.id = t.allocation_id
         WHERE (t.amount, 'ADJUSTMENT', a.ends_at, t.made_by_id)
               IS DISTINCT FROM (g.amount, g.source, g.expires_at, g.created_by_id)
        """,
    ),
    Rule(
        "I15",
        """
        SELECT k.company_id, k.key, 'gave an adjustment, and there is no such top-up'
          FROM credits_idempotencyrecord k
         WHERE k.operation = 'ADJUST' AND k.key LIKE 'top-up %'
           AND NOT EXISTS (SELECT 1 FROM billing_topup t
                            WHERE t.company_id = k.company_id AND k.key = 'top-up ' || t.id)
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

ORDER_RULES = (
    Rule(
        "I12",
        """
        SELECT g.company_id, 'grant ' || g.id, 'was bought, and no fulfilled purchase brought it'
          FROM credits_creditgrant g
         WHERE g.source = 'PURCHASE' AND NOT EXISTS (
               SELECT 1 FROM billing_purchase p
                WHERE p.company_id = g.company_id AND p.grant_id = g.id AND p.state = 'FULFILLED')
        """,
    ),
    Rule(
        "I15",
        """
        SELECT g.company_id, 'grant ' || g.id, 'was allocated, and no allocation brought it'
          FROM credits_creditgrant g
         WHERE g.source = 'ALLOCATION' AND NOT EXISTS (
               SELECT 1 FROM billing_allocation a
                WHERE a.company_id = g.company_id AND a.grant_id = g.id AND a.state <> 'MISSED')
        """,
    ),
)


def breaches(*, company_id: int | None = None) -> Iterable[Breach]:
    """Return what of billing contradicts the ledger."""
    return rule_breaches(RULES, company_id)


def unordered(*, company_id: int | None = None) -> Iterable[Breach]:
    """Return the bought and allocated credits that no purchase and no allocation brought."""
    return rule_breaches(ORDER_RULES, company_id)
