"""Limits by the API: read, set, end; and the 402 that names the one in the way."""

from __future__ import annotations

import json
from decimal import Decimal

import pytest
from django.test import RequestFactory

from credits import api_keys, limits
from credits.api import answers
from credits.ledger import InsufficientCredits
from credits.models import Scope, SpendingLimit
from tests.credits.test_limits import charge, limit, use_of
from tests.support import api, people

pytestmark = pytest.mark.django_db
URL = "/api/v1/limits"


@pytest.fixture
def acme():
    company = people.company("Acme", time_zone="UTC")
    people.credits_for(company, "100")
    return company


@pytest.fixture
def program(acme):
    return api.of(acme)


def post(program, url=URL, key="limit-1", **body):
    return program.post(url, body, "application/json", headers={"idempotency-key": key})


COMPANY = {"subject": "COMPANY", "window": "DAY", "credits": "12.5"}


def test_a_limit_is_set_read_and_ended(acme, program):
    charge(acme, "4")

    made = post(program, **COMPANY)

    assert made.status_code == 201
    found = made.json()
    assert {name: found[name] for name in ("state", "subject", "ref", "name", "window")} == {
        "state": "IN_FORCE",
        "subject": "COMPANY",
        "ref": None,
        "name": "Acme",
        "window": "DAY",
    }
    figures = (found["credits"], found["used"], found["left"], found["is_hard"])
    assert figures == ("12.5", "4.0", "8.5", True)
    assert program.get(made.headers["Location"]).json() == found
    assert program.get(URL).json()["items"] == [found]
    ended = post(program, f"{URL}/{found['id']}/end", key="limit-2")
    assert (ended.status_code, ended.json()["state"], ended.json()["used"]) == (201, "ENDED", None)
    assert program.get(f"{URL}?state=IN_FORCE").json()["items"] == []
    assert program.get(f"{URL}?state=ENDED&subject=COMPANY").json()["items"] == [ended.json()]


def test_the_same_request_again_is_answered_and_done_once(acme, program):
    first = post(program, **COMPANY)

    again = post(program, **COMPANY | {"credits": "12.500"})

    assert again.json() == first.json()
    assert again.headers["Idempotent-Replayed"] == "true"
    assert SpendingLimit.objects.count() == 1


def test_a_key_that_ended_one_limit_ends_no_other(acme, program):
    one, other = limit(acme, "1"), limit(acme, "1", window="MONTH")
    post(program, f"{URL}/{one.pk}/end", key="limit-2")

    again = post(program, f"{URL}/{other.pk}/end", key="limit-2")

    assert api.problem(again)["code"] == "idempotency_key_reused"
    other.refresh_from_db()
    assert other.ended_at is None


def test_a_limit_that_has_ended_is_not_ended_again(acme, program):
    one = limit(acme, "1")
    limits.end(limit=one, by=None)

    assert api.problem(post(program, f"{URL}/{one.pk}/end"))["code"] == "already_ended"


@pytest.mark.parametrize(
    ("body", "detail"),
    [
        (
            COMPANY | {"credits": "-1"},
            "credits: A limit is from 0 to 1,000,000,000 credits.",
        ),
        (
            COMPANY | {"subject": "FEATURE", "ref": "MUSIC"},
            "ref: There is no feature “MUSIC”; choose from TRACKER, ASK, BRIEF.",
        ),
        (
            COMPANY | {"subject": "TRACKER", "ref": "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"},
            "ref: There is no tracker “01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11” in this company.",
        ),
        (
            COMPANY | {"ref": "Nightly job"},
            (
                "ref: A limit of COMPANY is about everything, not about “Nightly job”; leave it "
                "out, or say what it is."
            ),
        ),
        (COMPANY | {"window": "WEEK"}, "window: Write one of DAY, MONTH."),
    ],
)
def test_what_cannot_be_a_limit_is_refused_in_a_sentence(program, body, detail):
    assert api.problem(post(program, **body))["detail"] == detail
    assert not SpendingLimit.objects.exists()


def test_another_company_s_key_is_no_subject_and_its_limit_is_not_found(acme, program):
    globex = people.company("Globex")
    theirs = limit(globex, "1")
    key = api.key(globex).key

    refused = post(program, **COMPANY | {"subject": "API_KEY", "ref": str(key.pk)})

    assert api.problem(refused)["detail"] == f"ref: There is no API key “{key.pk}” in this company."
    assert api.problem(program.get(f"{URL}/{theirs.pk}"))["code"] == "not_found"
    assert api.problem(post(program, f"{URL}/{theirs.pk}/end"))["code"] == "not_found"
    assert program.get(URL).json()["items"] == []


def test_reading_and_setting_take_a_scope_each(acme):
    reader, setter = api.of(acme, Scope.LIMITS_READ), api.of(acme, Scope.LIMITS_WRITE)

    assert reader.get(URL).status_code == 200
    assert api.problem(post(reader, **COMPANY))["required_scope"] == "limits:write"
    assert post(setter, **COMPANY).status_code == 201
    assert api.problem(setter.get(URL))["required_scope"] == "limits:read"


def told(error: InsufficientCredits) -> dict:
    request = RequestFactory().get("/api/v1/ask")
    answer = answers.of(request, answers.out_of_credits(error))
    assert answer.status_code == 402
    assert "Retry-After" not in answer.headers
    names = ("code", "detail", "required", "available", "shortfall", "limit_source", "limit")
    body = json.loads(answer.content)
    return {name: body[name] for name in names if name in body}


def test_out_of_credits_names_the_pool(acme):
    with pytest.raises(InsufficientCredits) as refused:
        charge(acme, "112.4")

    assert told(refused.value) == {
        "code": "insufficient_credits",
        "detail": "This needs 112.4 credits and 100.0 are available.",
        "required": "112.4",
        "available": "100.0",
        "shortfall": "12.4",
        "limit_source": "company_pool",
    }


def test_out_of_a_limit_names_the_limit_and_when_it_begins_anew(acme):
    key = api.key(acme, limit=api_keys.KeyLimit(Decimal("10"))).key
    charge(acme, "6.9", use_of(kind="ASK", key=key.pk))

    with pytest.raises(InsufficientCredits) as refused:
        charge(acme, "12.4", use_of(kind="ASK", key=key.pk))

    (one,) = limits.standing(company=acme)
    assert told(refused.value) == {
        "code": "insufficient_credits",
        "detail": "This needs 12.4 credits, and the limit of 10.0 credits a month for the key "
        "“Nightly job” leaves 3.1.",
        "required": "12.4",
        "available": "3.1",
        "shortfall": "9.3",
        "limit_source": "api_key",
        "limit": {
            "id": str(one.limit.pk),
            "name": "Nightly job",
            "window": "MONTH",
            "credits": "10.0",
            "window_ends_at": one.ends_at.isoformat().replace("+00:00", "Z"),
        },
    }
    assert isinstance(refused.value, limits.LimitReached)
