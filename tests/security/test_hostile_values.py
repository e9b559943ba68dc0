"""Hostile values at every parameter, header and field of every operation, and of every MCP tool.

Never a failure of ours; what is refused is refused in one clear sentence. A new operation is found
by itself. What is drawn at random is in test_schemas.py; these are the values that broke others.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from typing import Any

import pytest
from django.core.management import call_command
from django.test import Client

from credits.api.problems import Problem
from credits.origins import Origin
from tests.security import fuzzing, seeding
from tests.security.test_api_tenancy import ACTS_ON, BY_PLACE, ROWS
from tests.support import ai_clients, api
from trackers.api.gong import documents
from trackers.mcp import calling, tools
from trackers.mcp.authentication import Caller

pytestmark = pytest.mark.django_db
# Each parameter gets this many of the values, in turns.
EACH = 5
REQUESTS_MIN = 1_000
SENTENCE_LENGTH_MAX = 600
TEXTS = [
    *("\x00", "a\x00b", "\ud800", "\udfff\ud800", "x" * 10_000, "é" * 3_000, "\u202egnp.exe"),
    *(
        "\u200f\u2067‮אבג",
        "' OR 1=1 --",
        "'; DROP TABLE credits_creditpool; --",
        "<script>x</script>",
    ),
    *(
        "{{ 7*7 }}",
        "${7*7}",
        "%00%0a%0d",
        "../../../../etc/passwd",
        "\r\nSet-Cookie: x=1",
        "\u2028",
    ),
    *("NaN", "Infinity", "-Infinity", "1e400", "9" * 400, "-0", "0x10", "١٢٣", "1_000", "null"),
    *("0001-01-01T00:00:00+23:59", "9999-12-31T23:59:59-23:59", "2026-02-30T00:00:00Z", "🏴‍☠️" * 9),
    *("true", "[]", "{}", "\ufeff", " ", "\t", "%", "\\", '"', "$(id)", "`id`", "=1+1", "\x7f"),
    *("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff", "e" * 255),
]
VALUES: list[Any] = [
    *(None, True, False, 0, -1, 2**63, -(2**63) - 1, 2**200, 1.5, 1e308, -0.0),
    *(math.nan, math.inf, -math.inf, [], {}, [[]], [None], {"a": {"b": {}}}, [1] * 2_000),
    *({"\x00": 1}, {"__proto__": 1}, {"$ne": None}, ["x"] * 2_000, [{}] * 300),
]
RAW = [
    *(b"", b" ", b"{", b"[", b"nul", b"\xff\xfe{}", b"\xef\xbb\xbf{}", b"{}{}", b"\x00", b'{"a":'),
    *(b'{"amount": "1", "amount": "2"}', b'{"a": NaN}', b'{"a": -Infinity}', b'{"\\ud800": 1}'),
    *(b"[" * 60_000, b'{"a":' * 10_000, b"{" + b'"a":1,' * 3_000 + b'"a":1}', b"9" * 50_000),
    *(b'"text"', b"7", b"null", b"true", b"a=1&b=2", b"x" * 70_000, b"<xml/>", b"1e999999"),
]
turns = itertools.cycle(range(10**6))


@pytest.fixture(autouse=True)
def _unhurried(settings, caplog):
    settings.API_REQUESTS_PER_SECOND = settings.API_INGESTIONS_PER_SECOND = 1_000_000
    settings.API_REQUESTS_PER_DAY = settings.API_INGESTIONS_PER_DAY = 1_000_000_000
    caplog.set_level("CRITICAL")


@pytest.fixture
def acme():
    return seeding.seed("Acme", canary="kanari")


@pytest.fixture
def program(acme) -> Client:
    return api.of(acme, by=api.admin(acme))


@pytest.fixture(scope="module")
def operations(tmp_path_factory) -> list[tuple[str, str, dict, dict]]:
    """Return method, path, operation and document of all there are, of both documents."""
    file = tmp_path_factory.mktemp("schema") / "schema.json"
    call_command("spectacular", "--format", "openapi-json", "--file", str(file))
    return [
        (method, path, operation, document)
        for document in (json.loads(file.read_text()), documents.document())
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]


class Asker:
    """Sends one request after the other, and keeps what was not answered as it should be."""

    def __init__(self, program: Client, ids: dict[str, list[Any]]) -> None:
        self.program, self.ids = program, ids
        self.asked = 0
        self.wrong: list[str] = []

    def send(self, method: str, path: str, where: str, **parts: Any) -> None:
        address = path
        for name in re.findall(r"{(\w+)}", path):
            address = address.replace(f"{{{name}}}", str(self.ids[path][0]))
        address = parts.get("address", address)
        headers = {"idempotency-key": f"hostile {self.asked}", "if-match": "*"}
        answer = self.program.generic(
            method.upper(),
            address,
            parts.get("body", b"{}" if method != "get" else b""),
            "application/json",
            query_params=parts.get("query", {}),
            headers=headers | parts.get("headers", {}),
        )
        self.asked += 1
        if complaint := complaint_about(answer):
            self.wrong.append(f"{method} {path} {where}: {answer.status_code} {complaint}")


def complaint_about(answer) -> str:
    """Say what is wrong with an answer; empty when nothing is."""
    text = answer.content.decode()
    if answer.status_code >= 500:
        return text[:300]
    if answer.status_code < 400:
        return ""
    found = json.loads(text)
    details = found["errors"] if "requestId" in found else [found["detail"]]
    return next(filter(None, map(complaint_of, details)), "")


def complaint_of(detail: str) -> str:
    """Say what is wrong with a sentence that is shown to people; empty when nothing is."""
    is_line = detail and len(detail.splitlines()) == 1 and len(detail) <= SENTENCE_LENGTH_MAX
    is_ours = not re.search(r"Traceback|Exception|Error\(|psycopg|django|<class", detail)
    return "" if is_line and is_ours else detail[:300] or "nothing is said"


def some(values: list[Any]) -> list[Any]:
    """Return the next values in turn, so that each stands somewhere."""
    start = next(turns) * EACH
    return [values[(start + place) % len(values)] for place in range(EACH)]


def fields_of(document: dict, schema: dict, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """Return the path of each field of a body, nested ones too."""
    if "$ref" in schema:
        schema = document["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]]
    found = []
    for name, inner in schema.get("properties", {}).items():
        found.append((*path, name))
        if len(path) < 3:
            for one in (inner, *inner.get("anyOf", ()), *inner.get("allOf", ())):
                found += fields_of(document, one, (*path, name))
    return list(dict.fromkeys(found))


def with_value(body: dict, path: tuple[str, ...], value: Any) -> dict:
    changed = json.loads(json.dumps(body))
    inside = changed
    for name in path[:-1]:
        if not isinstance(inside.get(name), dict):
            inside[name] = {}
        inside = inside[name]
    inside[path[-1]] = value
    return changed


def example_of(media: dict) -> dict:
    examples = list(media.get("examples", {}).values())
    return examples[0]["value"] if examples else {"filter": {}}


def ask_parameters(asker: Asker, method: str, path: str, operation: dict) -> None:
    for parameter in operation.get("parameters", ()):
        name, where = parameter["name"], parameter["in"]
        for value in some(TEXTS):
            place = f"{where} {name} = {value[:30]!r}"
            if where == "query":
                query = {name: value.encode("utf-8", "surrogatepass")}
                asker.send(method, path, place, query=query)
            elif where == "header":
                bare = re.sub(r"[\r\n]", "", value.encode("ascii", "ignore").decode())
                asker.send(method, path, place, headers={name.lower(): bare})
    asker.send(method, path, "unknown", query={"x" * 500: "1", "a[]": "1", "": "1"})


def ask_fields(asker: Asker, method: str, path: str, operation: dict, document: dict) -> None:
    media = operation["requestBody"]["content"]["application/json"]
    for field in fields_of(document, media["schema"]):
        for value in (*some(TEXTS), *some(VALUES)):
            body = json.dumps(with_value(example_of(media), field, value)).encode()
            asker.send(method, path, f"{field} = {str(value)[:30]!r}", body=body)
    for raw in RAW:
        asker.send(method, path, f"{raw[:20]!r}", body=raw)


def test_no_value_of_any_parameter_is_a_failure(program, acme, operations):
    asker = Asker(program, fuzzing.ids_of(ROWS | ACTS_ON | BY_PLACE, acme))

    for method, path, operation, document in operations:
        ask_parameters(asker, method, path, operation)
        if "requestBody" in operation:
            ask_fields(asker, method, path, operation, document)
    print(f"{asker.asked} requests of {len(operations)} operations")

    assert asker.wrong == [], "\n".join(asker.wrong)
    assert asker.asked >= REQUESTS_MIN
    assert len(operations) >= 50


def test_no_value_in_an_address_is_a_failure(program, acme, operations):
    ids = fuzzing.ids_of(ROWS | ACTS_ON | BY_PLACE, acme)
    asker = Asker(program, ids)
    texts = [
        *("%00", "%ff", "%ed%a0%80", "..%2f..", "a" * 2_000, "9" * 400, "-1", "1.5", "%0d%0aX:1"),
        *("'%20OR%201=1", "{{7*7}}", "%F0%9F%8F%B4", "%E2%80%AE", "null", "*", "~", ";", "%25"),
    ]

    for method, path, _, _ in operations:
        if "{" in path:
            for text in texts:
                address = re.sub(r"{\w+}", lambda _, text=text: text, path)
                asker.send(method, path, text[:30], address=address)

    assert asker.wrong == [], "\n".join(asker.wrong)
    assert asker.asked > 300


def refused(name: str, given: dict, caller: Caller) -> Problem | None:
    """Call a tool; return what refused it, if anything did."""
    try:
        calling.call(name=name, given=given, caller=caller)
    except Problem as problem:
        return problem
    return None


def test_no_argument_of_any_tool_is_a_failure(acme):
    key = ai_clients.connection(acme).made.key
    caller = Caller(origin=Origin(door="MCP", request_id="hostile"), text="", key=key)
    asked = 0

    for tool in tools.TOOLS:
        fields = tool.kind.model_fields
        good = {
            name: value
            for name, value in {
                "question": "What?",
                "account": "Globex",
                "deal": "x",
                "brief": "x",
                "entity": "x",
                "entity_type": "ACCOUNT",
            }.items()
            if name in fields
        }
        for name in (*fields, "unknown", "\x00", "__class__"):
            for value in (*TEXTS, *VALUES):
                told = good | {name: value}
                refusal = refused(tool.name, told, caller)
                assert refusal is None or refusal.status < 500, (tool.name, name, value)
                assert refusal is None or complaint_of(refusal.detail) == ""
                asked += 1
    for name in (*TEXTS, "get_credit_balance\x00", "ASK_ACCOUNT"):
        with pytest.raises(Problem, match="There is no such tool"):
            calling.call(name=name, given={}, caller=caller)

    assert asked > 1_500
