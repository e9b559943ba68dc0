"""Asking by REST: what it costs, what it says, what it refuses (SPEC §8, UX G4)."""

from __future__ import annotations

from decimal import Decimal

import pytest
from django.utils import timezone

from credits import balances
from credits.models import Scope, UsageEvent
from tests.support import api, asks, conversations, people
from trackers import erasure, erasure_requests, reuse
from trackers.models import AskRequest, Deal

ASK = "/api/v1/ask"
BODY = {
    "question": "Is it too expensive for them?",
    "entity_type": "ACCOUNT",
    "entity": "Globex",
    "period": "ALL_CONVERSATIONS",
}


def post(program, key: str = "k", **changes):
    body = {name: value for name, value in (BODY | changes).items() if value is not None}
    return program.post(ASK, body, "application/json", headers={"idempotency-key": key})


def test_an_answer_says_what_it_cost_and_cites_what_it_stands_on(acme, program):
    answer = post(program)

    assert answer.status_code == 200
    assert answer.headers["X-Credits-Used"] == "1.6"
    assert answer.headers["X-Credits-Remaining"] == "8.4"
    assert answer.headers["Cache-Control"] == "no-store"
    body = answer.json()
    assert body["credits"] == {
        "used": "1.6",
        "remaining": "8.4",
        "saved": "0.0",
        "breakdown": {"calls": 2, "emails": 1, "web_searches": 0},
    }
    assert body["entity"]["name"] == "Globex"
    assert body["period"] == "ALL_CONVERSATIONS"
    first = body["citations"][0]
    assert first["quote"] == "That is too expensive for us."
    assert (first["conversation_external_id"], first["utterance_id"], first["kind"]) == (
        "short",
        "u0",
        "CALL",
    )
    assert first["start_seconds"] == "0.000"


def test_the_use_names_the_key_the_request_and_the_person_who_made_the_key(acme):
    alice = people.alice(acme)
    key = api.key(acme, Scope.ASK, by=alice)

    answer = post(api.client(key.text))

    event = UsageEvent.objects.get()
    assert event.api_key_ref == key.key.pk
    assert event.user_ref == alice.public_id
    assert event.request_id == answer.headers["X-Request-Id"]


def test_a_dry_run_says_the_price_and_does_nothing(acme, program):
    answer = post(program, dry_run=True)

    assert answer.status_code == 200
    assert answer.json() == {
        "credits": "1.6",
        "calls": 2,
        "emails": 1,
        "web_searches": 0,
        "available_before": "10.0",
        "available_after": "8.4",
        "enough": True,
        "limit": None,
        "reused_at": None,
    }
    assert answer.headers["X-Credits-Used"] == "0.0"
    assert answer.headers["X-Credits-Remaining"] == "10.0"
    assert not AskRequest.objects.exists()
    assert balances.now(company=acme).available == Decimal("10.000")


def test_a_key_that_a_dry_run_had_still_asks(program):
    post(program, "k", dry_run=True)

    assert post(program, "k").json()["credits"]["used"] == "1.6"


def test_a_retry_gets_the_same_answer_byte_for_byte_and_is_charged_once(acme, program):
    first = post(program)
    post(program, "another")

    again = post(program)

    assert again.content == first.content
    assert again.headers["X-Credits-Remaining"] == "8.4"
    assert again.headers["Idempotent-Replayed"] == "true"
    assert "Idempotent-Replayed" not in first.headers
    assert balances.now(company=acme).available == Decimal("6.800")


def test_the_key_of_another_request_is_refused(program):
    post(program)

    answer = post(program, question="Something else?")

    assert api.problem(answer)["code"] == "idempotency_key_reused"
    assert answer.status_code == 422


def test_a_key_is_needed(program):
    answer = program.post(ASK, BODY, "application/json")

    assert api.problem(answer)["code"] == "idempotency_key_missing"


def test_above_max_credits_nothing_is_done(acme, program):
    answer = post(program, max_credits="1.5")

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (422, "max_credits_exceeded")
    assert (problem["required"], problem["max_credits"]) == ("1.6", "1.5")
    assert problem["detail"] == "This needs 1.6 credits and max_credits is 1.5."
    assert balances.now(company=acme).available == Decimal("10.000")


def test_without_credits_it_is_402_with_what_is_missing(acme, program):
    for number in range(6):
        post(program, f"k{number}")

    answer = post(program, "k7")

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (402, "insufficient_credits")
    assert problem["detail"] == "This needs 1.6 credits and 0.4 are available."
    assert {
        name: problem[name] for name in ("required", "available", "shortfall", "limit_source")
    } == {
        "required": "1.6",
        "available": "0.4",
        "shortfall": "1.2",
        "limit_source": "company_pool",
    }
    assert "Retry-After" not in answer.headers


def test_a_refused_key_asks_again_once_there_are_credits(acme, program):
    for number in range(6):
        post(program, f"k{number}")
    assert post(program, "late").status_code == 402
    people.credits_for(acme, "10")

    assert post(program, "late").status_code == 200


@pytest.mark.parametrize(
    ("changes", "name", "detail"),
    [
        ({"question": "  "}, "question", "Write the question to ask."),
        ({"question": None}, "question", "This field is required."),
        (
            {"period": "LAST_7_DAYS"},
            "period",
            "Did you mean “LAST_7DAYS”?",
        ),
        ({"entity_type": "PERSON"}, "entity_type", "Write one of ACCOUNT, DEAL, CONTACT, LEAD."),
        (
            {"period": "CUSTOM_RANGE", "since": "2026-01-01T00:00:00Z"},
            "period",
            "CUSTOM_RANGE needs a start and a later end; other periods take neither.",
        ),
        (
            {"since": "2026-01-01T00:00:00Z"},
            "period",
            "CUSTOM_RANGE needs a start and a later end; other periods take neither.",
        ),
    ],
)
def test_what_is_wrong_is_named(program, changes, name, detail):
    answer = post(program, **changes)

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_body")
    assert problem["errors"][0]["name"] == name
    assert detail in problem["errors"][0]["detail"]
    assert not AskRequest.objects.exists()


def test_an_unknown_field_is_refused_by_name(program):
    answer = post(program, maxcredits="1")

    assert api.problem(answer)["detail"] == (
        "There is no field “maxcredits”. Did you mean “max_credits”?"
    )


def test_max_credits_below_zero_is_refused_as_what_it_is(program):
    refused = api.problem(post(program, max_credits="-1"))

    assert (refused["status"], refused["code"]) == (400, "invalid_body")
    assert refused["detail"] == "max_credits: Give credits from 0 to 1,000,000,000."


def test_a_name_that_several_deals_have_is_refused_with_their_ids(acme, program):
    conversations.ingest(acme, asks.call("other", account={"name": "Initech"}))
    other = Deal.objects.get(account__name="Initech")

    answer = post(program, entity_type="DEAL", entity="Globex robots")
    by_id = post(program, "k2", entity_type="DEAL", entity=str(other.pk))
    by_account = post(program, "k3", entity_type="DEAL", entity="globex robots (of initech)")

    refused = answer.json()
    assert (answer.status_code, refused["code"]) == (400, "invalid_body")
    assert refused["detail"].startswith("entity: Several deals are named “Globex robots”: ")
    assert f"{other.pk} (of Initech)" in refused["detail"]
    assert by_id.json()["entity"]["id"] == by_account.json()["entity"]["id"] == str(other.pk)


@pytest.mark.parametrize("entity", ["Initech", "01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11"])
def test_an_unknown_account_is_not_found(program, entity):
    answer = post(program, entity=entity)

    assert answer.status_code == 404
    assert api.problem(answer)["detail"] == "There is no such account in your company."


def test_a_custom_range_limits_what_is_read_and_paid(program):
    answer = post(
        program,
        period="CUSTOM_RANGE",
        since="2026-10-02T00:00:00Z",
        until="2026-10-03T00:00:00Z",
    )

    assert answer.json()["credits"]["breakdown"] == {"calls": 1, "emails": 0, "web_searches": 0}
    assert answer.headers["X-Credits-Used"] == "1.0"


def test_an_answer_is_read_again_for_nothing(acme, program):
    first = post(program)

    again = program.get(first.headers["Location"])

    assert again.status_code == 200
    assert again.json() == first.json()
    assert again.headers["Cache-Control"] == "no-store"
    assert balances.now(company=acme).available == Decimal("8.400")


def test_a_reused_answer_says_so_and_since_when(acme, program):
    reuse.switch(company=acme, is_on=True, by=people.bob(acme))
    first = post(program).json()

    again = post(program, "k2")

    body = again.json()
    assert again.headers["X-Credits-Used"] == "0.0"
    assert body["reused_from"] == {"id": first["id"], "asked_at": first["asked_at"]}
    assert body["credits"] == {
        "used": "0.0",
        "remaining": "8.4",
        "saved": "1.6",
        "breakdown": {"calls": 2, "emails": 1, "web_searches": 0},
    }
    assert (body["answer"], body["citations"]) == (first["answer"], first["citations"])


def test_an_erased_answer_is_gone_for_reader_and_retry(acme, program):
    first = post(program)
    erasure.erase(
        request=erasure_requests.by_external_id(company=acme, external_id="short"),
        by=None,
        reason="A test.",
        now=timezone.now(),
    )

    read, retried = program.get(first.headers["Location"]), post(program)

    assert read.status_code == 404
    assert (retried.status_code, api.problem(retried)["result_id"]) == (409, first.json()["id"])
    assert balances.now(company=acme).available == Decimal("8.400")


def test_a_key_without_the_scope_may_not_ask(acme):
    program = api.of(acme, Scope.BALANCE_READ)

    answer = post(program)

    assert (answer.status_code, api.problem(answer)["required_scope"]) == (403, "ask")


def test_another_company_reads_no_answer(acme, program):
    first = post(program)
    other = people.company("Other")

    answer = api.of(other, by=api.admin(other)).get(first.headers["Location"])

    assert answer.status_code == 404
    assert api.problem(answer)["detail"] == "There is no such answer in your company."


def test_a_contact_and_a_lead_are_asked_about_by_address(acme, program):
    asks.conversations.ingest(
        acme,
        asks.call(
            "lead",
            account=None,
            deal=None,
            participants=[
                {"id": "c", "name": "Lea", "email": "lea@initech.example", "role": "external"}
            ],
            utterances=asks.said("We look for robots."),
        ),
    )

    contact = post(program, "1", entity_type="CONTACT", entity="carl@globex.example").json()
    lead = post(program, "2", entity_type="LEAD", entity="lea@initech.example").json()

    assert (contact["entity"]["type"], contact["credits"]["used"]) == ("CONTACT", "1.6")
    assert (lead["entity"]["name"], lead["credits"]["used"]) == ("Lea <lea@initech.example>", "0.5")
