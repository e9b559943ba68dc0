"""Check that work and money agree: a scan is done and charged, or neither (I9)."""

from __future__ import annotations

from collections.abc import Iterator

from credits.reconciliation import Breach, Rule, rule_breaches

RULES = (
    Rule(
        "I9",
        """SELECT company_id, 'scan ' || id, format('%s, usage event %s', state, usage_event_id)
          FROM trackers_scan WHERE (state = 'DONE') <> (usage_event_id IS NOT NULL)""",
    ),
    Rule(
        "I9",
        """SELECT u.company_id, 'usage ' || u.id, format(
               'charged %s for %s calls and %s e-mails; its scans come to %s for %s and %s',
               u.amount, u.calls, u.emails, coalesce(s.total, 0), coalesce(s.calls, 0),
               coalesce(s.emails, 0))
          FROM credits_usageevent u
          LEFT JOIN (SELECT s.usage_event_id, sum(s.price) AS total,
                            count(*) FILTER (WHERE c.kind = 'CALL') AS calls,
                            count(*) FILTER (WHERE c.kind = 'EMAIL') AS emails
                       FROM trackers_scan s JOIN trackers_conversation c ON c.id = s.conversation_id
                      WHERE s.usage_event_id IS NOT NULL
                      GROUP BY s.usage_event_id) s ON s.usage_event_id = u.id
         WHERE u.feature_type = 'TRACKER' AND u.action IN ('CONTINUOUS', 'BACKFILL')
           AND (u.amount, u.calls, u.emails)
               IS DISTINCT FROM
               (coalesce(s.total, 0), coalesce(s.calls, 0), coalesce(s.emails, 0))""",
    ),
    Rule(
        "I9",
        """SELECT u.company_id, 'usage ' || u.id, format(
               'is %s by %s; it paid for scans, which are continuous or a backfill',
               u.feature_type, u.action)
          FROM credits_usageevent u
         WHERE (u.feature_type <> 'TRACKER' OR u.action NOT IN ('CONTINUOUS', 'BACKFILL'))
           AND EXISTS (SELECT 1 FROM trackers_scan s WHERE s.usage_event_id = u.id)""",
    ),
    Rule(
        "I5",
        """SELECT company_id, 'conversation ' || conversation_id, format(
               '%s scans of version %s at revision %s', count(*), version_id, revision)
          FROM trackers_scan
         GROUP BY company_id, version_id, conversation_id, revision HAVING count(*) > 1""",
    ),
)


def breaches(*, company_id: int | None) -> Iterator[Breach]:
    """Return what is wrong, for ``credits.reconciliation`` (setting ``CREDIT_CHECKS``)."""
    return rule_breaches(RULES, company_id)
