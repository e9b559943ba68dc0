"""Whatever a client sends: an answer the OpenAPI document knows, never a failure of ours.

Parameters, cursors and bodies are drawn from what they should be, nearly are, and could be.
"""

from __future__ import annotations

import base64
import json

import pytest
from django.core.management import call_command
from django.test import Client
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from jsonschema import Draft202012Validator, FormatChecker

from credits.api import usage_sums
from credits.identifiers import new_id
from credits.models import IdempotencyRecord
from tests.support import api, people, statement

pytestmark = pytest.mark.django_db
FEW = settings(
    max_examples=150,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
NAMES = st.sampled_from(
    [
        *("since", "until", "as_of", "limit", "order", "cursor", "kind", "after_sequence"),
        *("feature", "action", "tracker", "user", "team", "integration", "include_free_use"),
        *("source", "status", "state", "group_by", "company", "format"),
    ]
)
GOOD_VALUES = st.one_of(
    st.datetimes().map(lambda instant: f"{instant.isoformat()}Z"),
    st.datetimes(timezones=st.timezones()).map(lambda instant: instant.isoformat()),
    st.integers(-5, 2**64).map(str),
    st.uuids().map(str),
    st.sampled_from(
        [
            *("newest", "oldest", "true", "false", "GRANTED", "CONSUMED", "TRACKER", "ASK"),
            *("BACKFILL", "PURCHASE", "ACTIVE", "EXPIRED", "REQUESTED", *usage_sums.KINDS),
        ]
    ),
)
VALUES = st.one_of(GOOD_VALUES, st.text(max_size=60))
INSTANTS = st.datetimes().map(lambda instant: f"{instant.isoformat()}Z")
FITTING = {
    "since": INSTANTS,
    "until": INSTANTS,
    "as_of": INSTANTS,
    "limit": st.integers(1, 200).map(str),
    "order": st.sampled_from(["newest", "oldest"]),
    "kind": st.sampled_from(["GRANTED", "CONSUMED"]),
    "after_sequence": st.integers(0, 2**63 - 1).map(str),
    "feature": st.sampled_from(["TRACKER", "ASK"]),
    "action": st.sampled_from(["BACKFILL", "API_REQUEST"]),
    "include_free_use": st.sampled_from(["true", "false"]),
    "source": st.sampled_from(["PURCHASE", "ADJUSTMENT"]),
    "status": st.sampled_from(["ACTIVE", "EXPIRED"]),
    "state": st.sampled_from(["REQUESTED", "FULFILLED"]),
}
ADDRESSES = st.sampled_from(["balance", "grants", "ledger", "ledger/1", "usage", "purchases"])
# What UTF-8 cannot write, half a surrogate pair, JSON can still spell.
JSON_TEXTS = st.text(st.characters(codec=None, exclude_categories=()), max_size=40)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | JSON_TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(JSON_TEXTS, inner, max_size=4),
    max_leaves=8,
)
AMOUNTS = st.one_of(
    st.decimals(0, 10**10, places=3).map(str), st.sampled_from(["0", "-1", "1e3", "٣"]), JSON
)
BODIES = st.one_of(
    JSON,
    st.fixed_dictionaries(
        {"amount": AMOUNTS},
        optional={
            "starts_on": st.dates().map(str) | JSON,
            "ends_on": st.dates().map(str) | JSON,
            "order_reference": JSON_TEXTS,
            "note": JSON_TEXTS | st.text(min_size=490, max_size=510),
        },
    ),
)


@pytest.fixture(autouse=True)
def _many_requests(settings):
    settings.API_REQUESTS_PER_SECOND = 1000
    settings.API_REQUESTS_PER_DAY = 1_000_000


@pytest.fixture
def acme():
    company = people.company()
    statement.lot(company, "March", "10")
    statement.charge(company, "1.5")
    return company


@pytest.fixture
def program(acme):
    return api.of(acme, by=api.admin(acme))


@pytest.fixture(scope="module")
def document(tmp_path_factory):
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--format", "openapi-json", "--file", str(file))
    return json.loads(file.read_text())


def judge(document, method: str, path: str, answer) -> None:
    """Fail unless the document has this status for the operation, with a body of this shape."""
    address = "/api/v1/ledger/{sequence}" if "ledger/" in path else f"/api/v1/{path}"
    responses = document["paths"][address][method]["responses"]
    assert str(answer.status_code) in responses, (answer.status_code, answer.content)
    content = responses[str(answer.status_code)]["content"]
    media = content[answer["Content-Type"].split(";")[0]]
    schema = media["schema"] | {"components": document["components"]}
    Draft202012Validator(schema, format_checker=FormatChecker()).validate(answer.json())
    if answer.status_code >= 400:
        assert api.problem(answer)["code"] in media["examples"]


@FEW
@given(path=ADDRESSES, query=st.dictionaries(NAMES | st.text(max_size=9), VALUES, max_size=3))
def test_any_parameters_are_answered_as_documented(document, program, path, query):
    answer = program.get(f"/api/v1/{path}", query)

    judge(document, "get", path, answer)


@FEW
@given(path=ADDRESSES, data=st.data())
def test_fitting_parameters_are_good_for_rows(document, program, path, data):
    """Every parameter an address declares, with a value of its kind, is answered with rows."""
    address = "/api/v1/ledger/{sequence}" if "ledger/" in path else f"/api/v1/{path}"
    declared = [
        one["name"]
        for one in document["paths"][address]["get"].get("parameters", ())
        if one["in"] == "query" and one["name"] not in ("cursor", "group_by")
    ]
    names = data.draw(st.lists(st.sampled_from(declared), unique=True)) if declared else []
    query = {name: data.draw(FITTING.get(name, st.uuids().map(str))) for name in names}

    answer = program.get(f"/api/v1/{path}", query)

    judge(document, "get", path, answer)
    assert answer.status_code == 200


@FEW
@given(path=st.sampled_from(["grants", "ledger", "usage", "purchases"]), key=st.lists(JSON))
def test_any_cursor_is_answered_as_documented(document, program, path, key):
    text = json.dumps(["0" * 8, *key])
    cursor = base64.urlsafe_b64encode(text.encode()).decode().rstrip("=")

    answer = program.get(f"/api/v1/{path}", {"cursor": cursor})

    judge(document, "get", path, answer)
    assert answer.status_code == 400


@FEW
@given(body=BODIES)
def test_any_body_is_answered_as_documented_and_done_or_not(document, program, acme, body):
    before = acme.purchases.count(), IdempotencyRecord.objects.count()

    answer = program.post(
        "/api/v1/purchases",
        json.dumps(body),
        "application/json",
        headers={"idempotency-key": str(new_id())},
    )

    judge(document, "post", "purchases", answer)
    done = int(answer.status_code == 201)
    assert (acme.purchases.count(), IdempotencyRecord.objects.count()) == (
        before[0] + done,
        before[1] + done,
    )
    assert answer.status_code in (201, 400)


@FEW
@given(body=st.binary(max_size=80))
def test_any_bytes_are_answered_as_documented(document, program, body):
    answer = program.post(
        "/api/v1/purchases", body, "application/json", headers={"idempotency-key": "k"}
    )

    judge(document, "post", "purchases", answer)
    assert answer.status_code == 400


@FEW
@given(header=st.text(st.characters(codec="latin-1", exclude_characters="\r\n"), max_size=60))
def test_any_authorization_is_refused_alike(header):
    answer = Client(raise_request_exception=False).get(
        "/api/v1/balance", headers={"authorization": header}
    )

    assert (answer.status_code, api.problem(answer)["code"]) == (401, "unauthorized")
