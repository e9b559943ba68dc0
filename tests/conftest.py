"""What every test stands on: the run's own database server, and no network."""

from __future__ import annotations

import os
import signal
import socket
import uuid
from contextlib import ExitStack
from pathlib import Path

import pytest
from django.conf import settings
from django.contrib.auth.hashers import PBKDF2PasswordHasher
from django.db import connection

from config import databases
from tests.support import databases as test_databases
from tests.support import processes

SERVER_KEY = pytest.StashKey()
LEDGER_ALONE = ("credits", "concurrency", "properties")
ORDERS = "billing.reconciliation.unordered"
LOOPBACK = {"127.0.0.1", "::1", "localhost"}


def pytest_configure(config):
    """The controller owns the server; xdist's workers find it in their environment."""
    # A password takes a third of a second to hash, in nearly every test. The round count is part
    # of the hash, so that the processes a test starts read these, too.
    PBKDF2PasswordHasher.iterations = 1
    if hasattr(config, "workerinput"):
        return
    if config.option.help or config.option.collectonly:
        return
    for number in (signal.SIGTERM, signal.SIGHUP):
        # Under nohup a terminal that closes is none of our business.
        if signal.getsignal(number) != signal.SIG_IGN:
            signal.signal(number, _interrupt)
    stack = config.stash[SERVER_KEY] = ExitStack()
    dsn = test_databases.address(stack.enter_context(test_databases.migrated_server()))
    test_databases.tell_processes(dsn)
    databases.point_at(dsn)


def pytest_unconfigure(config):
    if stack := config.stash.get(SERVER_KEY, None):
        stack.close()
        for number in (signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is _interrupt:
                signal.signal(number, signal.SIG_DFL)


def _interrupt(number, frame):
    """End as by Ctrl-C: fixtures and the server are cleared away. Once: clearing takes a while."""
    for one in (signal.SIGTERM, signal.SIGHUP):
        # Not SIG_IGN, which the processes we start would inherit.
        signal.signal(one, lambda number, frame: None)
    raise KeyboardInterrupt


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


@pytest.fixture
def site(committed):
    """The web server as an operator starts it, on the test's own database; yields its address."""
    with processes.web_server(committed) as address:
        yield address


@pytest.fixture
def browser(monkeypatch):
    """Chromium, for tests that ask the database themselves meanwhile."""
    # A Debian package's tests: the others need not load it.
    from playwright.sync_api import sync_playwright

    # Playwright's loop runs in this thread; the test's own queries wait for nobody.
    monkeypatch.setitem(os.environ, "DJANGO_ALLOW_ASYNC_UNSAFE", "true")
    with sync_playwright() as playwright:
        chromium = playwright.chromium.launch(
            executable_path="/usr/bin/chromium", args=["--no-sandbox"]
        )
        try:
            yield chromium
        finally:
            chromium.close()
            # Beside a loop Django has a connection of its own, which the next test would find.
            connection.close()


@pytest.fixture(autouse=True)
def _ledger_alone(request, monkeypatch):
    """The ledger's own tests give lots that nobody ordered; others look for the order, too."""
    if request.path.relative_to(Path(__file__).parent).parts[0] in LEDGER_ALONE:
        checks = [path for path in settings.CREDIT_CHECKS if path != ORDERS]
        monkeypatch.setattr(settings, "CREDIT_CHECKS", checks)


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
