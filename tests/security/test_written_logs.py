"""Logs hold no word of a conversation, a question or a key (S16): those of real processes.

Everything goes wrong that may: the analyser complains in the words of what it reads, and the
database refuses rows whose content it would quote.
"""

from __future__ import annotations

import base64
from contextlib import ExitStack, closing
from datetime import timedelta

import httpx2
import psycopg
import pytest
from django.utils import timezone

from tests.support import ai_clients, api, briefs, conversations, people
from tests.support.processes import celery_worker, wait_until, web_server
from trackers.models import Scan

CANARY = "kanarienvogel"
ADDRESS = f"{CANARY}@globex.example"
SAID = [{"id": "u1", "speaker": "c", "text": f"The price of the {CANARY} is too high."}]
PEOPLE = [{"id": "c", "role": "external", "name": f"Carl {CANARY}", "email": ADDRESS}]
WORDS = {"title": f"About the {CANARY}", "participants": PEOPLE, "utterances": SAID}
ENVIRONMENT = {
    "TALLYSTICK_ANALYZER": "tests.support.analyzers.QuotingAnalyzer",
    "TALLYSTICK_API_REQUESTS_PER_SECOND": "1000",
    "TALLYSTICK_API_INGESTIONS_PER_SECOND": "1000",
}


@pytest.mark.parametrize("level", ["", "INFO"])
def test_no_log_holds_what_was_said_or_asked_or_a_key(committed, tmp_path, level):
    web_log, worker_log = tmp_path / "web", tmp_path / "worker"
    acme = people.company()
    people.credits_for(acme, "500")
    admin = api.admin(acme)
    now = timezone.now()
    conversations.ingest(acme, conversations.record("old", **WORDS))
    brief = briefs.brief(acme, admin, briefs.RISKS)
    tracker = conversations.published(
        acme, admin, question=f"Did they name a {CANARY}?", now=now - timedelta(days=2)
    )
    key = api.key(acme, by=admin).text
    client = ai_clients.connection(acme, by=admin)
    environment = ENVIRONMENT | ({"TALLYSTICK_LOG_LEVEL": level} if level else {})

    with (
        ExitStack() as stack,
        web_server(committed, environment=environment, log=web_log) as site,
        celery_worker(committed, environment=environment, level=level or "WARNING", log=worker_log),
    ):
        program = stack.enter_context(closing(Program(site, key)))
        program.send("fresh", started_at=(now - timedelta(hours=1)).isoformat())
        refuse_rows(committed)
        answers = [
            program.send("refused", title=f"{CANARY} refused"),
            program.post("ask", {"entity_type": "CONTACT", "entity": ADDRESS} | QUESTION),
            program.post("ask", {"entity_type": "CONTACT", "entity": f"x{ADDRESS}"} | QUESTION),
            program.post(f"briefs/{brief.pk}/runs", {"entity": "Globex", "period": PERIOD}),
            program.get("/v2/entities/ask-entity", GONG, auth=(key[:12], key[13:])),
            program.get("/v2/entities/ask-entity", GONG, auth=(key[:12], f"{key[13:-3]}abc")),
            program.get("/api/v1/conversations", {"q": CANARY}),
            program.get(f"/sign-in/{CANARY}/", {}),
        ]
        tool = ai_clients.AiClient(site, client.made.text)
        told = tool.call("ask_account", account="Globex", question=f"What of the {CANARY}?")
        wait_until(
            lambda: Scan.objects.filter(version=tracker.current_version, attempts__gt=0).exists(),
            "the worker to try the scan",
            seconds=300,
        )
        wait_until(lambda: "Scan" in worker_log.read_text(), "the worker to log it", seconds=300)

    # 500 for the row that was refused and for each of the analyser's complaints.
    assert answers == [500, 500, 404, 200, 500, 401, 400, 410]
    assert told.structured_content["code"] == "internal_error"
    request_id = told.structured_content["request_id"]
    assert f"(request_id: {request_id})" in told.content[0].text
    web, worker = web_log.read_text(), worker_log.read_text()
    assert f"request {request_id} A tool failed: ask_account." in web
    assert 'violates check constraint "no_canary"' in web
    assert web.count("ValueError") >= 4
    assert "ValueError" in worker
    assert "GET /v2/entities/ask-entity HTTP" in web
    secrets = [text[13:] for text in (key, client.made.text)]
    basic = base64.b64encode(f"{key[:12]}:{key[13:]}".encode()).decode()
    for word in (CANARY, *secrets, basic):
        assert word.lower() not in (web + worker).lower()


PERIOD = "ALL_CONVERSATIONS"
QUESTION = {"question": f"What of the {CANARY}?", "period": PERIOD}
GONG = {
    "workspaceId": "1",
    "crmEntityType": "CONTACT",
    "crmEntityId": ADDRESS,
    "timePeriod": PERIOD,
    "question": f"What of the {CANARY}?",
}


def refuse_rows(dsn: str) -> None:
    """Let the database refuse conversations with a certain title, as a broken rule would."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(
            "ALTER TABLE trackers_conversation ADD CONSTRAINT no_canary"
            " CHECK (title NOT LIKE '%refused')"
        )


class Program:
    """A program with a key; each act returns the status of the answer."""

    def __init__(self, site: str, key: str) -> None:
        headers = {"Authorization": f"Bearer {key}"}
        self.client = httpx2.Client(base_url=site, headers=headers, timeout=300)
        self.count = 0

    def close(self) -> None:
        self.client.close()

    def send(self, name: str, **changes: object) -> int:
        call = WORDS | {"id": name, "kind": "call", "duration_seconds": 300}
        call |= {"started_at": timezone.now().isoformat(), "account": {"name": "Globex"}} | changes
        return self.post("conversations", {"conversation": call})

    def post(self, path: str, body: dict) -> int:
        self.count += 1
        headers = {"Idempotency-Key": f"{CANARY}-{self.count}"}
        return self.client.post(f"/api/v1/{path}", json=body, headers=headers).status_code

    def get(self, path: str, query: dict, **more: object) -> int:
        return self.client.get(path, params=query, **more).status_code
