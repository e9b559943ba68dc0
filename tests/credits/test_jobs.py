"""A periodic job is done once in its period, however many schedulers ask (DESIGN §4)."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from credits import jobs
from credits.models import JobRun

pytestmark = pytest.mark.django_db

MINUTE = timedelta(minutes=1)
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def is_mine(now: datetime, *, name: str = "settle", period: timedelta = MINUTE) -> bool:
    with jobs.once_per_period(name, now=now, period=period) as job:
        job.summary = "done"
        return job.is_mine


def fail(now: datetime) -> None:
    with jobs.once_per_period("settle", now=now, period=MINUTE) as job:
        assert job.is_mine
        raise ConnectionError


def test_the_first_to_ask_in_a_period_has_the_job():
    asked = [
        NOON,
        NOON + timedelta(seconds=59, microseconds=999_999),
        NOON + MINUTE,
        NOON + MINUTE,
    ]

    assert [is_mine(now) for now in asked] == [True, False, True, False]


def test_a_scheduler_whose_clock_is_behind_does_not_do_an_older_period():
    assert is_mine(NOON)
    assert not is_mine(NOON - timedelta(seconds=1))
    assert is_mine(NOON + MINUTE)


def test_jobs_do_not_take_each_other_s_turn():
    assert is_mine(NOON, name="settle")
    assert is_mine(NOON, name="sweep")
    assert not is_mine(NOON + timedelta(hours=11), name="settle", period=timedelta(days=1))


def test_success_and_what_was_done_are_recorded():
    before = datetime.now(UTC)

    is_mine(NOON)

    run = JobRun.objects.get(name="settle")
    assert (run.period, run.summary) == (NOON, "done")
    assert before <= run.succeeded_at <= datetime.now(UTC)


def test_a_job_that_failed_is_no_success_and_is_done_in_the_next_period():
    is_mine(NOON)
    succeeded_at = JobRun.objects.get(name="settle").succeeded_at

    with pytest.raises(ConnectionError):
        fail(NOON + MINUTE)

    assert JobRun.objects.get(name="settle").succeeded_at == succeeded_at
    assert not is_mine(NOON + MINUTE + timedelta(seconds=30))
    assert is_mine(NOON + 2 * MINUTE)
    assert JobRun.objects.get(name="settle").succeeded_at > succeeded_at
