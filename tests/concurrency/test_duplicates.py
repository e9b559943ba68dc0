"""32 of each write at once, the same request with the same key: one effect (SPEC §8, LESSONS S19).

Every write of the API, every charged request below /v2/ and every charged tool is found by itself;
a new one fails until it is said here how to send it. All ask one web server.
"""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from threading import Barrier
from typing import Any

import pytest
import requests
from django.utils import timezone

from credits import reconciliation
from credits.models import (
    AuditEvent,
    IdempotencyRecord,
    LedgerEntry,
    Reservation,
    SpendingLimit,
    UsageEvent,
)
from tests.security.test_api_tenancy import views
from tests.support import ai_clients, api, asks, briefs, conversations, databases, people, processes
from trackers.api.charged import ChargedView
from trackers.mcp import tools
from trackers.models import AskRequest, Backfill, BriefRun, Conversation, Tracker

TOGETHER = 32
UNHURRIED = {f"TALLYSTICK_API_{kind}_PER_SECOND": "1000" for kind in ("REQUESTS", "INGESTIONS")}
IN_FLIGHT = {"/api": 409, "/v2/": 429}
ABOUT = {"entity": "Globex", "period": "ALL_CONVERSATIONS"}
GONG = {
    "workspaceId": "1",
    "crmEntityType": "ACCOUNT",
    "crmEntityId": "Globex",
    "timePeriod": "ALL_CONVERSATIONS",
}


@dataclass
class World:
    """One company of the site, and what writes are about."""

    site: str
    company: Any
    person: Any
    key: str

    def tracker(self, *, published: bool = False) -> Tracker:
        name = f"Tracker {uuid.uuid4()}"
        if published:
            return conversations.published(self.company, self.person, name)
        return conversations.tracker(self.company, name)

    def limit(self) -> str:
        made = self.post("limits", {"subject": "COMPANY", "window": "MONTH", "credits": "1000000"})
        return made.json()["id"]

    def backfill(self, state: str = "RUNNING") -> str:
        found = Backfill.objects.create(
            company=self.company,
            tracker=(tracker := self.tracker(published=True)),
            version_id=tracker.current_version_id,
            state="RUNNING",
            from_at=timezone.now() - timedelta(days=90),
            to_at=timezone.now(),
            conversation_count=1,
            estimate=1,
            ceiling=1,
            started_at=timezone.now(),
            started_by=self.person,
        )
        if state == "PAUSED":
            assert self.post(f"backfills/{found.pk}/pause", {}).ok
        return str(found.pk)

    def post(self, path: str, body: dict[str, Any]) -> requests.Response:
        headers = {"authorization": f"Bearer {self.key}", "idempotency-key": str(uuid.uuid4())}
        return requests.post(f"{self.site}/api/v1/{path}", json=body, headers=headers, timeout=120)


@dataclass
class Write:
    """How a write is sent, and how to count what it does."""

    body: Callable[[World], dict[str, Any]] = lambda world: {}
    about: Callable[[World], Any] = lambda world: None
    effect: Callable[[Any], int] = lambda world: AuditEvent.objects.count()
    count: int = 1


def counted(model: Any) -> Callable[[World], int]:
    return lambda world: model.objects.filter(company=world.company).count()


def call(name: str) -> dict[str, Any]:
    return {
        "id": name,
        "source": "crm",
        "kind": "call",
        "title": "Renewal",
        "started_at": "2026-01-05T10:00:00Z",
        "duration_seconds": 300,
        "participants": [{"id": "p", "name": "Rita", "email": "r@x.example", "role": "internal"}],
        "utterances": [{"id": "u", "speaker": "p", "start": 0, "text": "Hello."}],
    }


def tracker_of(world: World) -> str:
    return str(world.tracker().pk)


def published_of(world: World) -> str:
    return str(world.tracker(published=True).pk)


# By method and address. A write that is not here fails the test.
WRITES = {
    "POST /api/v1/purchases": Write(
        lambda world: {"amount": "7"}, effect=lambda world: world.company.purchases.count()
    ),
    "POST /api/v1/limits": Write(
        lambda world: {"subject": "COMPANY", "window": "DAY", "credits": "1000000"},
        effect=counted(SpendingLimit),
    ),
    "POST /api/v1/limits/<uuid:id>/end": Write(about=World.limit),
    "POST /api/v1/trackers": Write(
        lambda world: {"name": f"T {uuid.uuid4()}", "question": "Did they object?"},
        effect=counted(Tracker),
    ),
    "PATCH /api/v1/trackers/<uuid:id>": Write(
        lambda world: {"name": f"T {uuid.uuid4()}"}, about=tracker_of
    ),
    "DELETE /api/v1/trackers/<uuid:id>": Write(about=tracker_of, effect=counted(Tracker), count=-1),
    "POST /api/v1/trackers/<uuid:id>/publish": Write(
        lambda world: {"accept_share": True}, about=tracker_of
    ),
    "POST /api/v1/trackers/<uuid:id>/unpublish": Write(about=published_of),
    "POST /api/v1/backfills": Write(
        lambda world: {"tracker": published_of(world)}, effect=counted(Backfill)
    ),
    "POST /api/v1/backfills/<uuid:id>/pause": Write(about=World.backfill),
    "POST /api/v1/backfills/<uuid:id>/resume": Write(about=lambda world: world.backfill("PAUSED")),
    "POST /api/v1/backfills/<uuid:id>/stop": Write(about=World.backfill),
    "POST /api/v1/conversations": Write(
        lambda world: {"conversation": call(f"one-{uuid.uuid4()}")}, effect=counted(Conversation)
    ),
    "POST /api/v1/conversations/bulk": Write(
        lambda world: {"conversations": [call(f"{n}-{uuid.uuid4()}") for n in range(3)]},
        effect=counted(Conversation),
        count=3,
    ),
    "POST /api/v1/ask": Write(
        lambda world: ABOUT | {"question": "What about the price?", "entity_type": "ACCOUNT"},
        effect=counted(AskRequest),
    ),
    "POST /api/v1/briefs/<uuid:id>/runs": Write(
        lambda world: dict(ABOUT),
        about=lambda world: world.company.briefs.get().pk,
        effect=counted(BriefRun),
    ),
    "GET /v2/entities/ask-entity": Write(
        lambda world: GONG | {"question": "What about the price?"}, effect=counted(AskRequest)
    ),
    "GET /v2/entities/get-brief": Write(
        lambda world: GONG | {"briefName": "Account review"}, effect=counted(BriefRun)
    ),
}
# Below /v2/: a POST that reads, which takes no key.
READING = {"POST /v2/calls/extensive", "POST /v2/calls/transcript"}
CHARGED = {"POST /api/v1/ask", "POST /api/v1/briefs/<uuid:id>/runs"}
TOOLS = {
    "ask_account": {"question": "What about the price?", "account": "Globex"},
    "ask_deal": {"question": "What about the price?", "deal": "Globex robots"},
    "generate_brief": {"brief": "Account review", "entity": "Globex"},
}


@pytest.fixture(scope="module")
def world(django_db_setup, django_db_blocker):
    with django_db_blocker.unblock(), databases.cloned(f"test_{uuid.uuid4().hex[:12]}") as dsn:
        company = people.company("Acme")
        people.credits_for(company, "100000")
        person = api.admin(company)
        asks.globex(company)
        briefs.brief(company, person, briefs.RISKS, briefs.PRICES)
        with processes.web_server(dsn, environment=UNHURRIED) as site:
            yield World(site, company, person, api.key(company, by=person).text)
        assert list(reconciliation.check()) == []


def written() -> set[str]:
    """Return every operation that changes something, or is charged."""
    return {
        f"{method} {address}"
        for address, view in views().items()
        for method in view.scopes
        if method != "GET" or (issubclass(view, ChargedView) and address.startswith("/v2/"))
    }


def charges(company) -> Counter:
    """Count what was metered and charged, and holds that are open."""
    return Counter(
        uses=UsageEvent.objects.filter(company=company).count(),
        charged=LedgerEntry.objects.filter(company=company, kind="CONSUMED").count(),
        held=Reservation.objects.filter(company=company, state="OPEN").count(),
    )


def together(act: Callable[[], Any]) -> list[Any]:
    barrier = Barrier(TOGETHER)

    def one(_: int) -> Any:
        barrier.wait()
        return act()

    with ThreadPoolExecutor(TOGETHER) as threads:
        return list(threads.map(one, range(TOGETHER)))


def said(response: requests.Response) -> Any:
    """Return an answer without what is of one request alone."""
    if not response.content:
        return None
    return {k: v for k, v in response.json().items() if k != "requestId"}


def test_every_write_is_sent():
    assert written() - READING == set(WRITES)
    assert {tool.name for tool in tools.TOOLS if tool.is_charged} == set(TOOLS)


@pytest.mark.parametrize("name", WRITES)
def test_thirty_two_at_once_are_one(world, name):
    method, address = name.split()
    write, key = WRITES[name], str(uuid.uuid4())
    url = world.site + re.sub(r"<.+>", str(write.about(world)), address)
    body = write.body(world)
    before, charged = write.effect(world), charges(world.company)
    headers = {"authorization": f"Bearer {world.key}", "idempotency-key": key, "if-match": "*"}

    def send() -> requests.Response:
        given = {"params": body} if method == "GET" else {"json": body}
        return requests.request(method, url, headers=headers, timeout=120, **given)

    answers = together(send)
    again = send()

    good = [one for one in answers if one.ok]
    others = {one.status_code for one in answers if not one.ok}
    assert good, [one.text for one in answers][:2]
    assert others <= {IN_FLIGHT[address[:4]]}
    assert again.ok
    assert len({json.dumps(said(one), sort_keys=True) for one in (*good, again)}) == 1
    assert write.effect(world) - before == write.count
    assert IdempotencyRecord.objects.filter(company=world.company, key=key).count() == 1
    uses = charges(world.company) - charged
    sections = 2 if "brief" in address else 1
    is_charged = name in CHARGED or address.startswith("/v2/")
    assert uses == (Counter(uses=sections, charged=sections) if is_charged else Counter())


@pytest.mark.parametrize("name", TOOLS)
def test_thirty_two_calls_of_a_tool_at_once_are_one(world, name):
    made = ai_clients.connection(world.company, by=world.person, name=f"Client of {name}")
    client = ai_clients.AiClient(world.site, made.made.text)
    key = str(uuid.uuid4())
    given = TOOLS[name] | {"period": "ALL_CONVERSATIONS", "idempotency_key": key}
    before = charges(world.company)

    answers = client.together(TOGETHER, name, **given)
    again = client.call(name, **given)

    good = [one for one in answers if not one.is_error]
    codes = {one.structured_content["code"] for one in answers if one.is_error}
    assert len(answers) == TOGETHER
    assert good
    assert codes <= {"idempotency_in_flight"}
    assert not again.is_error
    assert len({one.content[0].text for one in (*good, again)}) == 1
    sections = 2 if name == "generate_brief" else 1
    assert charges(world.company) - before == Counter(uses=sections, charged=sections)
