"""Many processes at one company's API: limits hold over all of them, a request is done once."""

from __future__ import annotations

import json
import time
from collections import Counter

import psycopg

from billing.models import Purchase
from credits.models import IdempotencyRecord, RequestTally
from tests.support import api, people
from tests.support.processes import told_by
from trackers.models import Conversation


def run(dsn: str, act: str, key: str, *more: str, **environment: str) -> list[dict]:
    program = "tests.concurrency.programs"
    return told_by(dsn, program, act, key, *more, environment=environment)


def test_8_processes_together_get_no_more_than_the_company_s_limit(committed):
    acme = people.company()
    key = api.key(acme).text
    began = time.monotonic()

    answers = run(committed, "read", key, "--processes", "8", "--seconds", "4")

    statuses = Counter(answer["status"] for answer in answers)
    seconds = time.monotonic() - began
    let_in = RequestTally.objects.get(company=acme).day_count
    assert set(statuses) == {200, 429}
    assert statuses[200] == let_in
    # 3 at once and 3 more for each second that passed.
    assert 9 <= let_in <= 3 + 3 * seconds
    assert statuses[429] > 20


def test_while_the_first_is_answered_the_second_is_told_to_wait(committed):
    """The lock is another connection's, as it would be while that one works."""
    acme = people.company()
    program = api.of(acme, by=api.admin(acme))
    name = f"{acme.pk} purchases.request order-118"

    def ask(key):
        return program.post(
            "/api/v1/purchases",
            {"amount": "5"},
            "application/json",
            headers={"idempotency-key": key},
        )

    with psycopg.connect(committed) as other:
        other.execute("SELECT pg_advisory_xact_lock(hashtextextended(%s, 0))", [name])
        same, another = ask("order-118"), ask("order-119")
    later = ask("order-118")

    assert (same.status_code, api.problem(same)["code"]) == (409, "idempotency_in_flight")
    assert same["Retry-After"] == "1"
    assert (another.status_code, later.status_code) == (201, 201)


def test_32_duplicates_at_once_make_one_purchase_request(committed):
    acme = people.company()
    key = api.key(acme, by=api.admin(acme)).text
    limit = {"TALLYSTICK_API_REQUESTS_PER_SECOND": "1000"}

    answers = run(committed, "request", key, **limit)
    again = run(committed, "request", key, **limit)

    statuses = Counter(answer["status"] for answer in answers)
    bodies = {answer["body"] for answer in answers + again if answer["status"] == 201}
    assert set(statuses) <= {201, 409}
    assert {a["code"] for a in answers if a["status"] == 409} <= {"idempotency_in_flight"}
    assert statuses[201] >= 1
    assert len(bodies) == 1
    assert Purchase.objects.count() == 1
    assert IdempotencyRecord.objects.count() == 1
    assert json.loads(bodies.pop())["id"] == str(Purchase.objects.get().pk)


def test_of_32_that_send_the_same_call_one_makes_it(committed):
    """Each with a key of its own: no retry, but the same conversation."""
    acme = people.company()
    limit = {"TALLYSTICK_API_INGESTIONS_PER_SECOND": "1000"}

    answers = run(committed, "send", api.key(acme).text, **limit)

    found = Counter((answer["status"], answer["outcome"]) for answer in answers)
    assert found == {(201, "CREATED"): 1, (200, "UNCHANGED"): 31}
    assert Conversation.objects.filter(company=acme).count() == 1
