"""A company that switched the language model on, and a scripted server as its model."""

from __future__ import annotations

import pytest
from django.utils import timezone

from tests.support import language_models, people
from tests.trackers.language_model.acting import published
from trackers import (
    language_model,
)

_endpoints = set()


@pytest.fixture(scope="module")
def running():
    with language_models.serving() as server:
        yield server
    # The connections that were kept open to it.
    for endpoint in list(_endpoints):
        language_model._client(endpoint).close()
    language_model._client.cache_clear()
    _endpoints.clear()


@pytest.fixture
def server(running, settings):
    running.requests.clear()
    running.script.clear()
    running.always = None
    settings.LLM = running.endpoint()
    _endpoints.add(settings.LLM)
    return running


@pytest.fixture
def now():
    return timezone.now()


@pytest.fixture
def acme():
    company = people.company()
    people.credits_for(company, "10")
    return company


@pytest.fixture
def admin(acme, server):
    """A tech admin who has switched the language model on."""
    alice = people.alice(acme)
    language_model.switch(company=acme, is_on=True, by=alice)
    return alice


@pytest.fixture
def tracker(acme, admin, now):
    return published(acme, admin, now)


@pytest.fixture
def limited(server, settings):
    """What sets other limits of the model."""

    def limit(**changes):
        settings.LLM = server.endpoint(**changes)
        _endpoints.add(settings.LLM)

    return limit
