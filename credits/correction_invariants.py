"""The invariants of corrections, as statements like those of ``credits.invariants``.

A refund goes back where its charge came from, in reverse order, and is no more than that (I11);
every refund, void and adjustment downwards has its signature, and every signature of something that
moved credits its entry (I5).
"""

CORRECTION_RULES = (
    (
        "I11",
        """SELECT e.company_id, 'entry #' || e.sequence, format('charged %s, refunded %s',
               -e.amount, r.total)
          FROM credits_ledgerentry e
          JOIN (SELECT company_id, corrects_sequence, sum(amount) AS total
                  FROM credits_ledgerentry WHERE kind = 'REFUNDED'
                 GROUP BY company_id, corrects_sequence) r
            ON r.company_id = e.company_id AND r.corrects_sequence = e.sequence
         WHERE e.kind = 'CONSUMED' AND r.total > -e.amount""",
    ),
    (
        "I11",
        """SELECT r.company_id, 'entry #' || r.sequence, format('refunds #%s, which is no charge',
               r.corrects_sequence)
          FROM credits_ledgerentry r LEFT JOIN credits_ledgerentry e
               ON e.company_id = r.company_id AND e.sequence = r.corrects_sequence
               AND e.kind = 'CONSUMED'
         WHERE r.kind = 'REFUNDED' AND e.id IS NULL""",
    ),
    (
        "I11",
        """SELECT company_id, 'entry #' || sequence, format(
               'drew %s on grant %s, was refunded %s to it, and lots drawn later still miss %s',
               drawn, grant_id, returned, missing)
          FROM (SELECT e.company_id, e.sequence, d.grant_id, -d.amount AS drawn,
                       coalesce(b.amount, 0) AS returned,
                       coalesce(sum(-d.amount - coalesce(b.amount, 0)) OVER (
                           PARTITION BY e.id ORDER BY d.id DESC
                           ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING), 0) AS missing
                  FROM credits_ledgerentry e
                  JOIN credits_drawdown d ON d.entry_id = e.id
                  LEFT JOIN (SELECT f.company_id, f.corrects_sequence, r.grant_id,
                                    sum(r.amount) AS amount
                               FROM credits_ledgerentry f
                               JOIN credits_drawdown r ON r.entry_id = f.id
                              WHERE f.kind = 'REFUNDED'
                              GROUP BY f.company_id, f.corrects_sequence, r.grant_id) b
                       ON b.company_id = e.company_id AND b.corrects_sequence = e.sequence
                          AND b.grant_id = d.grant_id
                 WHERE e.kind = 'CONSUMED'
                   AND (e.company_id, e.sequence) IN (
                       SELECT company_id, corrects_sequence FROM credits_ledgerentry
                        WHERE kind = 'REFUNDED')) lots
         WHERE returned > drawn OR returned > 0 AND missing > 0""",
    ),
    (
        "I11",
        """SELECT f.company_id, 'entry #' || f.sequence, format(
               'refunds %s to grant %s, which #%s never drew on', r.amount, r.grant_id,
               f.corrects_sequence)
          FROM credits_ledgerentry f
          JOIN credits_drawdown r ON r.entry_id = f.id
          LEFT JOIN credits_ledgerentry e ON e.company_id = f.company_id
               AND e.sequence = f.corrects_sequence
          LEFT JOIN credits_drawdown d ON d.entry_id = e.id AND d.grant_id = r.grant_id
         WHERE f.kind = 'REFUNDED' AND d.id IS NULL""",
    ),
    (
        "I5",
        """SELECT e.company_id, 'entry #' || e.sequence, format('%s of %s is signed by nobody',
               e.kind, e.amount)
          FROM credits_ledgerentry e LEFT JOIN credits_correction c
               ON c.id = e.cause_ref AND c.entry_id = e.id AND c.amount = e.amount
         WHERE (e.kind = 'REFUNDED' OR e.cause = 'VOID' OR e.cause = 'ADJUST' AND e.amount < 0)
           AND c.id IS NULL""",
    ),
    (
        "I5",
        """SELECT c.company_id, 'correction ' || c.id, format('%s %s and has another entry',
               c.kind, c.amount)
          FROM credits_correction c LEFT JOIN credits_ledgerentry e
               ON e.id = c.entry_id AND e.amount = c.amount
               AND e.cause_ref IN (c.id, c.grant_id)
         WHERE (c.amount <> 0) <> (e.id IS NOT NULL)""",
    ),
)
