"""What is looked for in one pass over the entries: most of a check is reading what is theirs.

An entry, the one before it, its lots, the grant it made effective, the use it paid for and the
reservation it captured are put together once, and five rules look at them: its own arithmetic
(I3), its place in the chain (I4), its use (I5), its drawdowns (I6), its hash (I10).

The hash: the first entry of a company whose bytes no longer give it is named. An entry is of
version 2, which covers the terms of the grant it made effective or the use it paid for; those
written before there was a version 2 are of version 1, and none of them follows one of version 2.

Of lots, uses and reservations it is only seen **whether** something is wrong: the rules of that
screen (``credits.screened_invariants``) then look for it and name it, which takes far longer.
"""

from enum import StrEnum


class Screen(StrEnum):
    """What may be seen to be wrong before it is looked for."""

    DRAWDOWN = "drawdowns"
    USE = "uses"
    RESERVATION = "reservations"


# What was done, in the same columns of a reservation and of the use that it became.
_SAID = (
    *("feature_type", "feature_name", "feature_ref", "action", "integration_ref", "api_key_ref"),
    *("user_ref", "team_ref", "request_id", "rate_card_id"),
)
_RESERVED_SAID, _USE_SAID = (
    ", ".join(f"{table}.{column}" for column in _SAID) for table in ("r", "u")
)
USE_DIFFERS = f"""(r.captured, r.closed_at, {_RESERVED_SAID})
               IS DISTINCT FROM (u.amount, u.occurred_at, {_USE_SAID})"""

# An entry takes what came back of a hold to a lot that had expired or was voided: what its
# reservation became, when, and of which lot it held how much. So few that each is looked up.
IS_RETURNED = """e.kind IN ('EXPIRED', 'VOIDED') AND e.cause IN ('CAPTURE', 'RELEASE', 'LAPSE')"""
WAS_HELD = """EXISTS (
                       SELECT FROM credits_reservation closed JOIN credits_hold held
                           ON held.reservation_id = closed.id AND held.grant_id = e.grant_id
                        WHERE closed.id = e.cause_ref AND closed.company_id = e.company_id
                          AND closed.closed_at = e.occurred_at
                          AND CASE e.cause
                              WHEN 'CAPTURE' THEN closed.state = 'CAPTURED'
                                   AND held.amount >= -e.amount
                              WHEN 'RELEASE' THEN closed.state = 'RELEASED'
                                   AND held.amount = -e.amount
                              ELSE closed.state = 'LAPSED' AND held.amount = -e.amount END)"""

# The drawdowns of each entry, and what is wrong with them whatever the entry says.
_LOTS = """
    SELECT one.company_id, one.entry_id, count(*) AS lot_count, sum(one.amount) AS total,
           string_agg(one.grant_id::text || ':' || one.amount::numeric(18, 3)::text, ';'
                      ORDER BY one.id) AS lots,
           max(lot.effective_at) FILTER (WHERE one.amount < 0) AS usable_from,
           min(lot.expires_at) FILTER (WHERE one.amount < 0) AS usable_until,
           bool_or(lot.id IS NULL) AS is_stray
      FROM (SELECT * FROM credits_drawdown WHERE {scope}) one
      LEFT JOIN credits_creditgrant lot
           ON lot.id = one.grant_id AND lot.company_id = one.company_id
     GROUP BY one.company_id, one.entry_id"""

# The reservations with what they hold, and what is wrong with them whatever became of them.
_RESERVED = """
    SELECT r.*, h.lot_count, h.total, h.grants,
           r.id IS NULL OR h.is_stray OR r.amount <> coalesce(h.total, 0)
               OR r.opened_at < h.usable_from OR r.opened_at >= h.usable_until
               OR (r.state = 'CAPTURED') <> (r.usage_event_id IS NOT NULL)
               OR r.state = 'LAPSED' AND r.closed_at <> r.lapses_at
               OR r.state = 'RELEASED' AND r.closed_at >= r.lapses_at AS is_wrong
      FROM (SELECT * FROM credits_reservation WHERE {scope}) r
      FULL JOIN (SELECT one.company_id, one.reservation_id, count(*) AS lot_count,
                        sum(one.amount) AS total, string_agg(one.grant_id::text, ';') AS grants,
                        max(lot.effective_at) AS usable_from, min(lot.expires_at) AS usable_until,
                        bool_or(lot.id IS NULL) AS is_stray
                   FROM (SELECT * FROM credits_hold WHERE {scope}) one
                   LEFT JOIN credits_creditgrant lot
                        ON lot.id = one.grant_id AND lot.company_id = one.company_id
                  GROUP BY one.company_id, one.reservation_id) h
           ON h.reservation_id = r.id AND h.company_id = r.company_id"""

# Finds (company_id, subject, detail, invariant, number of the rule), and where a screen shows
# something a row whose subject is its name, under number 0. {scope} narrows each table to some
# companies.
ENTRY_PASS = f"""
    WITH found AS (
        SELECT * FROM (
            SELECT e.*, u.id AS usage_id, u.amount AS used, coalesce(d.total, 0) AS drawn,
                   coalesce(e.id IS NULL AND d.entry_id IS NOT NULL OR d.is_stray
                       OR e.cause IN ('CHARGE', 'ADJUST')
                          AND (e.occurred_at < d.usable_from OR e.occurred_at >= d.usable_until),
                       false) AS is_ill_drawn,
                   e.id IS NULL AND u.id IS NOT NULL AS is_unpaid,
                   coalesce(r.is_wrong OR r.captured <> coalesce(-e.amount, 0), false)
                   OR e.capture_of IS NOT NULL AND (e.occurred_at >= r.lapses_at
                       OR r.usage_event_id IS DISTINCT FROM u.id OR {USE_DIFFERS}
                       OR CASE WHEN d.lot_count = 1 AND r.lot_count = 1
                                    AND left(d.lots, 36) = r.grants
                               THEN -d.total > r.total
                               ELSE EXISTS (
                                   SELECT FROM credits_drawdown one LEFT JOIN credits_hold held
                                       ON held.reservation_id = e.capture_of
                                       AND held.grant_id = one.grant_id
                                    WHERE one.entry_id = e.id
                                      AND (held.id IS NULL OR -one.amount > held.amount)) END)
                   OR {IS_RETURNED} AND NOT {WAS_HELD} AS is_ill_held,
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
              FROM (SELECT *, CASE WHEN kind = 'CONSUMED' AND cause = 'CAPTURE' THEN cause_ref END
                               AS capture_of,
                           coalesce(lag(sequence) OVER w, 0) AS before_sequence,
                           coalesce(lag(balance_after) OVER w, 0) AS before_after,
                           lag(occurred_at) OVER w AS before_at,
                           coalesce(lag(hash) OVER w, decode(repeat('00', 32), 'hex')) AS previous
                      FROM credits_ledgerentry WHERE {{scope}}
                    WINDOW w AS (PARTITION BY company_id ORDER BY sequence)) e
              FULL JOIN ({_LOTS}) d ON d.entry_id = e.id AND d.company_id = e.company_id
              LEFT JOIN credits_creditgrant g
                   ON g.id = e.cause_ref AND e.cause IN ('ISSUE', 'ADJUST')
              FULL JOIN (SELECT * FROM credits_usageevent
                          WHERE entry_id IS NOT NULL AND {{scope}}) u
                   ON u.entry_id = e.id AND u.company_id = e.company_id
              FULL JOIN ({_RESERVED}) r ON r.id = e.capture_of AND r.company_id = e.company_id
            -- Hashed once, not once for each place that asks for the version.
            OFFSET 0) looked_at
         WHERE is_miscalculated OR is_misplaced OR is_unmetered OR amount <> drawn
            OR id IS NOT NULL AND version IS DISTINCT FROM 2
            OR is_ill_drawn OR is_unpaid OR is_ill_held
            OR usage_id IS NOT NULL AND (used > 0) <> (kind = 'CONSUMED')
    )
    (SELECT DISTINCT NULL::bigint, name, NULL, NULL, 0
       FROM found, LATERAL (VALUES ('{Screen.DRAWDOWN}', is_ill_drawn),
                                   ('{Screen.USE}', is_unpaid),
                                   ('{Screen.RESERVATION}', is_ill_held)) AS one (name, shows)
      WHERE shows)
    UNION ALL
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
               FROM found WHERE id IS NOT NULL AND version IS DISTINCT FROM 2) older
      WHERE version IS NULL OR place <> sequence
      ORDER BY company_id, sequence)"""
