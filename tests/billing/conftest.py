from __future__ import annotations

import pytest

from config.demo.clock import seeded_clock
from tests.support import contracts, people


@pytest.fixture
def clock(db):
    """The ledger's clock, standing at noon of Monday, 2 March 2026 until a test moves it."""
    with seeded_clock(contracts.NOW) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    return people.company(time_zone="UTC")


@pytest.fixture
def vera(db):
    return people.vera()


@pytest.fixture
def victor(db):
    """A second person of the vendor's."""
    return people.vera()
