"""Requests and answers as the schema of that API says, which is not part of this project.

The schema is of OpenAPI 3.0. A value it calls an object, with a text for its example, is anything:
its tool writes so for a field of no one type. Times have numbers for their examples and are texts.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.utils import timezone
from jsonschema import Draft202012Validator

from config.embedded_postgres import PROJECT
from credits.models import Scope
from tests.support import conversations, people
from tests.support.conversations import record
from tests.trackers.api.gong import asking
from tests.trackers.api.gong.asking import post
from tests.trackers.api.gong.test_calls import EVERYTHING
from trackers import scanning
from trackers.models import Brief, BriefSection

pytestmark = [pytest.mark.shared_data, pytest.mark.django_db]
FILE = PROJECT.parent / "shared" / "data" / "api" / "gong-public-api-extract.json"
ABOUT = {
    "workspaceId": "1237998047883638784",
    "crmEntityType": "ACCOUNT",
    "crmEntityId": "Globex",
    "timePeriod": "ALL_CONVERSATIONS",
}
GETS = {
    "/v2/users": {},
    "/v2/settings/trackers": {"workspaceId": "623457276584334"},
    "/v2/settings/briefs": {},
    "/v2/entities/ask-entity": ABOUT | {"question": "Is it too expensive?"},
    "/v2/entities/get-brief": ABOUT | {"briefName": "Account overview"},
}
POSTS = {
    "/v2/calls/extensive": {"filter": {}, "contentSelector": EVERYTHING},
    "/v2/calls/transcript": {"filter": {"fromDateTime": "2026-01-01T00:00:00Z"}},
}


def file() -> Path:
    """Return the schema: beside the project, or beside the folder that its worktree is in."""
    found = (FILE, Path("/work/shared/data/api/gong-public-api-extract.json"))
    return next(one for one in found if one.exists())


@pytest.fixture(scope="module")
def schema() -> dict:
    return _cleaned(json.loads(file().read_text()))


def _cleaned(node):
    """Return the schema with objects that have texts for examples as what they are: anything."""
    if isinstance(node, list):
        return [_cleaned(one) for one in node]
    if not isinstance(node, dict):
        return node
    is_anything = node.get("type") == "object" and isinstance(node.get("example"), str)
    dropped = {"types", "exampleSetFlag"} | ({"type"} if is_anything else set())
    return {name: _cleaned(value) for name, value in node.items() if name not in dropped}


def judge(schema, path, method, answer) -> None:
    """Fail unless the answer has a status the schema names, and the shape it names for it."""
    operation = schema["paths"][path][method]
    named = operation["responses"].get(str(answer.status_code))
    assert named is not None, f"{answer.status_code} is no status of {path}"
    shape = named["content"]["application/json"]["schema"]
    components = schema["components"]
    validator = Draft202012Validator(shape | {"components": components})
    assert list(validator.iter_errors(answer.json())) == []
    # None of its fields is required: that none of ours is a stranger says more.
    assert strangers(answer.json(), shape, components) == []


def strangers(data, shape, components, path="") -> list[str]:
    """Return the fields of an answer that the schema does not name."""
    if "$ref" in shape:
        shape = components["schemas"][shape["$ref"].rsplit("/", 1)[1]]
    if isinstance(data, list):
        return [
            found
            for one in data
            for found in strangers(one, shape.get("items", {}), components, path)
        ]
    if not isinstance(data, dict) or "properties" not in shape:
        return []
    known = shape["properties"]
    return [f"{path}.{name}" for name in data if name not in known] + [
        found
        for name, value in data.items()
        if name in known
        for found in strangers(value, known[name], components, f"{path}.{name}")
    ]


@pytest.fixture
def busy(acme):
    """Acme with a call and an e-mail, a tracker that read the call, a brief, and credits."""
    people.credits_for(acme, "100")
    now = timezone.now()
    tracker = conversations.published(acme, people.alice(acme), now=now - timedelta(days=60))
    conversations.ingest(
        acme,
        record("7782342274025937895", started_at=now - timedelta(days=1), language="de"),
        record("mail-1", started_at=datetime(2026, 11, 2, tzinfo=UTC), kind="email"),
        now=now,
    )
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    brief = Brief.objects.create(
        company=acme,
        name="Account overview",
        entity_type="ACCOUNT",
        is_published=True,
        created_at=now,
        changed_at=now,
        created_by=people.bob(acme),
    )
    for place, (kind, asked) in enumerate(
        (("CONVERSATIONS", "Is it too expensive?"), ("WEB", "news")), start=1
    ):
        BriefSection.objects.create(
            company=acme, brief=brief, position=place, title=kind, kind=kind, question=asked
        )
    return acme


@pytest.mark.parametrize("path", GETS)
def test_an_answer_to_a_get_has_the_published_shape(schema, busy, path):
    answer = asking.of(busy).get(path, GETS[path])

    assert answer.status_code == 200
    judge(schema, path, "get", answer)


@pytest.mark.parametrize("path", POSTS)
def test_an_answer_to_a_post_has_the_published_shape(schema, busy, path):
    body = schema["paths"][path]["post"]["requestBody"]["content"]["application/json"]["schema"]
    Draft202012Validator(body | {"components": schema["components"]}).validate(POSTS[path])

    answer = post(asking.of(busy), path, POSTS[path])

    assert answer.status_code == 200
    judge(schema, path, "post", answer)


def test_every_parameter_that_is_published_is_taken(schema, busy):
    for path, query in GETS.items():
        for parameter in schema["paths"][path]["get"]["parameters"]:
            if parameter["name"] in query or "example" not in parameter:
                continue
            example = str(parameter["example"]).replace("False", "false")
            answer = asking.of(busy).get(path, query | {parameter["name"]: example})
            # The example of a cursor is one of theirs.
            expected = 400 if parameter["name"] == "cursor" else 200
            assert answer.status_code == expected, (path, parameter["name"], answer.content)


@pytest.mark.parametrize("path", [*GETS, *POSTS])
def test_a_refusal_has_the_published_status_and_shape(schema, busy, beta, settings, path):
    method = "get" if path in GETS else "post"

    def asked(program, **changes):
        if method == "post":
            return post(program, path, POSTS[path] | changes)
        return program.get(path, GETS[path] | changes)

    poor, unscoped = asking.of(beta), asking.of(busy, Scope.BALANCE_READ)
    answers = [asked(unscoped), asked(asking.of(busy), cursor="x", workspaceId="x")]
    if "entities" in path or method == "post":
        answers.append(asked(poor))  # Nothing of the other company's is there.
    settings.API_REQUESTS_PER_DAY = 1
    answers.append(asked(asking.of(busy)))

    assert 429 in {one.status_code for one in answers}
    for answer in answers:
        if answer.status_code != 200:
            judge(schema, path, method, answer)


def test_no_credits_is_the_published_402(schema, acme):
    conversations.conversation(acme, "1")

    for path in ("/v2/entities/ask-entity",):
        answer = asking.of(acme).get(path, GETS[path])
        assert answer.status_code == 402
        judge(schema, path, "get", answer)
