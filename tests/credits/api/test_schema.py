"""The OpenAPI document says what the API does: every operation, its examples, its problems."""

from __future__ import annotations

import io
import json
import re
from datetime import timedelta

import pytest
from django.contrib.staticfiles import finders
from django.core.management import call_command
from django.test import Client
from django.urls import URLPattern, URLResolver, get_resolver
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from jsonschema import Draft202012Validator, FormatChecker
from openapi_spec_validator import OpenAPIV31SpecValidator

from credits.api import problems
from credits.api.views import ApiView
from credits.models import Scope
from tests.credits.conftest import NOON
from tests.support import api, asks, briefs, conversations, people, statement
from tests.support.analyzers import ScriptedAnalyzer
from trackers import analyzers, backfills, scanning
from trackers.models import CustomerAccount

METHODS = ("get", "post", "put", "patch", "delete")


# Scopes of doors that are not open yet: a key may have them, no operation asks for them.
TO_COME = {
    Scope.TEAM_READ,
}


@pytest.fixture(scope="module")
def document():
    out = io.StringIO()
    call_command("spectacular", "--format", "openapi-json", "--fail-on-warn", stdout=out)
    return json.loads(out.getvalue())


def operations(document) -> dict[str, dict]:
    return {
        f"{method.upper()} {path}": operation
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if method in METHODS
    }


def views(patterns=None, prefix="/") -> dict[str, type]:
    """Return the view of every address below /api/, as REST framework sees it."""
    found = {}
    for pattern in get_resolver().url_patterns if patterns is None else patterns:
        address = prefix + re.sub(r"<\w+:(\w+)>", r"{\1}", str(pattern.pattern))
        if isinstance(pattern, URLResolver):
            found |= views(pattern.url_patterns, address)
        elif isinstance(pattern, URLPattern) and address.startswith("/api/"):
            found[address] = pattern.callback.cls
    return found


def validator(document, schema) -> Draft202012Validator:
    """Return a judge of JSON by a schema of the document."""
    whole = schema | {"components": document["components"]}
    return Draft202012Validator(whole, format_checker=FormatChecker())


def test_it_is_an_openapi_3_1_document(document):
    OpenAPIV31SpecValidator(document).validate()

    assert document["openapi"] == "3.1.0"
    assert document["info"]["title"] == "Tallystick"


def test_it_names_every_operation_there_is_and_no_other(document):
    own = {
        f"{method} {address}"
        for address, view in views().items()
        if issubclass(view, ApiView)
        for method in view.scopes
    }

    assert set(operations(document)) == own
    assert len(own) >= 11


def test_every_address_is_behind_a_key_but_the_documentation():
    others = {view for view in views().values() if not issubclass(view, ApiView)}

    assert len(others) == 2
    assert all(issubclass(view, (SpectacularAPIView, SpectacularSwaggerView)) for view in others)


def test_every_operation_has_a_summary_examples_and_its_scope(document):
    views_by_address = views()
    for name, operation in operations(document).items():
        method, address = name.split()
        scope = str(views_by_address[address].scopes[method])
        good = [one for status, one in operation["responses"].items() if status in ("200", "201")]
        assert operation["summary"], name
        assert operation["description"], name
        assert operation["security"] == [{"apiKey": [scope]}]
        assert good or "204" in operation["responses"], name
        for one in good:
            assert one["content"]["application/json"]["examples"], name
        if method in ("POST", "PATCH") and "requestBody" in operation:
            assert operation["requestBody"]["content"]["application/json"]["examples"]
    scopes = {s for view in views_by_address.values() for s in getattr(view, "scopes", {}).values()}
    assert scopes == set(Scope) - TO_COME


def test_every_example_is_what_its_schema_says(document):
    count = 0
    for operation in operations(document).values():
        contents = [response.get("content", {}) for response in operation["responses"].values()]
        contents.append(operation.get("requestBody", {}).get("content", {}))
        for content in contents:
            for media in content.values():
                for example in media["examples"].values():
                    validator(document, media["schema"]).validate(example["value"])
                    count += 1
    assert count > 100


def test_every_operation_shows_the_problems_it_may_answer(document):
    for name, operation in operations(document).items():
        shown = {
            code
            for status, response in operation["responses"].items()
            if int(status) >= 400
            for code in response["content"]["application/problem+json"]["examples"]
        }
        always = {"unauthorized", "missing_scope", "rate_limited", "internal_error"}
        assert always | {"unknown_parameter", "not_acceptable", "unavailable"} <= shown, name
        if not name.startswith("GET"):
            assert {"idempotency_key_reused", "idempotency_in_flight", "unknown_field"} <= shown
        if "{" in name:
            assert "not_found" in shown
    known = {problem_type.code for problem_type in problems.TYPES}
    examples = json.dumps(document)
    # Of no operation yet, or of no operation at all: an unknown address or method.
    unshown = {code for code in known if f'"{code}"' not in examples}
    assert unshown == {"bad_request", "method_not_allowed"}


def read_and_queued(company) -> None:
    """A tracker with a result and a backfill, at the instant at which the ledger's clock stands."""
    admin = api.admin(company)
    conversations.ingest(
        company, conversations.record("old", started_at=NOON - timedelta(days=30)), now=NOON
    )
    tracker = conversations.published(company, admin, now=NOON)
    conversations.ingest(company, conversations.record("new", started_at=NOON), now=NOON)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=lambda: NOON)
    backfills.launch(
        tracker_id=tracker.pk,
        from_at=NOON - timedelta(days=60),
        to_at=NOON,
        ceiling=None,
        rates=people.rates(),
        by=admin,
        now=NOON,
    )


@pytest.fixture
def busy(acme, monkeypatch):
    """A company with a row of everything."""
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)
    statement.lot(acme, "March", "10")
    statement.charge(acme, "1.5")
    statement.reserve(acme, "2")
    read_and_queued(acme)
    return acme


@pytest.fixture
def program(busy):
    program = api.of(busy, by=api.admin(busy))
    program.post(
        "/api/v1/purchases",
        {"amount": "5", "starts_on": "2026-12-01"},
        "application/json",
        headers={"idempotency-key": "1"},
    )
    program.post(
        "/api/v1/limits",
        {"subject": "COMPANY", "window": "DAY", "credits": "9"},
        "application/json",
        headers={"idempotency-key": "1"},
    )
    return program


def test_every_answer_is_what_the_document_says(document, program, busy):
    own = {
        "/api/v1/grants/{id}": {"id": busy.grants.get().pk},
        "/api/v1/ledger/{sequence}": {"sequence": 2},
        "/api/v1/ledger/{sequence}/explanation": {"sequence": 2},
        "/api/v1/usage/{id}": {"id": busy.usage_events.first().pk},
        "/api/v1/usage/{id}/explanation": {"id": busy.usage_events.first().pk},
        "/api/v1/purchases/{id}": {"id": busy.purchases.get().pk},
        "/api/v1/trackers/{id}": {"id": busy.trackers.get().pk},
        "/api/v1/trackers/{id}/estimate": {"id": busy.trackers.get().pk},
        "/api/v1/trackers/{id}/backfill-estimate": {"id": busy.trackers.get().pk},
        "/api/v1/backfills/{id}": {"id": busy.backfills.get().pk},
        "/api/v1/results/{id}": {"id": busy.scans.get(state="DONE").pk},
        "/api/v1/conversations/{id}": {"id": busy.conversations.first().pk},
        "/api/v1/limits/{id}": {"id": busy.limits.get().pk},
        "/api/v1/ask/{id}": {"id": asked_about_nothing(busy).pk},
    }
    run = run_about_nothing(busy)
    own |= {
        "/api/v1/briefs/{id}": {"id": run.brief_id},
        "/api/v1/brief-runs/{id}": {"id": run.pk},
    }
    asked = 0
    for name, operation in operations(document).items():
        method, address = name.split()
        if method != "GET":
            continue
        answer = program.get(address.format(**own.get(address, {})))
        schema = operation["responses"]["200"]["content"]["application/json"]["schema"]
        assert answer.status_code == 200
        validator(document, schema).validate(answer.json())
        asked += 1
        if schema.get("type") == "array":  # A report: one object for each row.
            assert answer.json() or address.endswith("purchase-history")
            continue
        shapes = named(document, schema).get("oneOf", [schema])
        assert set(answer.json()) in [set(named(document, one)["properties"]) for one in shapes]
    assert asked == 32


def asked_about_nothing(company):
    """Ask about an account without a call: an answer that costs 0, so that nothing else moves."""
    account = CustomerAccount.objects.create(company=company, name="Initech")
    return asks.ask(company, entity=asks.account(company, account.name))


def run_about_nothing(company):
    """Run a brief about the same account by hand, for nothing."""
    person = api.admin(company)
    brief = briefs.brief(company, person)
    return briefs.run(briefs.by_hand(person, company), brief)


def test_sums_are_what_the_document_says(document, program):
    answer = program.get("/api/v1/usage", {"group_by": "day"})

    validator(document, {"$ref": "#/components/schemas/UsageSums"}).validate(answer.json())
    assert len(answer.json()["items"]) == 1


def named(document, schema):
    return document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]


def test_every_problem_is_what_the_document_says(document, program):
    judge = validator(document, {"$ref": "#/components/schemas/Problem"})

    for answer in (
        program.get("/api/v1/nothing"),
        program.get("/api/v1/ledger?x=1"),
        program.delete("/api/v1/ledger"),
        Client().get("/api/v1/ledger"),
    ):
        judge.validate(api.problem(answer))


@pytest.mark.django_db
def test_the_document_and_its_page_need_no_key_and_nothing_from_elsewhere():
    document, page = Client().get("/api/schema.json"), Client().get("/api/docs")

    assert (document.status_code, page.status_code) == (200, 200)
    assert document.json()["openapi"] == "3.1.0"
    text = page.content.decode()
    addresses = re.findall(r"(?:src|href)=\"([^\"]+)\"", text)
    assert len(addresses) >= 4
    assert all(address.startswith("/static/") for address in addresses)
    assert re.findall(r"https?://[\w.]+", text) == []
    assert '"validatorUrl": null' in text
    for address in addresses:
        assert finders.find(address.removeprefix("/static/"))


@pytest.mark.django_db
def test_the_document_says_nothing_of_any_company():
    people.company("Kanari")

    assert "kanari" not in Client().get("/api/schema.json").content.decode().lower()


def test_every_parameter_is_described(document):
    asked = [
        (name, parameter["name"])
        for name, operation in operations(document).items()
        for parameter in operation.get("parameters", ())
        if not parameter.get("description")
    ]

    assert asked == []
