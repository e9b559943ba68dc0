"""Try to break a rule through the database itself, past Python, and name what refused."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import IntegrityError, connection, transaction


def refused_by(
    statement: str, parameters: list[Any] | None = None, *, in_an_act: bool = True
) -> str:
    """Run raw SQL that has to fail; return the name of the constraint that refused it.

    The statement says it is an act of the ledger, so that the guards of pool and grants let it
    through to the constraints behind them, unless ``in_an_act`` is false.
    """
    with pytest.raises(IntegrityError) as refusal:
        _execute(statement, parameters, in_an_act)
    return refusal.value.__cause__.diag.constraint_name


def _execute(statement: str, parameters: list[Any] | None, in_an_act: bool) -> None:
    with transaction.atomic(), connection.cursor() as cursor:
        # Checks that would wait for the commit are made at once.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        if in_an_act:
            cursor.execute("SET LOCAL ledger.act = 'on'")
        cursor.execute(statement, parameters)


def update_refused_by(row: Any, **changes: Any) -> str:
    """Change columns of a row by raw SQL; return the name of the constraint that refused it."""
    places = ", ".join(f'"{column}" = %s' for column in changes)
    key = row._meta.pk.column
    return refused_by(
        f"UPDATE {row._meta.db_table} SET {places} WHERE {key} = %s", [*changes.values(), row.pk]
    )


def copy_refused_by(row: Any, *, in_an_act: bool = True, **changes: Any) -> str:
    """Insert a copy of a row with columns changed; return what refused it."""
    columns = {
        field.column: getattr(row, field.attname)
        for field in row._meta.concrete_fields
        if not field.generated
    }
    if row._meta.pk.get_internal_type() == "BigAutoField":
        del columns[row._meta.pk.column]
    columns |= changes
    names, places = '", "'.join(columns), ", ".join(["%s"] * len(columns))
    return refused_by(
        f'INSERT INTO {row._meta.db_table} ("{names}") VALUES ({places})',
        list(columns.values()),
        in_an_act=in_an_act,
    )
