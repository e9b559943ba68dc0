"""Rules whose breach shows in the pass over the entries before it is looked for and named.

Statements like those of ``credits.invariants``. One is run only where its screen showed that
something is wrong (``credits.entry_invariants``): nothing that it finds may fail to show there.
"""

from credits.entry_invariants import IS_RETURNED, USE_DIFFERS, WAS_HELD, Screen

# Reservations are what they hold (I2), became what they say and what came back of them says (I5),
# and held what they could (I7).
RESERVATION_RULES = (
    (
        "I2",
        """SELECT r.company_id, 'reservation ' || r.id,
               format('amount %s, holds add up to %s', r.amount, coalesce(h.total, 0))
          FROM credits_reservation r
          LEFT JOIN (SELECT reservation_id, sum(amount) AS total FROM credits_hold
                      GROUP BY reservation_id) h ON h.reservation_id = r.id
         WHERE r.amount <> coalesce(h.total, 0)""",
    ),
    (
        "I5",
        """SELECT r.company_id, 'reservation ' || r.id, format(
               '%s with %s captured, charged %s', r.state, r.captured, coalesce(-e.amount, 0))
          FROM credits_reservation r
          LEFT JOIN credits_ledgerentry e
               ON e.kind = 'CONSUMED' AND e.cause = 'CAPTURE' AND e.cause_ref = r.id
               AND e.company_id = r.company_id
         WHERE r.captured <> coalesce(-e.amount, 0)
            OR (r.state = 'CAPTURED') <> (r.usage_event_id IS NOT NULL)""",
    ),
    (
        "I5",
        f"""SELECT r.company_id, 'reservation ' || r.id, format(
               'captured %s at %s; its usage %s is of %s at %s, or of another feature',
               r.captured, r.closed_at, u.id, u.amount, u.occurred_at)
          FROM credits_reservation r JOIN credits_usageevent u ON u.id = r.usage_event_id
         WHERE r.captured <> 0 AND {USE_DIFFERS}""",
    ),
    (
        "I5",
        """SELECT company_id, 'reservation ' || id, format('%s at %s, though its lease ended at %s',
               state, closed_at, lapses_at)
          FROM credits_reservation
         WHERE state = 'LAPSED' AND closed_at <> lapses_at
            OR state = 'RELEASED' AND closed_at >= lapses_at""",
    ),
    (
        "I5",
        f"""SELECT e.company_id, 'entry #' || e.sequence, format(
               '%s by %s at %s of %s of grant %s; its reservation is %s at %s and held %s of it',
               e.kind, e.cause, e.occurred_at, e.amount, e.grant_id, coalesce(r.state, 'missing'),
               r.closed_at, coalesce(h.amount, 0))
          FROM credits_ledgerentry e
          LEFT JOIN credits_reservation r ON r.id = e.cause_ref AND r.company_id = e.company_id
          LEFT JOIN credits_hold h ON h.reservation_id = r.id AND h.grant_id = e.grant_id
         WHERE {IS_RETURNED} AND NOT {WAS_HELD}""",
    ),
    (
        "I7",
        """SELECT r.company_id, 'reservation ' || r.id, format(
               'at %s holds of grant %s, usable from %s until %s', r.opened_at, g.id,
               g.effective_at, g.expires_at)
          FROM credits_hold h
          JOIN credits_reservation r ON r.id = h.reservation_id
          JOIN credits_creditgrant g ON g.id = h.grant_id
         WHERE r.opened_at < g.effective_at OR r.opened_at >= g.expires_at""",
    ),
    (
        "I7",
        """SELECT e.company_id, 'entry #' || e.sequence, format(
               'captures %s of grant %s where its reservation holds %s until %s', -d.amount,
               d.grant_id, coalesce(h.amount, 0), r.lapses_at)
          FROM credits_drawdown d
          JOIN credits_ledgerentry e ON e.id = d.entry_id
               AND e.kind = 'CONSUMED' AND e.cause = 'CAPTURE'
          LEFT JOIN credits_reservation r ON r.id = e.cause_ref AND r.company_id = e.company_id
          LEFT JOIN credits_hold h ON h.reservation_id = r.id AND h.grant_id = d.grant_id
         WHERE h.id IS NULL OR -d.amount > h.amount OR e.occurred_at >= r.lapses_at""",
    ),
)

# Drawn while they could be (I7).
DRAWDOWN_RULES = (
    (
        "I7",
        """SELECT e.company_id, 'entry #' || e.sequence, format(
               'at %s draws on grant %s, usable from %s until %s', e.occurred_at, g.id,
               g.effective_at, g.expires_at)
          FROM credits_drawdown d
          JOIN credits_ledgerentry e ON e.id = d.entry_id AND d.amount < 0
               AND e.cause IN ('CHARGE', 'ADJUST')
          JOIN credits_creditgrant g ON g.id = d.grant_id
         WHERE e.occurred_at < g.effective_at OR e.occurred_at >= g.expires_at""",
    ),
)

SCREENED_RULES = {Screen.DRAWDOWN: DRAWDOWN_RULES, Screen.RESERVATION: RESERVATION_RULES}
# The composite keys whose breach shows: (table, column).
SCREENED_KEYS = {
    ("credits_drawdown", "entry_id"): Screen.DRAWDOWN,
    ("credits_drawdown", "grant_id"): Screen.DRAWDOWN,
    ("credits_usageevent", "entry_id"): Screen.USE,
    ("credits_reservation", "usage_event_id"): Screen.RESERVATION,
    ("credits_hold", "reservation_id"): Screen.RESERVATION,
    ("credits_hold", "grant_id"): Screen.RESERVATION,
}
