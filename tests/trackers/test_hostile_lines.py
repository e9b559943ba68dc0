"""Lines that are well-formed JSON and cannot be stored: each costs only itself."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from tests.support.conversations import record
from trackers.importers.records import BadRecord


@pytest.mark.parametrize(
    "owner", ["a\u0000@acme.example", "\u0130" * 240 + "@acme.example"], ids=["NUL", "grows"]
)
def test_an_address_the_database_cannot_hold_is_refused(owner):
    with pytest.raises(BadRecord):
        record("c1", owner=owner)


@pytest.mark.parametrize("year", [1, 1969, 2101, 9999])
def test_a_year_no_conversation_has_is_refused(year):
    with pytest.raises(BadRecord):
        record("c1", started_at=datetime(year, 6, 1, tzinfo=UTC))
