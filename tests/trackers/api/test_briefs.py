"""Briefs by API: what they cost before, what they said, and who may not read them."""

from __future__ import annotations

import uuid
from decimal import Decimal

import pytest

from credits import balances
from credits.models import Scope, UsageEvent
from tests.support import api, conversations, people
from tests.support import briefs as support
from tests.support.briefs import PRICES, RISKS
from trackers.models import BriefRun

pytestmark = pytest.mark.django_db
ALL = {"entity": "Globex", "period": "ALL_CONVERSATIONS"}


@pytest.fixture
def acme():
    company = people.company("Acme")
    conversations.ingest(
        company, conversations.record("one"), conversations.record("two", duration_seconds=601)
    )
    people.credits_for(company, "10")
    return company


@pytest.fixture
def alice(acme):
    return api.admin(acme)


@pytest.fixture
def brief(acme, alice):
    return support.brief(acme, alice, RISKS, PRICES)


@pytest.fixture
def program(acme, alice):
    return api.of(acme, by=alice)


def post(program, brief, *, key: str | None = None, **body):
    return program.post(
        f"/api/v1/briefs/{brief.pk}/runs",
        ALL | body,
        "application/json",
        headers={"idempotency-key": key or uuid.uuid4().hex},
    )


def test_a_run_is_answered_with_its_price_and_what_is_left(acme, program, brief):
    answer = post(program, brief)

    found = answer.json()
    assert answer.status_code == 200
    assert found["credits"] == {
        "used": "3.0",
        "remaining": "7.0",
        "saved": "0.0",
        "breakdown": {"calls": 4, "emails": 0, "web_searches": 0},
    }
    assert answer.headers["X-Credits-Used"] == "3.0"
    assert answer.headers["X-Credits-Remaining"] == "7.0"
    assert answer.headers["Cache-Control"] == "no-store"
    assert (found["calls_read"], found["emails_read"], found["state"]) == (2, 0, "DONE")
    assert [(one["title"], one["credits_used"]) for one in found["sections"]] == [
        ("Open risks", "1.5"),
        ("Prices", "1.5"),
    ]
    assert found["sections"][1]["citations"][0]["quote"] == "That is too expensive for us."
    assert UsageEvent.objects.filter(action="API_REQUEST").count() == 2


def test_a_run_is_read_again_for_nothing(program, brief):
    made = post(program, brief)

    again = program.get(made.headers["Location"])

    assert again.json() == made.json()
    assert UsageEvent.objects.count() == 2


def test_a_dry_run_says_the_price_and_does_nothing(acme, program, brief):
    answer = post(program, brief, dry_run=True)

    assert answer.json() == {
        "credits": "3.0",
        "calls": 4,
        "emails": 0,
        "web_searches": 0,
        "available_before": "10.0",
        "available_after": "7.0",
        "reused_at": None,
        "enough": True,
        "limit": None,
    }
    assert (answer.headers["X-Credits-Used"], BriefRun.objects.count()) == ("0.0", 0)


def test_a_retry_is_answered_alike_and_charged_once(acme, program, brief):
    first = post(program, brief, key="retry")
    again = post(program, brief, key="retry")

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert balances.now(company=acme).available == Decimal(7)


def test_a_key_is_of_one_brief(acme, alice, program, brief):
    other = support.brief(acme, alice, RISKS, name="Other")
    post(program, brief, key="retry")

    answer = post(program, other, key="retry")

    assert (answer.status_code, api.problem(answer)["code"]) == (422, "idempotency_key_reused")


def test_max_credits_refuses_before_work(program, brief):
    answer = post(program, brief, max_credits="2.9")

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (422, "max_credits_exceeded")
    assert (problem["required"], problem["max_credits"]) == ("3.0", "2.9")
    assert not BriefRun.objects.exists()


def test_without_enough_credits_for_the_whole_brief_nothing_is_done(acme, alice, program):
    dear = support.brief(acme, alice, *[RISKS] * 7)

    answer = post(program, dear)

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (402, "insufficient_credits")
    assert (problem["required"], problem["available"], problem["shortfall"]) == (
        "10.5",
        "10.0",
        "0.5",
    )
    assert "Retry-After" not in answer.headers
    assert not BriefRun.objects.exists()


def test_briefs_are_listed_with_their_sections(acme, alice, program, brief):
    support.brief(acme, alice, RISKS, name="Draft", published=False)

    everything = program.get("/api/v1/briefs", {"order": "oldest"}).json()["items"]
    published = program.get("/api/v1/briefs", {"is_published": "true"}).json()["items"]

    assert [one["name"] for one in everything] == ["Account review", "Draft"]
    assert published == [program.get(f"/api/v1/briefs/{brief.pk}").json()]
    assert [one["question"] for one in published[0]["sections"]] == [
        "What are the open risks?",
        "What is too expensive?",
    ]


def test_an_unpublished_brief_is_not_run(acme, alice, program):
    draft = support.brief(acme, alice, RISKS, published=False)

    answer = post(program, draft)

    assert (answer.status_code, api.problem(answer)["detail"]) == (
        400,
        "This brief is not published; an admin of your company can publish it.",
    )


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"entity": "Nobody"}, 404, "not_found"),
        ({"period": "YESTERDAY"}, 400, "invalid_body"),
        ({"period": "CUSTOM_RANGE"}, 400, "invalid_body"),
        ({"question": "What?"}, 400, "unknown_field"),
        ({"max_credits": "many"}, 400, "invalid_body"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_done(program, brief, body, status, code):
    answer = post(program, brief, **body)

    assert (answer.status_code, api.problem(answer)["code"]) == (status, code)
    assert not BriefRun.objects.exists()


def test_another_company_s_briefs_and_runs_are_not_there(program, brief):
    made = post(program, brief).json()
    other = people.company("Other")
    stranger = api.of(other, by=api.admin(other))

    answers = [
        stranger.get(f"/api/v1/briefs/{brief.pk}"),
        stranger.get(f"/api/v1/brief-runs/{made['id']}"),
        post(stranger, brief),
    ]

    assert [one.status_code for one in answers] == [404, 404, 404]
    assert stranger.get("/api/v1/briefs").json()["items"] == []


def test_a_key_without_the_scope_runs_nothing(acme, brief):
    answer = post(api.of(acme, Scope.ASK), brief)

    assert (answer.status_code, api.problem(answer)["required_scope"]) == (403, "brief")
