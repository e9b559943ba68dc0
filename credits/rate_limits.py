"""How many API requests a company may make: a few a second, and so many a day (SPEC §8).

Counted in one row per company of the database that every web process has in common, by one
statement in autocommit. A cache in each process would let in the limit times the processes, and
there is no other store that all of them share. The row is of no table that the ledger locks.
"""

from __future__ import annotations

from dataclasses import dataclass

from django.conf import settings
from django.db import connection

from credits.models import Company

PER_SECOND, PER_DAY = "per_second", "per_day"


@dataclass(frozen=True, slots=True)
class Tally:
    """Requests that are counted together: their table, the settings with their limits, a name."""

    table: str
    per_second: str
    per_day: str
    noun: str


REQUESTS = Tally(
    "credits_requesttally", "API_REQUESTS_PER_SECOND", "API_REQUESTS_PER_DAY", "requests"
)

# The clock is read after a wait for the row, so the window slides exactly: of any second, at most
# so many requests. Refused ones write nothing, so that a client that hammers does not starve.
_COUNT = """
INSERT INTO {table} AS tally (company_id, recent_at, day, day_count)
VALUES (%(company)s, ARRAY[clock_timestamp()], (clock_timestamp() AT TIME ZONE 'UTC')::date, 1)
ON CONFLICT (company_id) DO UPDATE SET
    recent_at = (tally.recent_at || clock_timestamp())
        [greatest(1, cardinality(tally.recent_at) + 2 - %(per_second)s):],
    day = (clock_timestamp() AT TIME ZONE 'UTC')::date,
    day_count = 1 + CASE
        WHEN tally.day = (clock_timestamp() AT TIME ZONE 'UTC')::date THEN tally.day_count
        ELSE 0 END
WHERE (tally.day <> (clock_timestamp() AT TIME ZONE 'UTC')::date
       OR tally.day_count < %(per_day)s)
  AND (cardinality(tally.recent_at) < %(per_second)s
       OR tally.recent_at[cardinality(tally.recent_at) + 1 - %(per_second)s]
          <= clock_timestamp() - interval '1 second')
RETURNING day_count
"""
_WAIT = """
SELECT day = (clock_timestamp() AT TIME ZONE 'UTC')::date AND day_count >= %(per_day)s,
       ceil(extract(epoch FROM
           date_trunc('day', clock_timestamp() AT TIME ZONE 'UTC') + interval '1 day'
           - clock_timestamp() AT TIME ZONE 'UTC'))::integer
  FROM {table} WHERE company_id = %(company)s
"""


class RateLimited(Exception):
    """Too many requests of one company: says which limit, and in how many seconds to retry."""

    def __init__(
        self, limit: str, *, count_max: int, retry_seconds: int, noun: str = REQUESTS.noun
    ) -> None:
        self.limit = limit
        self.noun = noun
        self.count_max = count_max
        self.retry_seconds = retry_seconds
        super().__init__(f"{count_max} {limit}; retry in {retry_seconds} s")


def count(*, company: Company, tally: Tally = REQUESTS) -> int:
    """Count one request; return how many this makes today in UTC.

    :raises RateLimited: the request was not counted.
    """
    per_second, per_day = getattr(settings, tally.per_second), getattr(settings, tally.per_day)
    values = {"company": company.pk, "per_second": per_second, "per_day": per_day}
    with connection.cursor() as cursor:
        cursor.execute(_COUNT.format(table=tally.table), values)
        if row := cursor.fetchone():
            return int(row[0])
        cursor.execute(_WAIT.format(table=tally.table), values)
        is_day_over, seconds_to_midnight = cursor.fetchone()
    if is_day_over:
        raise RateLimited(
            PER_DAY, count_max=per_day, retry_seconds=seconds_to_midnight, noun=tally.noun
        )
    raise RateLimited(PER_SECOND, count_max=per_second, retry_seconds=1, noun=tally.noun)
