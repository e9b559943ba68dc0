"""What is looked for in one pass over the entries: most of a check is reading what is theirs.

An entry, the one before it, its lots, the grant it made effective and the use it paid for are put
together once, and five rules look at them: its own arithmetic (I3), its place in the chain (I4),
its use (I5), its drawdowns (I6), its hash (I10).

The hash: the first entry of a company whose bytes no longer give it is named. An entry is of
version 2, which covers the terms of the grant it made effective or the use it paid for; those
written before there was a version 2 are of version 1, and none of them follows one of version 2.
"""

# Finds (company_id, subject, detail, invariant, number of the rule). {scope} narrows each table to
# some companies.
ENTRY_PASS = """
    WITH found AS (
        SELECT * FROM (
            SELECT e.*, u.id AS usage_id, u.amount AS used, coalesce(d.total, 0) AS drawn,
                   e.balance_after <> e.balance_before + e.amount OR e.balance_after < 0
                       OR e.amount = 0
                       OR e.kind IN ('GRANTED', 'REFUNDED') AND e.amount < 0
                       OR e.kind IN ('CONSUMED', 'EXPIRED', 'VOIDED') AND e.amount > 0
                       AS is_miscalculated,
                   e.sequence <> e.before_sequence + 1 OR e.balance_before <> e.before_after
                       OR coalesce(e.occurred_at < e.before_at, false) AS is_misplaced,
                   e.kind = 'CONSUMED' AND (u.amount, u.occurred_at, u.after_sequence)
                       IS DISTINCT FROM (-e.amount, e.occurred_at, e.sequence) AS is_unmetered,
                   CASE e.hash
                       WHEN ledger_entry_hash('2', e.company_id, e.sequence, e.kind, e.amount,
                           e.balance_before, e.balance_after, e.occurred_at, e.recorded_at,
                           e.cause, e.cause_ref, e.grant_id, e.corrects_sequence, e.actor_ref,
                           -- What ledger_content_digest makes of the same lots and facts.
                           sha256(convert_to(d.lots || '|' || coalesce(CASE
                               WHEN g.id IS NOT NULL THEN ledger_terms_text(g)
                               WHEN u.id IS NOT NULL THEN ledger_usage_text(u.id,
                                   ROW(u.feature_type, u.feature_name, u.feature_ref, u.action,
                                       u.integration_ref, u.api_key_ref, u.user_ref, u.team_ref,
                                       u.request_id)::ledger_use,
                                   ROW(u.rate_card_id, u.calls, u.emails, u.web_searches,
                                       u.request_count)::ledger_work)
                               END, ''), 'UTF8')), e.previous) THEN 2
                       WHEN ledger_entry_hash('1', e.company_id, e.sequence, e.kind, e.amount,
                           e.balance_before, e.balance_after, e.occurred_at, e.recorded_at,
                           e.cause, e.cause_ref, e.grant_id, e.corrects_sequence, e.actor_ref,
                           sha256(convert_to(d.lots, 'UTF8')), e.previous) THEN 1
                       END AS version
              FROM (SELECT *, coalesce(lag(sequence) OVER w, 0) AS before_sequence,
                           coalesce(lag(balance_after) OVER w, 0) AS before_after,
                           lag(occurred_at) OVER w AS before_at,
                           coalesce(lag(hash) OVER w, decode(repeat('00', 32), 'hex')) AS previous
                      FROM credits_ledgerentry WHERE {scope}
                    WINDOW w AS (PARTITION BY company_id ORDER BY sequence)) e
              LEFT JOIN (SELECT entry_id, sum(amount) AS total, string_agg(grant_id::text || ':'
                                || amount::numeric(18, 3)::text, ';' ORDER BY id) AS lots
                           FROM credits_drawdown WHERE {scope} GROUP BY entry_id) d
                   ON d.entry_id = e.id
              LEFT JOIN credits_creditgrant g
                   ON g.id = e.cause_ref AND e.cause IN ('ISSUE', 'ADJUST')
              LEFT JOIN (SELECT * FROM credits_usageevent WHERE {scope}) u ON u.entry_id = e.id
            -- Hashed once, not once for each place that asks for the version.
            OFFSET 0) looked_at
         WHERE is_miscalculated OR is_misplaced OR is_unmetered OR amount <> drawn
            OR version IS DISTINCT FROM 2
            OR usage_id IS NOT NULL AND (used > 0) <> (kind = 'CONSUMED')
    )
    SELECT company_id, 'entry #' || sequence, format('%s of %s: %s to %s', kind, amount,
           balance_before, balance_after), 'I3', 1
      FROM found WHERE is_miscalculated
    UNION ALL
    SELECT company_id, 'entry #' || sequence, format(
           'follows #%s at %s with %s; this one is at %s and starts from %s', before_sequence,
           before_at, before_after, occurred_at, balance_before), 'I4', 2
      FROM found WHERE is_misplaced
    UNION ALL
    SELECT company_id, 'entry #' || sequence,
           'is a charge without exactly one usage event of its amount and time', 'I5', 3
      FROM found WHERE is_unmetered
    UNION ALL
    SELECT company_id, 'usage ' || usage_id, format('of %s names no charge', used), 'I5', 4
      FROM found WHERE usage_id IS NOT NULL AND (used > 0) <> (kind = 'CONSUMED')
    UNION ALL
    SELECT company_id, 'entry #' || sequence, format('of %s, drawdowns add up to %s', amount,
           drawn), 'I6', 5
      FROM found WHERE amount <> drawn
    UNION ALL
    -- Those of version 1 are the first ones: the nth of them is entry #n.
    (SELECT DISTINCT ON (company_id) company_id, 'entry #' || sequence,
           'was changed after it was written, or its grant''s terms or its use were: '
           'its hash does not follow', 'I10', 6
       FROM (SELECT company_id, sequence, version, row_number() OVER (
                        PARTITION BY company_id, version ORDER BY sequence) AS place
               FROM found WHERE version IS DISTINCT FROM 2) older
      WHERE version IS NULL OR place <> sequence
      ORDER BY company_id, sequence)"""
