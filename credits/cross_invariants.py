"""What two rows say of one act, compared: statements like those of ``credits.invariants``.

A hand that changes one of them leaves the other. What is sealed by a hash, what by such a second
source, and what by triggers alone: docs/ledger.md.
"""

# What the ledger does under a client's key, each time with a row of its own.
_ACTS = "('CHARGE', 'RESERVE', 'ISSUE', 'CANCEL', 'VOID', 'ADJUST', 'REFUND')"

CROSS_RULES = (
    # A grant to come has no entry yet whose hash would cover its terms.
    (
        "I10",
        """SELECT company_id, 'grant ' || id, 'its terms are not those that it was made with'
          FROM credits_creditgrant g
         WHERE g.terms_hash IS DISTINCT FROM ledger_terms_hash(g)""",
    ),
    (
        "I12",
        """SELECT g.company_id, 'grant ' || g.id, 'was bought by nobody, or by another than its'
               ' entry says'
          FROM credits_creditgrant g
          LEFT JOIN credits_user u ON u.id = g.created_by_id
          LEFT JOIN credits_ledgerentry e ON e.cause = 'ISSUE' AND e.cause_ref = g.id
               AND e.recorded_at = g.created_at
         WHERE g.source = 'PURCHASE'
           AND (u.id IS NULL OR e.id IS NOT NULL AND e.actor_ref IS DISTINCT FROM u.public_id)""",
    ),
    # Looked up for each: a company has introductory credits once.
    (
        "I15",
        """SELECT g.company_id, 'grant ' || g.id, 'was given by another than its entry says'
          FROM credits_creditgrant g
          LEFT JOIN credits_user u ON u.id = g.created_by_id
          JOIN LATERAL (SELECT actor_ref FROM credits_ledgerentry e
                 WHERE e.cause_ref = g.id AND e.cause = 'ISSUE' AND e.recorded_at = g.created_at
                 LIMIT 1) e ON true
         WHERE g.source = 'INTRODUCTORY' AND e.actor_ref IS DISTINCT FROM u.public_id""",
    ),
    # What a client's key did is there, of its instant: a free use has no entry that would miss it.
    (
        "I5",
        f"""SELECT k.company_id, 'key ' || k.id, format('its %s at %s is not there', k.operation,
               k.created_at)
          FROM credits_idempotencyrecord k
          LEFT JOIN credits_usageevent u ON k.operation = 'CHARGE'
               AND u.company_id = k.company_id AND u.id = k.result_ref
          LEFT JOIN credits_reservation r ON k.operation = 'RESERVE'
               AND r.company_id = k.company_id AND r.id = k.result_ref
          LEFT JOIN credits_creditgrant g ON k.operation = 'ISSUE'
               AND g.company_id = k.company_id AND g.id = k.result_ref
          LEFT JOIN credits_correction c ON k.operation IN ('CANCEL', 'VOID', 'ADJUST', 'REFUND')
               AND c.company_id = k.company_id AND c.id = k.result_ref
         WHERE k.operation IN {_ACTS}
           AND coalesce(u.occurred_at, r.opened_at, g.created_at, c.created_at)
               IS DISTINCT FROM k.created_at""",
    ),
    # Counted first: sorting ids alone takes a third of what grouping does.
    (
        "I5",
        f"""SELECT company_id, operation || ' ' || result_ref,
               format('is what %s keys did', count(*))
          FROM credits_idempotencyrecord
         WHERE operation IN {_ACTS}
           AND (SELECT count(*) > count(DISTINCT result_ref) FROM credits_idempotencyrecord
                 WHERE operation IN {_ACTS})
         GROUP BY company_id, operation, result_ref HAVING count(*) > 1""",
    ),
    (
        "I5",
        """SELECT c.company_id, 'correction ' || c.id, format(
               'says another person, kind, use, grant or time than entry #%s', e.sequence)
          FROM credits_correction c
          JOIN credits_ledgerentry e ON e.id = c.entry_id
          LEFT JOIN credits_user u ON u.id = c.by_id
          LEFT JOIN credits_usageevent v ON v.id = c.usage_event_id
          LEFT JOIN credits_ledgerentry charge ON charge.id = v.entry_id
         WHERE (c.kind, u.public_id, charge.sequence, c.grant_id, c.created_at)
               IS DISTINCT FROM
               (e.kind, e.actor_ref, e.corrects_sequence, e.grant_id, e.recorded_at)""",
    ),
    # A void of credits that were all held, and a cancellation, have no entry.
    (
        "I5",
        """SELECT g.company_id, 'grant ' || g.id, format('%s at %s, and no correction says so',
               CASE WHEN g.voided_at IS NULL THEN 'cancelled' ELSE 'voided' END,
               coalesce(g.voided_at, g.cancelled_at))
          FROM credits_creditgrant g LEFT JOIN credits_correction c ON c.grant_id = g.id
               AND (c.kind = 'VOIDED' AND c.created_at = g.voided_at
                    OR c.kind = 'CANCELLED' AND c.created_at = g.cancelled_at)
         WHERE coalesce(g.voided_at, g.cancelled_at) IS NOT NULL AND c.id IS NULL""",
    ),
    (
        "I5",
        """SELECT c.company_id, 'correction ' || c.id, format('%s at %s, and its grant is not',
               c.kind, c.created_at)
          FROM credits_correction c LEFT JOIN credits_creditgrant g ON g.id = c.grant_id
         WHERE c.kind = 'VOIDED' AND g.voided_at IS DISTINCT FROM c.created_at
            OR c.kind = 'CANCELLED' AND g.cancelled_at IS DISTINCT FROM c.created_at""",
    ),
    # A limit's sums are those of the rows, its windows follow each other, and the pool knows it.
    (
        "LIMIT",
        """SELECT w.company_id, 'limit ' || one.id, format('counts %s from %s, uses add up to %s',
               w.used, w.starts_at, ledger_used_within(one, w.starts_at, w.ends_at))
          FROM credits_limituse w JOIN credits_spendinglimit one ON one.id = w.limit_id
         WHERE one.ended_at IS NULL
           AND w.used <> ledger_used_within(one, w.starts_at, w.ends_at)""",
    ),
    (
        "LIMIT",
        """SELECT company_id, 'limit ' || limit_id, format('a window ends at %s, the next starts'
               ' at %s', before_ends, starts_at)
          FROM (SELECT company_id, limit_id, starts_at, lag(ends_at) OVER (
                           PARTITION BY limit_id ORDER BY starts_at) AS before_ends
                  FROM credits_limituse) w
         WHERE before_ends <> starts_at""",
    ),
    (
        "LIMIT",
        """SELECT p.company_id, 'pool', format('counts %s limits, %s are in force',
               p.limit_count, count(one.id))
          FROM credits_creditpool p LEFT JOIN credits_spendinglimit one
               ON one.company_id = p.company_id AND one.ended_at IS NULL
         GROUP BY p.company_id, p.limit_count HAVING p.limit_count <> count(one.id)""",
    ),
)
