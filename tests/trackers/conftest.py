"""What most tests of trackers begin with; a file that needs something else has its own."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.support import people
from tests.support.analyzers import ScriptedAnalyzer
from trackers import analyzers


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def acme():
    return people.company()


@pytest.fixture
def alice(acme):
    return people.alice(acme)


@pytest.fixture
def analyzer(monkeypatch):
    """An analyzer that says yes to everything, unless told otherwise."""
    scripted = ScriptedAnalyzer()
    monkeypatch.setattr(analyzers, "in_use", lambda: scripted)
    return scripted
