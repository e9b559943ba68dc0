"""The database runs what the files say: each function's body, compared word for word."""

from __future__ import annotations

import re

import pytest
from django.db import connection

from tests.support.planting import SQL

FUNCTION = re.compile(r"CREATE FUNCTION (\w+)\(.*?\$\$(.*?)\$\$;", re.DOTALL)


@pytest.mark.django_db
def test_every_function_in_the_database_is_the_one_in_the_files():
    written = {
        name: body.strip()
        for path in sorted(SQL.glob("*.sql"))
        if ".reverse." not in path.name
        for name, body in FUNCTION.findall(path.read_text())
    }
    with connection.cursor() as cursor:
        cursor.execute("SELECT proname, prosrc FROM pg_proc WHERE proname ~ '^(ledger|audit)_'")
        installed = {name: body.strip() for name, body in cursor.fetchall()}

    assert len(written) == 28
    assert installed == written


def test_the_migrations_go_back_and_forth(committed):
    from django.core.management import call_command

    call_command("migrate", "trackers", "0001", verbosity=0)
    call_command("migrate", "credits", "0001", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'ledger\\_%'")
        assert cursor.fetchone() == (0,)

    call_command("migrate", verbosity=0)
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM pg_proc WHERE proname LIKE 'ledger\\_%'")
        assert cursor.fetchone() == (26,)
