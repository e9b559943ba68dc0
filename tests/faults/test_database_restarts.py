"""The database is stopped at once under load: nothing acknowledged is lost, nothing is double."""

from __future__ import annotations

import pytest
from django.db import connection

from config import databases
from tests.faults import restarting
from tests.support import databases as test_databases


@pytest.fixture
def durable(django_db_blocker):
    """A server of the test's own that keeps what it acknowledged; yields it and a database."""
    with (
        django_db_blocker.unblock(),
        test_databases.migrated_server(restarting.DURABLE) as server,
        databases.pointed_at(test_databases.address(server)),
        test_databases.cloned("restarts") as dsn,
    ):
        yield server, dsn
        connection.close()


def test_charges_acknowledged_under_restarts_are_there_once_and_lost_answers_come_by_key(
    durable, tmp_path
):
    server, dsn = durable

    seen = restarting.run(server=server, dsn=dsn, folder=tmp_path, restarts=2, clients=3, seed=1)

    assert seen["sent"] == seen["acknowledged"] > 10
    # Of each restart one commit was made whose answer was surely lost.
    assert seen["resolved_by_key"] >= 2
    assert (seen["lost"], seen["double"], seen["not_asked_for"]) == (0, 0, 0)
    assert (seen["below_zero"], seen["audit"]) == (0, [])
