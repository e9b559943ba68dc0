"""So many requests in any second, and so many a day in UTC, whoever counts."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from django.db.models import F

from credits import rate_limits
from credits.models import RequestTally
from credits.rate_limits import RateLimited
from tests.support import api, people

pytestmark = pytest.mark.django_db
SECOND, HOUR = timedelta(seconds=1), timedelta(hours=1)


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture(autouse=True)
def _limits(settings):
    settings.API_REQUESTS_PER_SECOND = 3
    settings.API_REQUESTS_PER_DAY = 10


def let_in(company, requests: int) -> int:
    count = 0
    for _ in range(requests):
        try:
            rate_limits.count(company=company)
        except RateLimited:
            continue
        count += 1
    return count


def tally(company) -> RequestTally:
    return RequestTally.objects.get(company=company)


def move(company, by: timedelta) -> None:
    row = tally(company)
    row.recent_at = [instant + by for instant in row.recent_at]
    row.save()


def just_now(company) -> None:
    """Let the requests so far be of this very second, however slow this machine is."""
    move(company, HOUR)


def earlier(company, by: timedelta = HOUR + SECOND) -> None:
    """Let so much time pass since the requests so far; without a time, a second since just_now."""
    move(company, -by)


def test_three_of_a_burst_are_let_in_and_the_window_slides(acme):
    assert let_in(acme, 3) == 3
    just_now(acme)
    assert let_in(acme, 5) == 0

    earlier(acme)

    assert let_in(acme, 3) == 3


def test_a_second_after_the_first_only_the_first_is_forgotten(acme):
    assert let_in(acme, 3) == 3
    just_now(acme)
    row = tally(acme)
    row.recent_at[0] -= HOUR + SECOND
    row.save()

    assert let_in(acme, 5) == 1
    assert len(tally(acme).recent_at) == 3


def test_refused_requests_are_not_counted(acme):
    let_in(acme, 3)
    just_now(acme)
    let_in(acme, 20)

    assert (tally(acme).day_count, len(tally(acme).recent_at)) == (3, 3)


def test_a_day_has_an_end_too(acme):
    for _ in range(5):
        let_in(acme, 2)
        earlier(acme, 2 * SECOND)

    assert tally(acme).day_count == 10
    with pytest.raises(RateLimited) as refusal:
        rate_limits.count(company=acme)

    now = datetime.now(UTC)
    midnight = (now + timedelta(days=1)).replace(hour=0, minute=0, second=0, microsecond=0)
    assert (refusal.value.limit, refusal.value.count_max) == ("per_day", 10)
    assert abs(refusal.value.retry_seconds - (midnight - now).total_seconds()) < 5


def test_a_new_day_begins_anew(acme):
    let_in(acme, 1)
    RequestTally.objects.filter(company=acme).update(day_count=10, day=F("day") - timedelta(days=1))

    assert rate_limits.count(company=acme) == 1
    assert tally(acme).day_count == 1


def test_one_company_does_not_use_up_another_s(acme):
    let_in(acme, 3)
    just_now(acme)

    assert let_in(people.company("Globex"), 3) == 3
    assert let_in(acme, 3) == 0


def test_a_lower_limit_holds_at_once(acme, settings):
    settings.API_REQUESTS_PER_SECOND = 8
    assert let_in(acme, 6) == 6
    just_now(acme)

    settings.API_REQUESTS_PER_SECOND = 2
    assert let_in(acme, 4) == 0
    earlier(acme)
    assert let_in(acme, 2) == 2
    assert len(tally(acme).recent_at) == 2


def test_too_many_requests_are_told_when_to_try_again(acme):
    first, second = api.of(acme), api.of(acme)

    allowed = [program.get("/api/v1/balance") for program in (first, second, first)]
    just_now(acme)
    answers = [program.get("/api/v1/balance") for program in (first, second) * 2]

    assert [answer.status_code for answer in allowed] == [200, 200, 200]
    assert [answer.status_code for answer in answers] == [429, 429, 429, 429]
    problem = api.problem(answers[-1])
    assert answers[-1]["Retry-After"] == "1"
    assert (problem["code"], problem["limit"], problem["limit_count"]) == (
        "rate_limited",
        "per_second",
        3,
    )
    assert problem["detail"] == (
        "Your company may make 3 requests in any second. Try again in 1 second."
    )


def test_every_kind_of_request_with_a_key_counts(acme):
    program = api.of(acme, "usage:read")

    statuses = [
        program.get("/api/v1/balance").status_code,
        program.get("/api/v1/usage?x=1").status_code,
        program.delete("/api/v1/usage").status_code,
    ]
    just_now(acme)

    assert statuses == [403, 400, 405]
    assert program.get("/api/v1/usage").status_code == 429


def test_whoever_has_no_key_uses_nothing_up(acme):
    api.client("tsk_aaaaaaaa_" + "A" * 43).get("/api/v1/balance")

    assert not RequestTally.objects.exists()
