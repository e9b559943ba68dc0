"""A company whose trackers look for words, so that it is known what each finds."""

from __future__ import annotations

import pytest

from tests.support import people
from tests.support.histories import WordAnalyzer
from trackers import analyzers


@pytest.fixture(autouse=True)
def analyzer(monkeypatch):
    monkeypatch.setattr(analyzers, "in_use", WordAnalyzer)


@pytest.fixture
def acme(db):
    acme = people.company()
    people.credits_for(acme, "100000")
    return acme


@pytest.fixture
def alice(acme):
    return people.alice(acme)
