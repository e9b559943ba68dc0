from __future__ import annotations

from datetime import UTC, datetime

import pytest

from config.demo.clock import seeded_clock
from tests.support import statement

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def clock(db):
    """The ledger's clock, standing at noon of Monday, 2 March 2026 until a test moves it."""
    with seeded_clock(NOON) as clock:
        yield clock


@pytest.fixture
def acme(clock):
    return statement.company()
