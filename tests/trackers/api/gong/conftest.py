from __future__ import annotations

import pytest

from tests.support import people


@pytest.fixture(autouse=True)
def _many_requests(settings):
    """Tests ask faster than a company may; those about the limits set their own."""
    settings.API_REQUESTS_PER_SECOND = 1000


@pytest.fixture
def acme(db):
    return people.company("Acme")


@pytest.fixture
def beta(db):
    return people.company("Beta")
