"""When conversations are held: a working week, growth, and one week after a fair.

Only the order and number of conversations are fixed; the days they fall on follow the calendar
of the first start. What a conversation costs does not depend on its day, so all amounts are the
same on any day of the year.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

# Monday to Sunday, against an average working day.
WEEK = (1.0, 1.1, 1.15, 1.1, 0.75, 0.08, 0.05)
GROWTH = (0.5, 1.4)  # At the first day and at the last.
FAIR_DAYS = range(38, 43)  # Days ago on which the fair's visitors are called back.
FAIR = 2.2
OPENS, CLOSES = 8 * 60 + 30, 17 * 60 + 40  # Minutes of the local day.
BEGUN = OPENS + 60  # From then on a day has conversations of its own.


def last_day(*, now: datetime, zone: ZoneInfo) -> date:
    """Return the last local day on which people talked: today, or yesterday in the early hours."""
    local = now.astimezone(zone)
    has_begun = _minute_of(local) >= BEGUN
    return local.date() if has_begun else local.date() - timedelta(days=1)


def spread(count: int, *, today: date, days: int) -> list[date]:
    """Return the local day of each of ``count`` conversations, oldest first; the last is today's.

    Conversations of a day without work move to a day beside it.
    """
    agos = range(days - 1, -1, -1)
    dates = [today - timedelta(days=ago) for ago in agos]
    weights = [_weight(today, ago, days) for ago in agos]
    found: list[date] = []
    passed = 0.0
    for day, weight in zip(dates, weights, strict=True):
        passed += weight
        found += [day] * (round(count * passed / sum(weights)) - len(found))
    return found


def times(
    days: Sequence[date], seconds: Sequence[int], *, zone: ZoneInfo, now: datetime, seed: int
) -> Iterator[datetime]:
    """Yield when each conversation starts, in UTC, later than the one before on any day but today.

    All begin in office hours; those of today in what has passed of them, and are over by ``now``.
    """
    rng = Random(f"times {seed}")
    held_on: dict[date, int] = {}
    for day in days:
        held_on[day] = held_on.get(day, 0) + 1
    place = 0
    for number, (day, duration) in enumerate(zip(days, seconds, strict=True)):
        place = place + 1 if number and days[number - 1] == day else 0
        local_now = now.astimezone(zone)
        closes = min(CLOSES, _minute_of(local_now)) if day == local_now.date() else CLOSES
        width = (closes - OPENS) / held_on[day]
        minute = OPENS + width * (place + rng.uniform(0.1, 0.9))
        local = datetime.combine(day, time(), tzinfo=zone) + timedelta(minutes=minute)
        latest = now.astimezone(UTC) - timedelta(seconds=duration + 60)
        yield min(local.astimezone(UTC), latest).replace(microsecond=0)


def _minute_of(local: datetime) -> int:
    return local.hour * 60 + local.minute


def _weight(today: date, ago: int, days: int) -> float:
    growth = GROWTH[1] - (GROWTH[1] - GROWTH[0]) * ago / (days - 1)
    weekday = (today - timedelta(days=ago)).weekday()
    return WEEK[weekday] * growth * (FAIR if ago in FAIR_DAYS else 1)
