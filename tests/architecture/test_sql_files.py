"""The database runs what the files say: each function's body, compared word for word."""

from __future__ import annotations

import pytest
from django.core.management import call_command
from django.db import connection

from credits import sql_files

FUNCTION_COUNT = 71


def installed() -> dict[str, str]:
    with connection.cursor() as cursor:
        cursor.execute("SELECT proname, prosrc FROM pg_proc WHERE proname LIKE 'ledger\\_%'")
        return {name: body.strip() for name, body in cursor.fetchall()}


@pytest.mark.django_db
def test_every_function_in_the_database_is_the_one_in_the_files():
    written = {name: one.body for name, one in sql_files.written().functions.items()}

    assert len(written) == FUNCTION_COUNT
    assert installed() == {name: body for name, body in written.items() if name[:7] == "ledger_"}


def test_the_migrations_go_back_and_forth(committed):
    newest = installed()
    call_command("migrate", "credits", "0004", verbosity=0)
    before_corrections = installed()

    call_command("migrate", "trackers", "0001", verbosity=0)
    call_command("migrate", "credits", "0001", verbosity=0)
    without = installed()
    call_command("migrate", "credits", "0004", verbosity=0)
    again = installed()
    call_command("migrate", verbosity=0)

    assert len(before_corrections) == 26
    assert "FOR NO KEY UPDATE" in before_corrections["ledger_begin"]
    assert "ledger.act" not in before_corrections["ledger_begin"]
    assert without == {}
    assert again == before_corrections
    assert installed() == newest
