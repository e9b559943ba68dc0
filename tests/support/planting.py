"""Plant a bug: one text replaced in one SQL function of the test's own database."""

from __future__ import annotations

import re
from pathlib import Path

from django.conf import settings
from django.db import connection

SQL = Path(settings.PROJECT) / "credits" / "migrations" / "sql"
FILES = ("0002_ledger_core.sql", "0002_ledger_operations.sql")


def plant(function: str, text: str, bug: str) -> None:
    """Replace the text, which must stand exactly once in exactly one function."""
    sources = "".join((SQL / name).read_text() for name in FILES)
    found = re.findall(rf"CREATE FUNCTION {function}\(.*?\n\$\$;", sources, flags=re.DOTALL)
    assert len(found) == 1
    assert found[0].count(text) == 1
    body = found[0].replace(text, bug).replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    with connection.cursor() as cursor:
        cursor.execute(body)
