"""Columns of which the database keeps no statistics: they would hold words that are erased."""

from __future__ import annotations

from django.db import migrations

Columns = tuple[tuple[str, tuple[str, ...]], ...]


def keep_no_statistics(tables: Columns) -> migrations.RunSQL:
    """Return the migration operation that makes ANALYZE leave columns out."""
    return migrations.RunSQL(sql=_statements(tables, "0"), reverse_sql=_statements(tables, "-1"))


def _statements(tables: Columns, target: str) -> str:
    return "\n".join(
        f'ALTER TABLE {table} ALTER COLUMN "{column}" SET STATISTICS {target};'
        for table, columns in tables
        for column in columns
    )
