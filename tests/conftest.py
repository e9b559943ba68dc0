"""What every test stands on: the run's own database server, and no network."""

from __future__ import annotations

import os
import socket
import uuid

import pytest

from config import databases
from tests.support import databases as test_databases

SERVER_KEY = pytest.StashKey()
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def pytest_configure(config):
    """The controller owns the server; xdist's workers find it in their environment."""
    if hasattr(config, "workerinput"):
        return
    if config.option.help or config.option.collectonly:
        return
    server = test_databases.start_server()
    config.stash[SERVER_KEY] = server
    dsn = test_databases.address(server)
    test_databases.tell_processes(dsn)
    databases.point_at(dsn)
    databases.template(dsn)


def pytest_unconfigure(config):
    if server := config.stash.get(SERVER_KEY, None):
        test_databases.remove_server(server)


@pytest.fixture(scope="session")
def django_db_setup(django_db_blocker):
    """Give this worker its own copy of the migrated template."""
    name = f"test_{os.environ.get('PYTEST_XDIST_WORKER', 'main')}"
    with django_db_blocker.unblock(), test_databases.cloned(name):
        yield


@pytest.fixture
def committed(django_db_setup, django_db_blocker):
    """A database of the test's own, for tests that commit or start processes; yields its address.

    Append-only triggers refuse the flush of transactional tests, so nothing is ever flushed.
    """
    with django_db_blocker.unblock(), test_databases.cloned(f"test_{uuid.uuid4().hex[:12]}") as dsn:
        yield dsn


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    """Only this machine is reachable: a test that needs the internet is a broken test."""
    connect = socket.socket.connect

    def guarded(self, address):
        is_local = self.family == socket.AF_UNIX or address[0] in LOOPBACK
        if not is_local:
            raise AssertionError(f"This test tried to reach {address}.")
        return connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", guarded)
