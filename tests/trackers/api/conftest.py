from __future__ import annotations

import pytest

from tests.support import api, asks, people


@pytest.fixture(autouse=True)
def _many_requests(settings):
    """Tests ask faster than a company may; those about the limits set their own."""
    settings.API_REQUESTS_PER_SECOND = 1000


@pytest.fixture
def acme(db):
    """Globex has two calls and an e-mail, and an ask costs 1.6 of 10 credits."""
    company = people.company()
    asks.globex(company)
    people.credits_for(company, "10")
    return company


@pytest.fixture
def program(acme):
    return api.of(acme, by=api.admin(acme))
