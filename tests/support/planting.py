"""Plant a bug: one text replaced in one SQL function of the test's own database."""

from __future__ import annotations

from django.db import connection

from credits import sql_files


def plant(function: str, text: str, bug: str) -> None:
    """Replace the text, which must stand exactly once in the function as its newest file has it."""
    statement = sql_files.written().functions[function].statement
    assert statement.count(text) == 1
    replaced = statement.replace(text, bug)
    if not replaced.startswith("CREATE OR REPLACE"):
        replaced = replaced.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
    with connection.cursor() as cursor:
        cursor.execute(replaced)
