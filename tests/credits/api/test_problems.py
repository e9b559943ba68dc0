"""Every error below /api/ is a problem: one shape, a stable code, a page that explains it."""

from __future__ import annotations

import json
import re
import uuid

import pytest
from django.db import OperationalError
from django.test import Client
from django.urls import reverse

from credits import balances
from credits.api import problems, reading
from tests.support import api, people

pytestmark = pytest.mark.django_db
MEMBERS = {"type", "title", "status", "detail", "code", "request_id", "instance"}
PURCHASES = "/api/v1/purchases"


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def program(acme):
    return api.of(acme, by=api.admin(acme))


def test_a_problem_has_these_members_and_no_others(program):
    answer = program.get("/api/v1/grants/01936f2e-7c4b-7d7e-9a57-0d5c8f0e6b11")

    problem = api.problem(answer)
    assert problem == {
        "type": "http://testserver/docs/problems/not-found",
        "title": "Not found",
        "status": 404,
        "detail": "There is no such grant in your company.",
        "code": "not_found",
        "request_id": problem["request_id"],
        "instance": f"/requests/{problem['request_id']}",
    }
    assert uuid.UUID(problem["request_id"]).version == 7
    assert answer["Cache-Control"] == "no-store"


def test_a_good_answer_has_a_request_id_of_its_own_too(program):
    ids = {program.get("/api/v1/balance")["X-Request-Id"] for _ in range(3)}

    assert len(ids) == 3


def test_a_request_id_that_the_client_sent_is_not_taken_over(program):
    answer = program.get("/api/v1/balance", headers={"x-request-id": "evil\r\nid"})

    assert uuid.UUID(answer["X-Request-Id"]).version == 7


@pytest.mark.parametrize(
    "url",
    [
        "/api/",
        "/api/v1/",
        "/api/v1/balances",
        "/api/v1/balance/",
        "/api/v2/balance",
        "/api/v1/ledger/x",
    ],
)
def test_an_unknown_address_is_a_problem(program, url):
    answer = program.get(url)

    assert (answer.status_code, api.problem(answer)["code"]) == (404, "not_found")


@pytest.mark.parametrize("method", ["post", "put", "patch", "delete", "trace"])
@pytest.mark.parametrize("url", ["/api/v1/balance", "/api/v1/ledger", "/api/v1/rate-card"])
def test_a_method_the_address_does_not_take_is_a_problem(program, method, url):
    answer = getattr(program, method)(url)

    assert (answer.status_code, api.problem(answer)["code"]) == (405, "method_not_allowed")
    assert answer["Allow"] == "GET, HEAD, OPTIONS"


def test_an_invented_method_is_a_problem(program):
    answer = program.generic("BREW", "/api/v1/balance")

    assert (answer.status_code, api.problem(answer)["code"]) == (405, "method_not_allowed")


def test_head_answers_like_get_without_a_body(program):
    answer = program.head("/api/v1/balance")

    assert (answer.status_code, answer.content) == (200, b"")
    assert answer["ETag"] == program.get("/api/v1/balance")["ETag"]


def test_options_says_which_methods_there_are(program):
    answer = program.options(PURCHASES)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer["Allow"] == "GET, POST, HEAD, OPTIONS"


def test_options_is_for_those_with_a_key():
    assert Client().options(PURCHASES).status_code == 401


def test_only_json_is_answered(program):
    answer = program.get("/api/v1/balance", headers={"accept": "text/html"})

    assert (answer.status_code, api.problem(answer)["code"]) == (406, "not_acceptable")


@pytest.mark.parametrize(
    "accept", ["application/json", "*/*", "text/html, application/*;q=0.1", ""]
)
def test_whoever_takes_json_gets_it(program, accept):
    assert program.get("/api/v1/balance", headers={"accept": accept}).status_code == 200


@pytest.mark.parametrize(
    "media_type",
    ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x"],
)
def test_only_json_is_read(program, media_type):
    answer = program.post(PURCHASES, b"amount=5", media_type, headers={"idempotency-key": "1"})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (415, "unsupported_media_type")
    assert problem["detail"] == f"Send the body as application/json, not as {media_type}."


def test_a_compressed_body_is_not_read(program):
    answer = program.post(
        PURCHASES,
        b"\x1f\x8b",
        "application/json",
        headers={"idempotency-key": "1", "content-encoding": "gzip"},
    )

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (415, "unsupported_media_type")
    assert problem["detail"] == "Send the body uncompressed, not as gzip."


def test_a_body_has_a_size(program):
    def ask(size):
        body = json.dumps({"amount": "5", "note": "x"}).encode().ljust(size)
        return program.post(PURCHASES, body, "application/json", headers={"idempotency-key": "1"})

    assert ask(reading.BODY_BYTES_MAX).status_code == 201
    answer = ask(reading.BODY_BYTES_MAX + 1)
    assert (answer.status_code, api.problem(answer)["code"]) == (413, "payload_too_large")
    assert api.problem(answer)["detail"] == "A body has at most 65,536 bytes here."


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[]",
        b"null",
        b'"5"',
        b'{"amount": NaN}',
        b"[" * 60_000,
        b'{"amount": 5}',
        b'{"amount": 5.5}',
        b'{"amount": true}',
        b'{"amount": ["5"]}',
        b'{"amount": null}',
        b'{"amount": "5.1234"}',
        b'{"amount": "-5"}',
        b'{"amount": "0"}',
        b'{"amount": "1e3"}',
        b'{"amount": "NaN"}',
        b'{"amount": "9999999999999"}',
        b'{"amount": "5", "starts_on": "2026-02-30"}',
        b'{"amount": "5", "starts_on": "20260301"}',
        b'{"amount": "5", "starts_on": "2026-03-02", "ends_on": "2026-03-01"}',
        b'{"amount": "5", "note": "\\u0000"}',
        b'{"amount": "5", "note": "\\ud800"}',
        b'{"amount": "5", "note": 7}',
        b'{"amount": "5", "note": "' + b"x" * 501 + b'"}',
    ],
)
def test_a_body_that_is_not_what_is_expected_does_nothing(program, acme, body):
    answer = program.post(PURCHASES, body, "application/json", headers={"idempotency-key": "1"})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, "invalid_body")
    assert problem["errors"][0]["detail"]
    assert not acme.purchases.exists()
    assert not acme.idempotency_records.exists()


@pytest.mark.parametrize(
    "name",
    ["company", "company_id", "state", "number", "requested_by", "grant_id", "approved_at", "id"],
)
def test_what_the_server_decides_cannot_be_sent(program, acme, name):
    body = {"amount": "5", name: "1"}

    answer = program.post(PURCHASES, body, "application/json", headers={"idempotency-key": "1"})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, "unknown_field")
    assert problem["errors"][0]["name"] == name
    assert not acme.purchases.exists()


def test_an_unknown_field_is_refused_with_the_nearest_there_is(program):
    answer = program.post(
        PURCHASES, {"ammount": "5"}, "application/json", headers={"idempotency-key": "1"}
    )

    assert api.problem(answer)["detail"] == "There is no field “ammount”. Did you mean “amount”?"


@pytest.mark.parametrize("name", ["\ud800", "x" * 1000, "", "%00", "<script>"])
def test_a_strange_field_name_is_repeated_safely(program, name):
    answer = program.post(
        PURCHASES,
        json.dumps({name: "5"}),
        "application/json",
        headers={"idempotency-key": "1"},
    )

    assert (answer.status_code, api.problem(answer)["code"]) == (400, "unknown_field")
    assert len(answer.content) < 1500


LISTS = ["/api/v1/grants", "/api/v1/ledger", "/api/v1/usage", "/api/v1/purchases"]
WRONG_PARAMETERS = {
    "untill=x": ("unknown_parameter", "untill"),
    "limit=0": ("invalid_parameter", "limit"),
    "limit=201": ("invalid_parameter", "limit"),
    "limit=ten": ("invalid_parameter", "limit"),
    "limit=" + "9" * 5000: ("invalid_parameter", "limit"),
    "limit=": ("invalid_parameter", "limit"),
    "limit=1&limit=2": ("invalid_parameter", "limit"),
    "order=random": ("invalid_parameter", "order"),
    "format=json": ("unknown_parameter", "format"),
    "company=1": ("unknown_parameter", "company"),
    "company_id=1&limit=5": ("unknown_parameter", "company_id"),
    "%00=1": ("unknown_parameter", "\x00"),
    "cursor=" + "A" * 501: ("invalid_parameter", "cursor"),
}


@pytest.mark.parametrize("query", WRONG_PARAMETERS, ids=lambda query: query[:30])
@pytest.mark.parametrize("url", LISTS)
def test_a_wrong_parameter_is_refused_by_name(program, url, query):
    code, name = WRONG_PARAMETERS[query]

    answer = program.get(f"{url}?{query}")

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, code)
    assert problem["errors"][0]["name"] == name


def test_an_unknown_parameter_is_refused_with_the_nearest_there_is(program):
    detail = api.problem(program.get("/api/v1/ledger?untill=x&limit=1"))["detail"]

    assert detail == "There is no parameter “untill”. Did you mean “until”?"


def test_an_operation_without_parameters_says_so(program):
    detail = api.problem(program.get("/api/v1/ledger/1?verbose=1"))["detail"]

    assert detail == "There is no parameter “verbose”. This operation takes none."


def test_a_write_takes_no_parameters(program):
    answer = program.post(f"{PURCHASES}?dry_run=1", {"amount": "5"}, "application/json")

    assert api.problem(answer)["code"] == "unknown_parameter"


@pytest.mark.parametrize(
    ("query", "name"),
    [
        ("ledger?kind=SPENT", "kind"),
        ("ledger?since=today", "since"),
        ("ledger?after_sequence=-1", "after_sequence"),
        ("ledger?after_sequence=9223372036854775808", "after_sequence"),
        ("usage?feature=TRACKERS", "feature"),
        ("usage?tracker=7", "tracker"),
        ("usage?include_free_use=yes", "include_free_use"),
        ("grants?status=SPENT", "status"),
        ("purchases?state=PAID", "state"),
        ("rate-card?as_of=now", "as_of"),
    ],
)
def test_each_filter_says_what_it_takes(program, query, name):
    problem = api.problem(program.get(f"/api/v1/{query}"))

    assert problem["code"] == "invalid_parameter"
    assert problem["errors"][0]["name"] == name
    assert problem["errors"][0]["detail"].startswith("Write ")


def test_a_host_that_is_not_ours_is_a_problem(program):
    answer = program.get("/api/v1/balance", headers={"host": "evil.example"})

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (400, "bad_request")
    assert "evil.example" not in answer.content.decode()


def test_a_failure_is_a_problem_without_a_traceback(program, monkeypatch, caplog):
    def fail(**_):
        raise RuntimeError("the secret reason")

    monkeypatch.setattr(balances, "standing", fail)

    answer = program.get("/api/v1/balance")

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"]) == (500, "internal_error")
    assert "secret reason" not in answer.content.decode()
    assert "the secret reason" in caplog.text


def test_a_database_that_does_not_answer_is_a_problem_that_passes(program, monkeypatch, caplog):
    def fail(**_):
        raise OperationalError("connection refused by 10.0.0.7")

    monkeypatch.setattr(balances, "standing", fail)

    answer = program.get("/api/v1/balance")

    problem = api.problem(answer)
    assert (answer.status_code, problem["code"], answer["Retry-After"]) == (503, "unavailable", "5")
    assert "10.0.0.7" not in answer.content.decode()
    assert "10.0.0.7" in caplog.text


def test_pages_outside_the_api_keep_their_own_errors():
    answer = Client().get("/nothing/")

    assert (answer.status_code, answer["Content-Type"]) == (404, "text/html; charset=utf-8")
    assert answer["X-Request-Id"]


def test_every_type_has_a_page_that_explains_it():
    index = Client().get(reverse("problems")).content.decode()

    for problem_type in problems.TYPES:
        url = f"/docs/problems/{problem_type.slug}"
        page = Client().get(url)
        assert page.status_code == 200
        text = page.content.decode()
        assert f"<code>{problem_type.code}</code>" in text
        assert f'href="{url}"' in index
        for name in problem_type.extras:
            assert f"<code>{name}</code>" in text
    assert len(problems.TYPES) == 31


def test_a_code_leads_to_its_page_too():
    answer = Client().get("/docs/problems/insufficient_credits")

    assert (answer.status_code, answer["Location"]) == (301, "/docs/problems/insufficient-credits")


def test_there_is_no_page_for_what_is_no_problem():
    assert Client().get("/docs/problems/happiness").status_code == 404
    assert Client().post("/docs/problems/not-found").status_code == 405


def test_codes_and_slugs_are_stable_in_form():
    for problem_type in problems.TYPES:
        assert re.fullmatch(r"[a-z]+(_[a-z]+)*", problem_type.code)
        assert MEMBERS.isdisjoint(problem_type.extras)
    assert len({problem_type.code for problem_type in problems.TYPES}) == len(problems.TYPES)


def test_the_address_of_a_problem_is_a_page_there_is(program):
    address = api.problem(program.get("/api/v1/nothing"))["type"]

    assert Client().get(address.removeprefix("http://testserver")).status_code == 200
