"""The ledger's invariants as statements that find their breaches (DESIGN §3).

Each finds rows (company_id, subject, detail). What is found in the pass over the entries is in
``credits.entry_invariants``, what first shows there in ``credits.screened_invariants``. What a
constraint already refuses is looked for again, because a restored backup or a hand with triggers
switched off is not refused. That decimals are exact (I17) is a matter of the columns' types: see
guards.
"""

from credits.correction_invariants import CORRECTION_RULES
from credits.cross_invariants import CROSS_RULES
from credits.entry_invariants import USE_DIFFERS

# Σ over entries, over lots, and the pool agree (I1); what is held agrees (I2).
POOL_RULES = (
    (
        "I1",
        """SELECT p.company_id, 'pool', format('balance %s, entries add up to %s, lots to %s',
               p.balance, coalesce(e.total, 0), coalesce(g.total, 0))
          FROM credits_creditpool p
          LEFT JOIN (SELECT company_id, sum(amount) AS total FROM credits_ledgerentry
                      GROUP BY company_id) e USING (company_id)
          LEFT JOIN (SELECT company_id, sum(remaining) AS total FROM credits_creditgrant
                      GROUP BY company_id) g USING (company_id)
         WHERE p.balance <> coalesce(e.total, 0) OR p.balance <> coalesce(g.total, 0)""",
    ),
    (
        "I1",
        """SELECT c.id, 'company', 'has no pool' FROM credits_company c
            WHERE NOT EXISTS (SELECT 1 FROM credits_creditpool p WHERE p.company_id = c.id)""",
    ),
    (
        "I2",
        """SELECT g.company_id, 'grant ' || g.id, format('held %s, open reservations hold %s',
               g.held, coalesce(h.total, 0))
          FROM credits_creditgrant g
          LEFT JOIN (SELECT h.grant_id, sum(h.amount) AS total FROM credits_hold h
                       JOIN credits_reservation r ON r.id = h.reservation_id AND r.state = 'OPEN'
                      GROUP BY h.grant_id) h ON h.grant_id = g.id
         WHERE g.held <> coalesce(h.total, 0)""",
    ),
    (
        "I2",
        """SELECT company_id, 'grant ' || id,
               format('held %s, remaining %s, amount %s', held, remaining, amount)
          FROM credits_creditgrant
         WHERE NOT (0 <= held AND held <= remaining AND remaining <= amount)""",
    ),
    (
        "I2",
        """SELECT p.company_id, 'pool', format('reserved %s, open reservations hold %s',
               p.reserved, coalesce(r.total, 0))
          FROM credits_creditpool p
          LEFT JOIN (SELECT company_id, sum(amount) AS total FROM credits_reservation
                      WHERE state = 'OPEN' GROUP BY company_id) r USING (company_id)
         WHERE p.reserved <> coalesce(r.total, 0)""",
    ),
    # Settling looks at next_due_at first: too late an instant would let the expired be spent.
    (
        "I7",
        """SELECT company_id, 'pool', format('next settles at %s, though something is due at %s',
               coalesce(next_due_at::text, 'no time'), due)
          FROM (SELECT company_id, next_due_at, ledger_next_due(company_id) AS due
                  FROM credits_creditpool) p
         WHERE due IS NOT NULL AND (next_due_at IS NULL OR next_due_at > due)""",
    ),
)

# Whatever is a company's has its company. Of each table one look at the index for each company that
# it names, however many rows each has.
_TABLES = ("creditpool", "creditgrant", "ledgerentry", "usageevent", "reservation", "correction")
COMPANY_RULES = tuple(
    (
        "I16",
        f"""WITH RECURSIVE named AS (
                SELECT min(company_id) AS id FROM credits_{table}
                UNION ALL
                SELECT (SELECT min(company_id) FROM credits_{table} WHERE company_id > named.id)
                  FROM named WHERE named.id IS NOT NULL)
            SELECT id, 'credits_{table}', 'has rows of a company that is not there'
              FROM named WHERE id IS NOT NULL AND id NOT IN (SELECT id FROM credits_company)""",
    )
    for table in (*_TABLES, "idempotencyrecord")
)

# The pool stands where its last entry does (I4).
ENTRY_RULES = (
    (
        "I4",
        """SELECT p.company_id, 'pool', format('stands at #%s, the last entry is #%s',
               p.sequence, coalesce(e.sequence, 0))
          FROM credits_creditpool p
          LEFT JOIN LATERAL (SELECT sequence, occurred_at, hash FROM credits_ledgerentry e
                 WHERE e.company_id = p.company_id ORDER BY sequence DESC LIMIT 1) e ON true
         WHERE p.sequence <> coalesce(e.sequence, 0)
            OR p.last_occurred_at IS DISTINCT FROM e.occurred_at
            OR e.hash IS NOT NULL AND p.last_hash <> e.hash""",
    ),
)

# One effect per cause, and usage, entries and reservations that name each other (I5, I8).
EFFECT_RULES = (
    # A use that names an entry is looked at with it: credits.entry_invariants.
    (
        "I5",
        """SELECT company_id, 'usage ' || id, format('of %s names no charge', amount)
          FROM credits_usageevent WHERE amount > 0 AND entry_id IS NULL""",
    ),
    # One that captured something is looked at with its entry.
    (
        "I5",
        f"""SELECT r.company_id, 'reservation ' || r.id, format(
               'captured nothing at %s; its usage %s is of %s at %s, or of another feature',
               r.closed_at, u.id, u.amount, u.occurred_at)
          FROM credits_reservation r
          LEFT JOIN credits_usageevent u ON u.id = r.usage_event_id AND u.company_id = r.company_id
         WHERE r.captured = 0 AND r.usage_event_id IS NOT NULL AND {USE_DIFFERS}""",
    ),
    (
        "I5",
        """SELECT company_id, format('%s %s', kind, cause_ref), format('%s entries', count(*))
          FROM credits_ledgerentry
         GROUP BY company_id, kind, cause, cause_ref, grant_id HAVING count(*) > 1""",
    ),
    (
        "I8",
        """SELECT company_id, 'grant ' || grant_id,
               format('%s EXPIRED entries of %s', count(*), cause)
          FROM credits_ledgerentry WHERE kind = 'EXPIRED'
         GROUP BY company_id, grant_id, cause, cause_ref HAVING count(*) > 1""",
    ),
)

# Lots: drawdowns add up (I6), were open when drawn (I7), and their state follows their figures.
LOT_RULES = (
    (
        "I6",
        """SELECT g.company_id, 'grant ' || g.id, format('remaining %s, drawdowns add up to %s',
               g.remaining, coalesce(d.total, 0))
          FROM credits_creditgrant g
          LEFT JOIN (SELECT grant_id, sum(amount) AS total FROM credits_drawdown
                      GROUP BY grant_id) d ON d.grant_id = g.id
         WHERE g.remaining <> coalesce(d.total, 0)""",
    ),
    (
        "I6",
        """SELECT g.company_id, 'grant ' || g.id, format(
               'voided %s and corrected down %s, its entries say %s and %s', g.voided,
               g.corrected_down, coalesce(d.voided, 0), coalesce(d.corrected_down, 0))
          FROM credits_creditgrant g
          LEFT JOIN (SELECT d.grant_id,
                            -sum(d.amount) FILTER (WHERE e.kind = 'VOIDED') AS voided,
                            -sum(d.amount) FILTER (WHERE e.kind = 'ADJUSTED' AND d.amount < 0)
                                AS corrected_down
                       FROM credits_drawdown d JOIN credits_ledgerentry e ON e.id = d.entry_id
                      WHERE e.kind IN ('VOIDED', 'ADJUSTED')
                      GROUP BY d.grant_id) d ON d.grant_id = g.id
         WHERE (g.voided, g.corrected_down)
               IS DISTINCT FROM (coalesce(d.voided, 0), coalesce(d.corrected_down, 0))""",
    ),
    (
        "I7",
        """SELECT company_id, 'grant ' || id, format(
               'has expired or was voided, and keeps %s of which %s is held', remaining, held)
          FROM credits_creditgrant
         WHERE (expired_at IS NOT NULL OR voided_at IS NOT NULL) AND remaining <> held""",
    ),
    (
        "I7",
        """SELECT company_id, 'grant ' || id, format(
               'usable from %s until %s, began at %s and ended at %s', effective_at,
               coalesce(expires_at::text, 'for ever'), granted_at, expired_at)
          FROM credits_creditgrant
         WHERE granted_at <> effective_at OR expired_at <> coalesce(expires_at, 'infinity')""",
    ),
    (
        "I7",
        """SELECT e.company_id, 'entry #' || e.sequence, format(
               'expires grant %s at %s, which is usable until %s and ended at %s', g.id,
               e.occurred_at, coalesce(g.expires_at::text, 'for ever'), g.expired_at)
          FROM credits_ledgerentry e JOIN credits_creditgrant g ON g.id = e.grant_id
         WHERE e.kind = 'EXPIRED' AND (g.expired_at IS NULL
               OR e.occurred_at < coalesce(g.expires_at, 'infinity'))""",
    ),
    (
        "I7",
        """SELECT company_id, 'grant ' || id, 'is open though it cannot be spent, or the reverse'
          FROM credits_creditgrant
         WHERE is_open <> (granted_at IS NOT NULL AND remaining > 0 AND expired_at IS NULL
                           AND voided_at IS NULL AND cancelled_at IS NULL)""",
    ),
    (
        "I1",
        """SELECT g.company_id, 'grant ' || g.id, 'is granted without its entry, or the reverse'
          FROM credits_creditgrant g
          LEFT JOIN credits_ledgerentry e ON e.cause_ref = g.id AND e.amount = g.amount
               AND (e.kind = 'GRANTED' AND e.cause = 'ISSUE'
                    OR g.source = 'ADJUSTMENT' AND e.kind = 'ADJUSTED' AND e.cause = 'ADJUST')
         WHERE (g.granted_at IS NOT NULL) <> (e.id IS NOT NULL)""",
    ),
    (
        "I15",
        """SELECT company_id, 'introductory grants', count(*)::text FROM credits_creditgrant
            WHERE source = 'INTRODUCTORY' AND cancelled_at IS NULL
            GROUP BY company_id HAVING count(*) > 1""",
    ),
    (
        "I18",
        """SELECT company_id, 'usage ' || id, format('%s costs %s', action, amount)
          FROM credits_usageevent
         WHERE action IN ('PREVIEW', 'MANUAL', 'REUSED') AND amount > 0""",
    ),
)

# The cache of closed days holds what the events add up to, and nothing else (usage_days).
_NAMES = """feature_type, feature_ref, feature_name, action, team_ref, user_ref, integration_ref"""
_SUMS = f"""SELECT d.company_id, d.starts_at, d.ends_at, {_NAMES}, calls, emails, web_searches,
                   request_count, amount
              FROM credits_usageday d JOIN credits_usagesum s ON s.day_id = d.id"""
_EVENTS = f"""SELECT d.company_id, d.starts_at, d.ends_at, {_NAMES}, sum(calls), sum(emails),
                     sum(web_searches), coalesce(sum(request_count), 0), sum(amount)
                FROM credits_usageday d JOIN credits_usageevent u ON u.company_id = d.company_id
                     AND u.occurred_at >= d.starts_at AND u.occurred_at < d.ends_at
               GROUP BY d.company_id, d.starts_at, d.ends_at, {_NAMES}"""
CACHE_RULES = (
    (
        "DAILY",
        f"""SELECT company_id, format('use from %s to %s', starts_at, ends_at),
                   format('%s of the cached sums are not what the events add up to, or missing',
                          count(DISTINCT ({_NAMES})))
              FROM (({_SUMS} EXCEPT {_EVENTS}) UNION ALL ({_EVENTS} EXCEPT {_SUMS})) wrong
             GROUP BY company_id, starts_at, ends_at""",
    ),
)

RULES = (
    *POOL_RULES,
    *COMPANY_RULES,
    *ENTRY_RULES,
    *EFFECT_RULES,
    *CORRECTION_RULES,
    *LOT_RULES,
    *CROSS_RULES,
    *CACHE_RULES,
)
