"""What two rows say of one act, compared: statements like those of ``credits.invariants``.

A hand that changes one of them leaves the other. What is sealed by a hash, what by such a second
source, and what by triggers alone: docs/ledger.md.
"""

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
    (
        "I5",
        """SELECT company_id, 'reservation ' || id, format('%s at %s, though its lease ended at %s',
               state, closed_at, lapses_at)
          FROM credits_reservation
         WHERE state = 'LAPSED' AND closed_at <> lapses_at
            OR state = 'RELEASED' AND closed_at >= lapses_at""",
    ),
    # What a client's key did is there: a free use has no entry that would miss it.
    (
        "I5",
        """SELECT k.company_id, 'key ' || k.id, format('its %s is not there', k.operation)
          FROM credits_idempotencyrecord k
          LEFT JOIN credits_usageevent u ON k.operation = 'CHARGE'
               AND u.company_id = k.company_id AND u.id = k.result_ref
          LEFT JOIN credits_reservation r ON k.operation = 'RESERVE'
               AND r.company_id = k.company_id AND r.id = k.result_ref
          LEFT JOIN credits_creditgrant g ON k.operation = 'ISSUE'
               AND g.company_id = k.company_id AND g.id = k.result_ref
          LEFT JOIN credits_correction c ON k.operation IN ('CANCEL', 'VOID', 'ADJUST', 'REFUND')
               AND c.company_id = k.company_id AND c.id = k.result_ref
         WHERE k.operation IN
               ('CHARGE', 'RESERVE', 'ISSUE', 'CANCEL', 'VOID', 'ADJUST', 'REFUND')
           AND coalesce(u.id, r.id, g.id, c.id) IS NULL""",
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
)
