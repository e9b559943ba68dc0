"""What a limit does to a charged request: it is named, with true figures, before and after."""

from __future__ import annotations

from decimal import Decimal

import pytest

from credits import api_keys, balances, limits
from credits.models import LimitSubject, Scope
from tests.support import api
from tests.support import briefs as support
from trackers.models import AskRequest, BriefRun

ASK = {
    "question": "Is it too expensive for them?",
    "entity_type": "ACCOUNT",
    "entity": "Globex",
    "period": "ALL_CONVERSATIONS",
}
BRIEF = {"entity": "Globex", "period": "ALL_CONVERSATIONS"}


@pytest.fixture
def key(acme):
    """A key that may use 2.0 credits a month; an ask costs 1.6."""
    limit = api_keys.KeyLimit(Decimal("2"))
    return api.key(acme, Scope.ASK, Scope.BRIEF, by=api.admin(acme), limit=limit)


@pytest.fixture
def program(key):
    return api.client(key.text)


def ask(program, key: str = "k", query: str = "", **changes):
    headers = {"idempotency-key": key} if key else {}
    return program.post(f"/api/v1/ask{query}", ASK | changes, "application/json", headers=headers)


def run(program, brief, **changes):
    address = f"/api/v1/briefs/{brief.pk}/runs"
    headers = {"idempotency-key": "run"}
    return program.post(address, BRIEF | changes, "application/json", headers=headers)


def figures(problem) -> tuple[str, ...]:
    return tuple(problem[name] for name in ("required", "available", "shortfall", "limit_source"))


def test_an_ask_refused_by_a_key_s_limit_names_the_limit(acme, program):
    ask(program)

    answer = ask(program, "k2")

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (402, "insufficient_credits")
    assert figures(problem) == ("1.6", "0.4", "1.2", "api_key")
    (one,) = limits.standing(company=acme)
    assert problem["limit"]["id"] == str(one.limit.pk)
    assert problem["limit"]["window"] == "MONTH"
    assert problem["manage_url"].endswith("/admin/")
    assert problem["as_of"].endswith("Z")
    assert problem["detail"] == (
        "This needs 1.6 credits, and the limit of 2.0 credits a month for the key “Nightly job” "
        "leaves 0.4."
    )
    assert AskRequest.objects.count() == 1


def test_a_brief_refused_by_a_limit_says_the_whole_price_and_what_the_limit_left(
    acme, program, key
):
    brief = support.brief(acme, key.key.created_by, support.RISKS, support.PRICES)

    answer = run(program, brief)

    problem = api.problem(answer)
    assert answer.status_code == 402
    assert figures(problem) == ("3.2", "2.0", "1.2", "api_key")
    assert problem["detail"].startswith("This needs 3.2 credits, and the limit of 2.0 credits")
    assert not BriefRun.objects.exists()
    assert balances.now(company=acme).available == Decimal("10.000")


def test_a_dry_run_says_that_the_limit_would_refuse_it(acme, program):
    before = ask(program, dry_run=True).json()
    ask(program, "paid")

    after = ask(program, dry_run=True).json()

    (one,) = limits.standing(company=acme)
    assert (before["enough"], before["limit"]["left"]) == (True, "2.0")
    assert (after["enough"], after["available_after"]) == (False, "6.8")
    assert after["limit"] == {
        "limit_source": "api_key",
        "id": str(one.limit.pk),
        "name": "Nightly job",
        "window": "MONTH",
        "credits": "2.0",
        "left": "0.4",
        "window_ends_at": after["limit"]["window_ends_at"],
    }


def test_a_brief_s_dry_run_compares_its_whole_price_with_the_limit(acme, program, key):
    brief = support.brief(acme, key.key.created_by, support.RISKS, support.PRICES)

    found = run(program, brief, dry_run=True).json()

    assert (found["credits"], found["enough"], found["limit"]["left"]) == ("3.2", False, "2.0")


def test_a_limit_about_something_else_is_not_named(acme, key):
    limits.set(
        company=acme,
        subject=limits.of_feature("BRIEF"),
        window="DAY",
        credits=Decimal(0),
        by=None,
    )
    other = api.of(acme, Scope.ASK, by=key.key.created_by)

    found = ask(other, dry_run=True).json()

    assert (found["enough"], found["limit"]) == (True, None)


def test_a_limit_that_only_tells_refuses_nothing(acme):
    limits.set(
        company=acme,
        subject=limits.of_company(acme),
        window="DAY",
        credits=Decimal(1),
        by=None,
        is_hard=False,
    )

    found = ask(api.of(acme, Scope.ASK), dry_run=True).json()

    assert (found["enough"], found["limit"]) == (True, None)


def test_a_dry_run_can_be_asked_for_in_the_address_and_needs_no_key(acme, program):
    answer = ask(program, "", "?dry_run=true")

    assert (answer.status_code, answer.json()["credits"]) == (200, "1.6")
    assert ask(program, "", dry_run=True).json()["credits"] == "1.6"
    assert not AskRequest.objects.exists()
    assert api.problem(ask(program, "", "?dry_run=false"))["code"] == "idempotency_key_missing"
    assert balances.now(company=acme).available == Decimal("10.000")


def test_every_limit_that_refuses_an_ask_is_the_one_its_estimate_named(acme, key):
    """One definition of which uses a limit is about: the ledger's."""
    subjects = {
        LimitSubject.COMPANY: limits.of_company(acme),
        LimitSubject.FEATURE: limits.of_feature("ASK"),
        LimitSubject.API_KEY: limits.of_key(key.key),
    }
    program = api.client(key.text)
    for kind, subject in subjects.items():
        limit = limits.set(
            company=acme, subject=subject, window="DAY", credits=Decimal("0.1"), by=None
        )

        estimated = ask(program, "", "?dry_run=true").json()["limit"]["limit_source"]
        refused = api.problem(ask(program, f"k {kind}"))["limit_source"]

        assert estimated == refused == kind.lower()
        limits.end(limit=limit, by=None)
