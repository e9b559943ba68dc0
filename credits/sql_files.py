"""SQL beside its migration: ``sql/<name>.sql`` and, to go back, ``sql/<name>.reverse.sql``.

Also what these files say is in the database: ``written()`` reads them in the order of their
names, so that the newest text of a function or trigger wins. ``{schema}`` in a file stands for the
schema that the tables are in.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

from django.apps import apps
from django.db import connection, migrations
from django.db.backends.base.base import BaseDatabaseWrapper
from django.db.migrations.state import ProjectState

_STATEMENT = re.compile(
    r"^CREATE (?:OR REPLACE )?FUNCTION (?P<function>\w+)\((?:.*?)\$\$(?P<body>.*?)\$\$;"
    r"|^CREATE TRIGGER (?P<trigger>\w+)\s+(?P<time>BEFORE|AFTER) (?P<events>[A-Z ]+?)\s+"
    r"ON (?P<table>\w+)\s+(?P<row>FOR EACH ROW )?EXECUTE FUNCTION (?P<calls>\w+)\(\);"
    r"|^ALTER FUNCTION (?P<altered>\w+)(?:\([^)]*\))? (?P<change>[^;]+);"
    r"|^DROP (?P<what>FUNCTION|TRIGGER) (?P<dropped>\w+)",
    re.DOTALL | re.MULTILINE,
)


@dataclass(frozen=True, slots=True)
class Function:
    """A function as its newest file has it: the text between the ``$$``, and the statement.

    ``changes`` are what files said of it since, in order: ``SET enable_sort = off``. A file that
    makes the function anew undoes them, as the database does.
    """

    body: str
    statement: str
    changes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Trigger:
    """A trigger as its newest file has it; it has no condition of its own and no column list."""

    table: str
    function: str
    is_before: bool
    is_for_each_row: bool
    events: frozenset[str]


@dataclass(frozen=True, slots=True)
class Written:
    """Everything the project's SQL files make and do not drop again."""

    functions: dict[str, Function]
    triggers: dict[str, Trigger]


def run_sql_file(migration: str, name: str, *, restores: tuple[str, ...] = ()) -> migrations.RunSQL:
    """Return the operation for a migration's file; ``migration`` is its ``__file__``.

    Going back runs the reverse file, then makes the functions that this file replaced what the
    earlier files named by ``restores`` say: their text is there and need not be written twice.
    """
    folder = Path(migration).parent / "sql"
    sql = (folder / f"{name}.sql").read_text()
    reverse = (folder / f"{name}.reverse.sql").read_text()
    replaced = _read([sql]).functions
    before = _read([(folder / f"{one}.sql").read_text() for one in restores]).functions
    restored = [
        function.statement.replace("CREATE FUNCTION", "CREATE OR REPLACE FUNCTION", 1)
        for name, function in before.items()
        if name in replaced
    ]
    return _RunInSchema(sql=sql, reverse_sql="\n\n".join([reverse, *restored]))


def placed(text: str, schema: str) -> str:
    """Return a file's text for a schema, whose name is quoted where it must be."""
    return text.replace("{schema}", schema)


def schema(using: BaseDatabaseWrapper = connection) -> str:
    """Return the schema that tables are made in, quoted where its name must be."""
    with using.cursor() as cursor:
        cursor.execute("SELECT quote_ident(current_schema())")
        name: str = cursor.fetchone()[0]
        return name


class _RunInSchema(migrations.RunSQL):
    """Runs a file's text with the name of the schema in it, forwards and backwards."""

    def database_forwards(
        self, app_label: str, schema_editor: Any, from_state: ProjectState, to_state: ProjectState
    ) -> None:
        sql = placed(str(self.sql), schema(schema_editor.connection))
        migrations.RunSQL(sql).database_forwards(app_label, schema_editor, from_state, to_state)


@cache
def written() -> Written:
    """Return what the migrations' files of all our apps make."""
    texts = [
        path.read_text()
        for app in apps.get_app_configs()
        for path in sorted((Path(app.path) / "migrations" / "sql").glob("*.sql"))
        if not path.name.endswith(".reverse.sql")
    ]
    return _read(texts)


def _read(texts: list[str]) -> Written:
    found = Written(functions={}, triggers={})
    for text in texts:
        for part in _STATEMENT.finditer(text):
            if part["function"]:
                found.functions[part["function"]] = Function(part["body"].strip(), part[0])
            elif part["trigger"]:
                found.triggers[part["trigger"]] = Trigger(
                    table=part["table"],
                    function=part["calls"],
                    is_before=part["time"] == "BEFORE",
                    is_for_each_row=bool(part["row"]),
                    events=frozenset(part["events"].split(" OR ")),
                )
            elif part["altered"]:
                # A file read alone may alter what an earlier one makes.
                if function := found.functions.get(part["altered"]):
                    changes = (*function.changes, part["change"])
                    found.functions[part["altered"]] = replace(function, changes=changes)
            elif part["what"] == "FUNCTION":
                found.functions.pop(part["dropped"], None)
            else:
                found.triggers.pop(part["dropped"], None)
    return found
