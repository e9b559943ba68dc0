"""One web server for the tests of a file, as an operator starts it, on a database of its own."""

from __future__ import annotations

import uuid

import pytest

from tests.support import ai_clients, conversations, databases, people, processes

# Tests ask faster than a company may; the limit has a test of its own.
UNHURRIED = {"TALLYSTICK_API_REQUESTS_PER_SECOND": "1000"}


@pytest.fixture(scope="module")
def served(django_db_setup, django_db_blocker):
    with (
        django_db_blocker.unblock(),
        databases.cloned(f"test_{uuid.uuid4().hex[:12]}") as dsn,
        processes.web_server(dsn, environment=UNHURRIED) as address,
    ):
        yield address


@pytest.fixture
def acme(served):
    company = people.company()
    people.credits_for(company, "100")
    return company


@pytest.fixture(params=ai_clients.MODES)
def program(request, served, acme):
    """A shared client of Acme, once of each protocol there is."""
    made = ai_clients.connection(acme)
    return ai_clients.AiClient(served, made.made.text, request.param)


@pytest.fixture
def globex(acme):
    """An account with a long call, a short one and an e-mail: 1.6 credits to ask about."""
    conversations.ingest(
        acme,
        conversations.record("long", duration_seconds=1200),
        conversations.record("short"),
        conversations.record("mail", kind="email"),
    )
    return acme.accounts.get(name="Globex")
