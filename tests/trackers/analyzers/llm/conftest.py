"""A scripted server, and analyzers that ask it through a gate that lets everything through."""

from __future__ import annotations

from contextlib import contextmanager

import pytest

from tests.support import language_models
from trackers.analyzers.llm.analyzer import LlmAnalyzer
from trackers.analyzers.llm.client import Client
from trackers.analyzers.llm.conversing import Conversing
from trackers.analyzers.llm.gate import Attempt


class OpenGate:
    """Lets everything through, remembers the dialect, and keeps each attempt."""

    def __init__(self) -> None:
        self.known = None
        self.attempts: list[Attempt] = []

    def dialect(self):
        return self.known

    def remember(self, dialect) -> None:
        self.known = dialect

    @contextmanager
    def attempt(self, *, tokens_in, tokens_out, mode):
        attempt = Attempt()
        self.attempts.append(attempt)
        yield attempt

    @property
    def outcomes(self) -> list[str]:
        return [str(one.outcome) for one in self.attempts]


@pytest.fixture(scope="module")
def running():
    with language_models.serving() as server:
        yield server


@pytest.fixture
def server(running):
    running.requests.clear()
    running.script.clear()
    running.always = None
    return running


@pytest.fixture
def gate():
    return OpenGate()


@pytest.fixture
def analyzer_at(server, gate):
    """What makes an analyzer with other limits."""

    clients = []

    def make(*, patience=(), **changes):
        endpoint = server.endpoint(**changes)
        clients.append(Client(endpoint))
        conversing = Conversing(
            clients[-1], gate, patience_seconds=patience, sleep=lambda seconds: None
        )
        return LlmAnalyzer(endpoint, conversing)

    yield make
    for client in clients:
        client.close()


@pytest.fixture
def analyzer(analyzer_at):
    return analyzer_at()
