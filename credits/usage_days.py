"""Add closed local days of usage up, so that a page need not read a million events again.

A cache, never the truth. A closed day never changes (SPEC §2), so what was added up once is right
for ever; ``check_ledger`` compares all of it with the events (rule DAILY). A day that is not
added up is read from its events, so the tables may be emptied at any time.

Note [Closed days]
A day may be added up when no event can come into it any more. Every event is dated after its
company's pool was locked, by the clock read then (DESIGN §3). So whoever locks the pool and reads
that clock afterwards knows: the events before that instant are committed, and all others will be
later. The lock is let go at once; the sums are made by the next statement, which sees all those
events. ``CLOCK_STEP_MAX`` covers a server whose clock is set back meanwhile.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from django.db import connection
from django.db.models import Min

from credits import ledger, zones
from credits.models import Company, UsageEvent
from credits.zones import Day

CLOCK_STEP_MAX = timedelta(minutes=10)
# What one reader of a page adds up at most; the job finds the rest.
DAYS_PER_READ_MAX = 31
DAYS_PER_COMPANY_MAX = 366
DAYS_PER_RUN_MAX = 5000
HISTORY_DAYS_MAX = 3660

# Days that somebody else adds up right now are waited for and left out: the claim is unique.
_ADD_UP = """
    WITH claimed AS (
        INSERT INTO credits_usageday (company_id, starts_at, ends_at)
        SELECT %(company)s, missing.starts_at, missing.ends_at
          FROM (SELECT day.starts_at, day.ends_at
                  FROM unnest(%(starts)s::timestamptz[], %(ends)s::timestamptz[])
                       AS day (starts_at, ends_at)
                 WHERE NOT EXISTS (
                       SELECT 1 FROM credits_usageday AS known
                        WHERE known.company_id = %(company)s AND known.starts_at = day.starts_at
                          AND known.ends_at = day.ends_at)
                 ORDER BY day.starts_at DESC LIMIT %(limit)s) AS missing
         ORDER BY missing.starts_at
            ON CONFLICT DO NOTHING
        RETURNING id, starts_at, ends_at),
    added AS (
        INSERT INTO credits_usagesum (
            company_id, day_id, feature_type, feature_ref, feature_name, action, team_ref,
            user_ref, integration_ref, calls, emails, web_searches, request_count, amount)
        SELECT %(company)s, claimed.id, event.*
          FROM claimed CROSS JOIN LATERAL (
               SELECT feature_type, feature_ref, feature_name, action, team_ref, user_ref,
                      integration_ref, sum(calls), sum(emails), sum(web_searches),
                      coalesce(sum(request_count), 0), sum(amount)
                 FROM credits_usageevent
                WHERE company_id = %(company)s
                  AND occurred_at >= claimed.starts_at AND occurred_at < claimed.ends_at
                GROUP BY feature_type, feature_ref, feature_name, action, team_ref, user_ref,
                         integration_ref) AS event)
    SELECT count(*) FROM claimed
"""


def closed_by(instant: datetime, days: Sequence[Day]) -> list[Day]:
    """Return the days into which no event can come after the ledger's instant."""
    return [day for day in days if day.ends_at <= instant - CLOCK_STEP_MAX]


def add_up(*, company: Company, days: Sequence[Day], at_most: int = DAYS_PER_READ_MAX) -> int:
    """Add those of the days up that are closed and not yet; the newest first, so many at most.

    Returns how many. Idempotent: a day is added up once, whoever comes first. See Note [Closed
    days] for why the pool is locked for a moment; inside a caller's transaction, which has to be
    READ COMMITTED, it stays locked until that ends.
    """
    if not days:
        return 0
    instant = ledger.settle(company_id=company.pk).instant
    closed = closed_by(instant, days)
    with connection.cursor() as cursor:
        cursor.execute(
            _ADD_UP,
            {
                "company": company.pk,
                "starts": [day.starts_at for day in closed],
                "ends": [day.ends_at for day in closed],
                "limit": at_most,
            },
        )
        return int(cursor.fetchone()[0])


def add_up_all(*, now: datetime) -> int:
    """Add up what nobody has looked at, of all companies; return how many days.

    Each company is its own transaction, and a long history is added up in pieces: what one run
    leaves, the next one finds.
    """
    done = 0
    for company in Company.objects.order_by("pk"):
        at_most = min(DAYS_PER_COMPANY_MAX, DAYS_PER_RUN_MAX - done)
        if at_most <= 0:
            break
        done += add_up(company=company, days=_history(company, now), at_most=at_most)
    return done


def _history(company: Company, now: datetime) -> list[Day]:
    """Return the days from a company's first use to yesterday; none before its first."""
    first = UsageEvent.objects.filter(company=company).aggregate(at=Min("occurred_at"))["at"]
    if first is None:
        return []
    zone = ZoneInfo(company.time_zone)
    today = now.astimezone(zone).date()
    earliest = max(first.astimezone(zone).date(), today - timedelta(days=HISTORY_DAYS_MAX))
    return zones.each_day(earliest, today - timedelta(days=1), zone)
