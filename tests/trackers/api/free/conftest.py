from __future__ import annotations

import itertools
import json
from datetime import timedelta

import pytest
from django.utils import timezone

from tests.support import api, conversations, people
from tests.support.analyzers import ScriptedAnalyzer
from tests.support.conversations import record
from trackers import analyzers, scanning


@pytest.fixture(autouse=True)
def _many_requests(settings):
    """Tests ask faster than a company may; those about the limits set their own."""
    settings.API_REQUESTS_PER_SECOND = 1000
    settings.API_INGESTIONS_PER_SECOND = 1000


@pytest.fixture(autouse=True)
def _scripted(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", ScriptedAnalyzer)


@pytest.fixture
def acme(db):
    company = people.company()
    people.credits_for(company, "100")
    return company


@pytest.fixture
def tess(acme):
    """The tech admin who made the key."""
    return api.admin(acme)


class Program:
    """A company's program: asks, sends, and says an Idempotency-Key with each write."""

    def __init__(self, company, by) -> None:
        self.client = api.of(company, by=by)
        self.numbers = itertools.count()

    def get(self, path, **query):
        return self.client.get(f"/api/v1/{path}", query)

    def send(self, method, path, body=None, *, key=None, **headers):
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        key = key or f"key {next(self.numbers)}"
        return self.client.generic(
            method,
            f"/api/v1/{path}",
            json.dumps(body or {}),
            "application/json",
            headers={"idempotency-key": key} | headers,
        )

    def post(self, path, body=None, **more):
        return self.send("POST", path, body, **more)


@pytest.fixture
def program(acme, tess):
    return Program(acme, tess)


@pytest.fixture
def history(acme):
    """Six short calls of history: 3.0 credits."""
    now = timezone.now()
    return conversations.ingest(
        acme, *(record(f"h{n}", started_at=now - timedelta(days=20 - n)) for n in range(6))
    )


@pytest.fixture
def tracker(acme, tess, history):
    """Published, with the history before it."""
    return conversations.published(acme, tess)


@pytest.fixture
def result(acme, tracker):
    """What the tracker found in one new call."""
    now = timezone.now()
    conversations.ingest(acme, record("new", started_at=now), now=now)
    scanning.run_batch(version_id=tracker.current_version_id, backfill_id=None, clock=timezone.now)
    return tracker.scans.get(state="DONE")
