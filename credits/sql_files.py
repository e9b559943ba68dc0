"""SQL beside its migration: ``sql/<name>.sql`` and, to go back, ``sql/<name>.reverse.sql``."""

from __future__ import annotations

from pathlib import Path

from django.db import migrations


def run_sql_file(migration: str, name: str) -> migrations.RunSQL:
    """Return the operation for a migration's file; ``migration`` is its ``__file__``."""
    folder = Path(migration).parent / "sql"
    return migrations.RunSQL(
        sql=(folder / f"{name}.sql").read_text(),
        reverse_sql=(folder / f"{name}.reverse.sql").read_text(),
    )
