"""The periods of SPEC §5, in a company's zone, half-open."""

from __future__ import annotations

from datetime import UTC, datetime
from types import SimpleNamespace

import pytest

from trackers import periods
from trackers.periods import Period, PeriodRefused, Span

BERLIN = SimpleNamespace(time_zone="Europe/Berlin")
# Thursday, 15:30 in Berlin; the clocks went back on 25 October.
NOW = datetime(2026, 11, 26, 14, 30, tzinfo=UTC)
NEWEST = datetime(2026, 4, 2, 22, 15, tzinfo=UTC)  # 3 April, 0:15 in Berlin's summer.


def bounds(period: Period, *, now: datetime = NOW, newest: datetime | None = NEWEST, **ends):
    since, until = periods.bounds(period, company=BERLIN, now=now, newest=newest, **ends)
    return since and since.astimezone(UTC).isoformat(), until.astimezone(UTC).isoformat()


@pytest.mark.parametrize(
    ("period", "since"),
    [
        ("LAST_7DAYS", "2026-11-18T23:00:00+00:00"),
        ("LAST_30DAYS", "2026-10-26T23:00:00+00:00"),
        # Before the clocks went back, midnight was at 22:00 in UTC.
        ("LAST_90DAYS", "2026-08-27T22:00:00+00:00"),
        ("LAST_YEAR", "2025-11-25T23:00:00+00:00"),
        ("THIS_WEEK", "2026-11-22T23:00:00+00:00"),
        ("THIS_MONTH", "2026-10-31T23:00:00+00:00"),
        ("THIS_QUARTER", "2026-09-30T22:00:00+00:00"),
        ("THIS_YEAR", "2025-12-31T23:00:00+00:00"),
    ],
)
def test_a_period_begins_with_a_local_day_and_ends_now(period, since):
    found = bounds(Period(period))

    assert found == (since, "2026-11-26T14:30:00+00:00")


@pytest.mark.parametrize(
    ("period", "since"),
    [
        ("LAST_90_DAYS_SINCE_LAST_ACTIVITY", "2026-01-02T23:00:00+00:00"),
        ("LAST_YEAR_SINCE_LAST_ACTIVITY", "2025-04-02T22:00:00+00:00"),
    ],
)
def test_up_to_the_last_activity_ends_just_after_it(period, since):
    found = bounds(Period(period))

    assert found == (since, "2026-04-02T22:15:00.000001+00:00")


def test_without_any_activity_a_period_up_to_the_last_one_is_empty():
    since, until = bounds(Period.LAST_90_DAYS_SINCE_LAST_ACTIVITY, newest=None)

    assert since == until


def test_a_monday_is_the_first_day_of_its_week():
    found = bounds(Period.THIS_WEEK, now=datetime(2026, 11, 23, 0, 30, tzinfo=UTC))

    assert found[0] == "2026-11-22T23:00:00+00:00"


@pytest.mark.parametrize(
    ("month", "since"), [(1, 1), (3, 1), (4, 4), (6, 4), (7, 7), (9, 7), (10, 10), (12, 10)]
)
def test_a_quarter_begins_in_january_april_july_or_october(month, since):
    found = bounds(Period.THIS_QUARTER, now=datetime(2026, month, 15, 12, tzinfo=UTC))

    assert (
        datetime.fromisoformat(found[0]).astimezone(periods.ZoneInfo("Europe/Berlin")).month
        == since
    )


def test_all_conversations_have_no_beginning_and_end_now():
    assert bounds(Period.ALL_CONVERSATIONS) == (None, "2026-11-26T14:30:00+00:00")


def test_all_conversations_hold_what_a_clock_that_is_ahead_says():
    ahead = datetime(2026, 11, 26, 15, tzinfo=UTC)

    found = bounds(Period.ALL_CONVERSATIONS, newest=ahead)

    assert found == (None, "2026-11-26T15:00:00.000001+00:00")


def test_a_custom_range_is_taken_as_it_is():
    since, until = datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 2, 1, tzinfo=UTC)

    found = bounds(Period.CUSTOM_RANGE, since=since, until=until)

    assert found == ("2026-01-01T00:00:00+00:00", "2026-02-01T00:00:00+00:00")


@pytest.mark.parametrize(
    ("period", "since", "until"),
    [
        (Period.CUSTOM_RANGE, None, None),
        (Period.CUSTOM_RANGE, NOW, None),
        (Period.CUSTOM_RANGE, None, NOW),
        (Period.CUSTOM_RANGE, NOW, NOW),
        (Period.CUSTOM_RANGE, NOW, NEWEST),
        (Period.LAST_7DAYS, NEWEST, None),
        (Period.ALL_CONVERSATIONS, None, NOW),
    ],
)
def test_ends_belong_to_a_custom_range_and_it_needs_both(period, since, until):
    with pytest.raises(PeriodRefused, match="CUSTOM_RANGE needs a start and a later end"):
        Span(period, since, until)
